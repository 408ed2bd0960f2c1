"""Storage accounting: each distinct blob counts once per project, from the moment a manifest of the project names it.

True usage of a project is ``Quota.used`` plus its ``QuotaDelta`` rows. A project with a limit is charged by a
conditional UPDATE; one without appends a delta, so that pushes into one project do not queue on one row. Every read
adds the deltas, so it does not matter when they are folded.

With ``quota_per_project_enable`` off nothing is refused and everything is still counted, so that it can be switched on
at any time.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from auth.actor import ANONYMOUS, Actor
from harbor_core.lib import sql
from harbor_core.lib.batches import batched
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from harbor_core.services.config import config_get
from projects.models import Project, ProjectBlob, Quota, QuotaDelta, Upload
from projects.models.quota import UNLIMITED

logger = logging.getLogger(__name__)
WARNING_PERCENT = 85
EVENT_PAUSE = timedelta(minutes=1)  # between two events of a kind in one project
# What a finished upload reserves lapses when no manifest names it: the push was given up.
RESERVED_AFTER_COMMIT = timedelta(hours=1)
_DELTAS = "COALESCE((SELECT SUM(size) FROM harbor_projects_quotadelta WHERE project_id = %(project)s), 0)"
# Read by the statement after this one: in the same, deltas folded while it waited for the row would count twice.
_LOCK = "SELECT 1 FROM harbor_projects_quota WHERE project_id = %s FOR UPDATE"
_CHARGE = f"""
    UPDATE harbor_projects_quota SET used = used + %(size)s, update_time = %(now)s
    WHERE project_id = %(project)s AND (hard = -1 OR used + %(size)s + {_DELTAS} <= hard)
    RETURNING hard, used + {_DELTAS}
"""
# One statement: between two, deltas may be folded and would count twice or not at all.
_USED = f"SELECT used + {_DELTAS} FROM harbor_projects_quota WHERE project_id = %(project)s"
_HARD = "SELECT hard FROM harbor_projects_quota WHERE project_id = %s"
_DELTA = """
    INSERT INTO harbor_projects_quotadelta (project_id, size)
    SELECT project_id, %(size)s FROM harbor_projects_quota
    WHERE project_id = %(project)s AND (hard = -1 OR %(size)s < 0 OR %(unchecked)s)
"""
_REFER = """
    INSERT INTO harbor_projects_projectblob (project_id, blob_id, refs) VALUES {rows}
    ON CONFLICT (project_id, blob_id) DO UPDATE SET refs = harbor_projects_projectblob.refs + 1
    RETURNING blob_id, refs
"""
_LOCK_REFERENCES = """
    SELECT 1 FROM harbor_projects_projectblob WHERE project_id = %s AND blob_id IN ({marks}) ORDER BY blob_id FOR UPDATE
"""
_RELEASE = """
    UPDATE harbor_projects_projectblob SET refs = refs - CASE blob_id {cases} END
    WHERE project_id = %s AND blob_id IN ({marks})
"""
_UNREFERRED = """
    DELETE FROM harbor_projects_projectblob WHERE project_id = %s AND blob_id IN ({marks}) AND refs <= 0
    RETURNING blob_id
"""


_FOLD = "DELETE FROM harbor_projects_quotadelta WHERE project_id = %s RETURNING size"
_NAMED = """
    WITH named AS (
        SELECT ab.blob_id, COUNT(*) AS refs
        FROM harbor_projects_artifactblob ab JOIN harbor_projects_artifact a ON a.id = ab.artifact_id
        WHERE a.project_id = %(project)s GROUP BY ab.blob_id
    )
"""
_COUNTED = "SELECT COALESCE(SUM(b.size), 0) FROM named n JOIN harbor_projects_blob b ON b.id = n.blob_id"
_AUDIT = f"""
    {_NAMED}
    SELECT ({_COUNTED}), ({_USED}), (
        SELECT COUNT(*) FROM named n
        LEFT JOIN harbor_projects_projectblob p ON p.project_id = %(project)s AND p.blob_id = n.blob_id
        WHERE p.refs IS NULL OR p.refs <> n.refs
    ) + (
        SELECT COUNT(*) FROM harbor_projects_projectblob p
        WHERE p.project_id = %(project)s AND p.blob_id NOT IN (SELECT blob_id FROM named)
    )
"""
_UNREFER_OTHERS = f"""
    {_NAMED}
    DELETE FROM harbor_projects_projectblob
    WHERE project_id = %(project)s AND blob_id NOT IN (SELECT blob_id FROM named)
"""
_REFER_RIGHT = f"""
    {_NAMED}
    INSERT INTO harbor_projects_projectblob (project_id, blob_id, refs)
    SELECT %(project)s, blob_id, refs FROM named WHERE true
    ON CONFLICT (project_id, blob_id) DO UPDATE SET refs = excluded.refs
    WHERE harbor_projects_projectblob.refs <> excluded.refs
"""


@dataclass(frozen=True, slots=True)
class Accounts:
    """``counted`` bytes are what artifacts name, ``used`` what is accounted (None: the project has no row for it),
    ``miscounted`` blobs have a wrong number of references."""

    counted: int
    used: int | None
    miscounted: int

    @property
    def right(self) -> bool:
        return self.counted == self.used and not self.miscounted


class QuotaExceeded(HarborError):
    """DENIED, with the contract's message (3.3)."""

    def __init__(self, adding: int, usage: int, hard: int) -> None:
        self.adding, self.usage, self.hard = adding, usage, hard
        super().__init__(
            "DENIED",
            f"Quota exceeded when processing the request of adding {human(adding)} of storage resource, which when "
            f"updated to current usage of {human(usage)} will exceed the configured upper limit of {human(hard)}.",
        )


def used(project_id: int) -> int:
    """Bytes the project uses now."""
    row = sql.fetch_one(_USED, {"project": project_id})
    return int(row[0]) if row else 0


def human(size: int) -> str:
    """``1.5 MiB``: binary units, as the quota message shows them."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(value) < 1024 or unit == "TiB":
            return f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError


def check_room(
    project_id: int,
    adding: int,
    *,
    actor: Actor = ANONYMOUS,
    repository: str = "",
    digest: str = "",
    besides: str | None = None,
) -> None:
    """Raise QuotaExceeded when ``adding`` bytes would not fit beside usage and the reservations of other open uploads.

    A guess that spares a hopeless upload; the exact check is :func:`charge` at manifest time. A blob (``digest``) that
    the project has already always fits. A refusal is told to the outbox, so this is called outside of transactions.
    """
    row = sql.fetch_one(_HARD, [project_id])
    if row is None or row[0] == UNLIMITED or not config_get("quota_per_project_enable"):
        return
    hard = row[0]
    usage = used(project_id)
    reserved = _reserved(project_id, besides)
    if usage + reserved + adding <= hard and not (adding == 0 and usage >= hard):
        return
    if digest and ProjectBlob.objects.filter(project_id=project_id, blob__digest=digest).exists():
        return
    with refusals_told(actor, project_id, repository):
        raise QuotaExceeded(adding, usage + reserved, hard)


def _reserved(project_id: int, besides: str | None) -> int:
    recent = Q(digest="") | Q(last_activity__gte=timezone.now() - RESERVED_AFTER_COMMIT)
    uploads = Upload.objects.filter(recent, project_id=project_id)
    if besides:
        uploads = uploads.exclude(pk=besides)
    return uploads.aggregate(total=Coalesce(Sum("reserved"), 0))["total"]


def refer(project_id: int, blobs: Iterable[tuple[int, int]]) -> int:
    """One more artifact of the project names these (blob id, size). Returns the bytes that are new to the project.

    Rows are taken in id order, so that two pushes cannot wait for each other.
    """
    sizes = dict(sorted(blobs))
    added = 0
    for batch in batched(sizes):
        rows = ", ".join(["(%s, %s, 1)"] * len(batch))
        found = sql.fetch_all(_REFER.format(rows=rows), [value for row in batch for value in (project_id, row)])
        added += sum(sizes[blob_id] for blob_id, refs in found if refs == 1)
    return added


def release(project_id: int, blobs: Iterable[tuple[int, int]]) -> int:
    """Artifacts less name these (blob id, size), a blob as often as there are artifacts that named it. Returns the
    bytes the project no longer uses. Rows are taken in id order."""
    named = list(blobs)
    sizes, counts = dict(named), Counter(blob_id for blob_id, _ in named)
    freed = 0
    for batch in batched(sorted(sizes)):
        marks = sql.marks(batch)
        if connection.vendor == "postgresql":
            sql.fetch_all(_LOCK_REFERENCES.format(marks=marks), [project_id, *batch])
        cases = " ".join(["WHEN %s THEN CAST(%s AS integer)"] * len(batch))
        values = [value for blob_id in batch for value in (blob_id, counts[blob_id])]
        sql.execute(_RELEASE.format(cases=cases, marks=marks), [*values, project_id, *batch])
        gone = sql.fetch_all(_UNREFERRED.format(marks=marks), [project_id, *batch])
        freed += sum(sizes[blob_id] for (blob_id,) in gone)
    return freed


def charge(project_id: int, size: int, *, actor: Actor = ANONYMOUS, repository: str = "") -> None:
    """Change usage by ``size`` bytes; raise QuotaExceeded when it would pass the limit. Lowering is never refused.

    Called last in its transaction, so that the row is held for a moment only. Whoever opens the transaction wraps it
    in :func:`refusals_told`.
    """
    if size == 0:
        return
    values = {"size": size, "project": project_id}
    if sql.execute(_DELTA, values | {"unchecked": not config_get("quota_per_project_enable")}):
        return
    if connection.vendor == "postgresql":  # SQLite's transaction is the only writer
        sql.fetch_one(_LOCK, [project_id])
    charged = sql.fetch_all(_CHARGE, values | {"now": sql.time(timezone.now())})
    if charged:
        hard, usage = (int(value) for value in charged[0])
        if hard != UNLIMITED and _percent(usage, hard) >= WARNING_PERCENT > _percent(usage - size, hard):
            _warn(project_id, usage, hard, actor=actor, repository=repository)
        return
    row = sql.fetch_one(_HARD, [project_id])
    if row is None:
        raise HarborError("NOT_FOUND", "the project has just been deleted")
    raise QuotaExceeded(size, used(project_id), row[0])


def _percent(usage: int, hard: int) -> int:
    return usage * 100 // hard


def _warn(project_id: int, usage: int, hard: int, **who: Any) -> None:
    """Usage passed the mark: an event, in the transaction of the change."""
    details = f"quota usage reach {WARNING_PERCENT}%: resource storage used {human(usage)} of {human(hard)}"
    _tell("QUOTA_WARNING", "warned_at", project_id, details, usage=usage, hard=hard, **who)


def _tell(
    event: str, column: str, project_id: int, details: str, *, usage: int, hard: int, actor: Actor, repository: str
) -> None:
    """An event of the project, unless there was one of the kind within EVENT_PAUSE."""
    now = timezone.now()
    quiet = Q(**{f"{column}__isnull": True}) | Q(**{f"{column}__lt": now - EVENT_PAUSE})
    if Quota.objects.filter(quiet, project_id=project_id).update(**{column: now}):
        audit.emit(actor, event, project_id=project_id, repository=repository, details=details, used=usage, hard=hard)


@contextmanager
def refusals_told(actor: Actor, project_id: int, repository: str) -> Iterator[None]:
    """A refusal that leaves the block is put into the outbox, in a transaction of its own: the refused one is rolled
    back. It stands around the transaction, never inside."""
    try:
        yield
    except QuotaExceeded as error:
        with transaction.atomic():
            _tell(
                "QUOTA_EXCEED",
                "exceeded_at",
                project_id,
                error.message,
                usage=error.usage,
                hard=error.hard,
                actor=actor,
                repository=repository,
            )
        raise


@transaction.atomic
def fold(project_id: int) -> None:
    """Add the project's deltas to its row."""
    quota = Quota.objects.select_for_update().get(project_id=project_id)
    folded = sql.fetch_all(_FOLD, [project_id])
    if folded:
        quota.used += sum(size for (size,) in folded)
        quota.save(update_fields=["used", "update_time"])


def fold_pending() -> int:
    """Fold every project that has deltas. Returns how many there were; one that is deleted meanwhile is left out."""
    pending = list(QuotaDelta.objects.values_list("project_id", flat=True).distinct().order_by("project_id"))
    for project_id in pending:
        with suppress(Quota.DoesNotExist):
            fold(project_id)
    return len(pending)


def set_limit(actor: Actor, quota_id: int, hard: int) -> None:
    """``hard`` in bytes, -1 for unlimited; it may lie below what is used. Raises BAD_REQUEST, NOT_FOUND."""
    if hard != UNLIMITED and hard <= 0:
        raise HarborError("BAD_REQUEST", "a storage limit must be -1 (unlimited) or greater than 0")
    with transaction.atomic():
        quota = Quota.objects.select_for_update(of=("self",)).select_related("project").filter(pk=quota_id).first()
        if quota is None:
            raise HarborError("NOT_FOUND", f"quota {quota_id} not found")
        project = quota.project
        fold(project.pk)
        usage, before = used(project.pk), quota.hard
        Quota.objects.filter(pk=quota.pk).update(hard=hard, update_time=timezone.now())
        was_low = before == UNLIMITED or _percent(usage, before) < WARNING_PERCENT
        is_high = hard != UNLIMITED and _percent(usage, hard) >= WARNING_PERCENT
        if was_low and is_high and config_get("quota_per_project_enable"):
            _warn(project.pk, usage, hard, actor=actor, repository="")
        description = f"storage limit of project {project.name}: {before} -> {hard}"
        audit.record(actor, "update", "quota", project.name, project_id=project.pk, description=description)


def check_accounts(project_id: int) -> Accounts:
    """Incremental accounting against a count of what artifacts name, in one statement: exact while pushes go on."""
    counted, accounted, miscounted = sql.fetch_all(_AUDIT, {"project": project_id})[0]
    return Accounts(int(counted), None if accounted is None else int(accounted), int(miscounted))


def recount(project_id: int) -> int:
    """What usage should be, in bytes: every distinct blob that an artifact of the project names, once."""
    return check_accounts(project_id).counted


def resync(project_id: int) -> bool:
    """Set usage right. Returns whether it was wrong.

    Where it is right nothing is locked. Where it is not, pushes into the project and deletions from it wait for the
    moment of the repair: they all hold the project's row.
    """
    if check_accounts(project_id).right:
        return False
    values = {"project": project_id}
    with transaction.atomic():
        if not Project.objects.select_for_update(no_key=True).filter(pk=project_id, deleted=False).exists():
            return False
        sql.execute(_UNREFER_OTHERS, values)
        sql.execute(_REFER_RIGHT, values)
        hard = config_get("storage_per_project")
        Quota.objects.get_or_create(project_id=project_id, defaults={"hard": hard})
        Quota.objects.select_for_update().get(project_id=project_id)
        sql.fetch_all(_FOLD, [project_id])
        now = timezone.now()
        right = {"used": recount(project_id), "drift": 0, "miscounted": 0}  # whatever a check finds meanwhile
        Quota.objects.filter(project_id=project_id).update(**right, checked_at=now, update_time=now)
    logger.warning("the storage usage of project %d was wrong and has been counted again", project_id)
    return True


def resync_all() -> int:
    """Every project. Returns how many were wrong."""
    projects = Project.objects.filter(deleted=False).order_by("pk").values_list("pk", flat=True)
    return sum(resync(project_id) for project_id in list(projects))

"""Storage accounting: each distinct blob counts once per project, from the moment a manifest of the project names it.

True usage of a project is ``Quota.used`` plus its ``QuotaDelta`` rows. A project with a limit is charged by one
conditional UPDATE; one without appends a delta, so that pushes into one project do not queue on one row. Every read
adds the deltas, so it does not matter when they are folded.
"""

from collections.abc import Iterable
from contextlib import suppress

from django.db import transaction
from django.db.models import F, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from harbor_core.lib import sql
from harbor_core.lib.batches import batched
from harbor_core.lib.errors import HarborError
from projects.models import ProjectBlob, Quota, QuotaDelta, Upload
from projects.models.quota import UNLIMITED

_CHARGE = """
    UPDATE harbor_projects_quota SET used = used + %(size)s, update_time = %(now)s
    WHERE project_id = %(project)s AND (hard = -1 OR used + %(size)s + COALESCE(
        (SELECT SUM(size) FROM harbor_projects_quotadelta WHERE project_id = %(project)s), 0) <= hard)
"""
# One statement: between two, deltas may be folded and would count twice or not at all.
_USED = """
    SELECT used + COALESCE((SELECT SUM(size) FROM harbor_projects_quotadelta WHERE project_id = %(project)s), 0)
    FROM harbor_projects_quota WHERE project_id = %(project)s
"""
_HARD = "SELECT hard FROM harbor_projects_quota WHERE project_id = %s"
_DELTA = """
    INSERT INTO harbor_projects_quotadelta (project_id, size)
    SELECT project_id, %(size)s FROM harbor_projects_quota
    WHERE project_id = %(project)s AND (hard = -1 OR %(size)s < 0)
"""
_REFER = """
    INSERT INTO harbor_projects_projectblob (project_id, blob_id, refs) VALUES {rows}
    ON CONFLICT (project_id, blob_id) DO UPDATE SET refs = harbor_projects_projectblob.refs + 1
    RETURNING blob_id, refs
"""


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


def exceeded(adding: int, usage: int, hard: int) -> HarborError:
    return HarborError(
        "DENIED",
        f"Quota exceeded when processing the request of adding {human(adding)} of storage resource, which when updated "
        f"to current usage of {human(usage)} will exceed the configured upper limit of {human(hard)}.",
    )


def check_room(project_id: int, adding: int, *, besides: str | None = None) -> None:
    """Raise DENIED when ``adding`` bytes would not fit beside usage and the reservations of other open uploads.

    A guess that spares a hopeless upload; the exact check is :func:`charge` at manifest time.
    """
    row = sql.fetch_one(_HARD, [project_id])
    if row is None or row[0] == UNLIMITED:
        return
    hard = row[0]
    usage = used(project_id)
    uploads = Upload.objects.filter(project_id=project_id)
    if besides:
        uploads = uploads.exclude(pk=besides)
    reserved = uploads.aggregate(total=Coalesce(Sum("reserved"), 0))["total"]
    if usage + reserved + adding > hard or (adding == 0 and usage >= hard):
        raise exceeded(adding, usage + reserved, hard)


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
    """One artifact less names these (blob id, size). Returns the bytes the project no longer uses."""
    freed = 0
    for blob_id, size in sorted(blobs):
        row = ProjectBlob.objects.filter(project_id=project_id, blob_id=blob_id)
        row.update(refs=F("refs") - 1)
        if row.filter(refs__lte=0).delete()[0]:
            freed += size
    return freed


def charge(project_id: int, size: int) -> None:
    """Change usage by ``size`` bytes; raise DENIED when it would pass the limit. Lowering is never refused.

    Called last in its transaction, so that the row is held for a moment only.
    """
    if size == 0:
        return
    values = {"size": size, "project": project_id}
    if sql.execute(_DELTA, values) or sql.execute(_CHARGE, values | {"now": sql.time(timezone.now())}):
        return
    hard = Quota.objects.filter(project_id=project_id).values_list("hard", flat=True).first()
    if hard is None:
        raise HarborError("NOT_FOUND", "the project has just been deleted")
    raise exceeded(size, used(project_id), hard)


@transaction.atomic
def fold(project_id: int) -> None:
    """Add the project's deltas to its row."""
    quota = Quota.objects.select_for_update().get(project_id=project_id)
    rows = list(QuotaDelta.objects.filter(project_id=project_id).values_list("id", "size"))
    if rows:
        QuotaDelta.objects.filter(pk__in=[pk for pk, _ in rows]).delete()
        quota.used += sum(size for _, size in rows)
        quota.save(update_fields=["used", "update_time"])


def fold_pending() -> int:
    """Fold every project that has deltas. Returns how many there were; one that is deleted meanwhile is left out."""
    pending = list(QuotaDelta.objects.values_list("project_id", flat=True).distinct().order_by("project_id"))
    for project_id in pending:
        with suppress(Quota.DoesNotExist):
            fold(project_id)
    return len(pending)


@transaction.atomic
def set_limit(project_id: int, hard: int) -> None:
    """``hard`` in bytes, -1 for unlimited. Raises BAD_REQUEST."""
    if hard != UNLIMITED and hard <= 0:
        raise HarborError("BAD_REQUEST", "a storage limit must be -1 (unlimited) or greater than 0")
    fold(project_id)
    Quota.objects.filter(project_id=project_id).update(hard=hard, update_time=timezone.now())


def recount(project_id: int) -> int:
    """What usage should be, counted from the rows."""
    rows = ProjectBlob.objects.filter(project_id=project_id, refs__gt=0)
    return rows.aggregate(total=Coalesce(Sum("blob__size"), 0))["total"]

"""STORAGE_AUDIT: compare storage and database, or (with ``report``) settle what such a comparison found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from auth.actor import Actor
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from jobservice import dispatch
from jobservice.jobs import JobFailed
from jobservice.models import Execution, StorageFinding
from jobservice.states import SYSTEM
from jobservice.worker.context import Context
from projects.services import storage_audit, storage_mend
from projects.services.quota import human
from projects.services.storage_mend import ADOPTABLE, DELETABLE, Outcome

JOB_TYPE = "STORAGE_AUDIT"
KEPT_MAX = 100_000
NAMED_MAX = 1000  # findings that one request may name one by one
ADOPT, DELETE = "adopt", "delete"
State = StorageFinding.State
_SETTLED = (State.ADOPTED, State.DELETED, State.GONE)


def checked(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A comparison has no parameters. Raises BAD_REQUEST."""
    if parameters:
        raise HarborError("BAD_REQUEST", "a storage audit has no parameters")
    return {}


def quiet_since() -> datetime:
    """Only what did not change since then is looked at: no upload can still be at it."""
    return timezone.now() - timedelta(hours=max(settings.GC_WINDOW_HOURS, settings.UPLOAD_GRANT_HOURS))


def run(context: Context) -> None:
    if "report" in context.parameters:
        _settle(context)
    else:
        _compare(context)


# ---------------------------------------------------------------------- compare
def _compare(context: Context) -> None:
    before = quiet_since()
    context.log.info("what changed after %s is left for the next time", f"{before:%Y-%m-%dT%H:%M:%SZ}")
    execution, counts, batches, unknown = context.task.execution_id, Counter[str](), 0, 0
    with context.hold():  # a worker that died left a part of a report
        StorageFinding.objects.filter(execution_id=execution).delete()
    for found in storage_audit.compare(before):
        context.check_stop()
        batches += 1
        kept = [
            StorageFinding(
                execution_id=execution,
                kind=item.kind,
                path=item.path,
                digest=item.digest,
                repository_name=item.repository_name,
                size=item.size,
                recorded=item.recorded,
            )
            for item in found[: max(KEPT_MAX - counts.total(), 0)]
        ]
        counts.update(str(item.kind) for item in found)
        unknown += sum(item.size or 0 for item in found if item.kind in DELETABLE)
        if kept:
            with context.hold():
                StorageFinding.objects.bulk_create(kept)
        context.progress(counts.total(), 0, unknown)
    if counts.total() > KEPT_MAX:
        context.log.warning("the report keeps %d of %d findings: settle them and look again", KEPT_MAX, counts.total())
    context.log.info("%d findings after %d batches, %s that nobody knows", counts.total(), batches, human(unknown))
    for kind, number in sorted(counts.items()):
        context.log.info("  %s: %d", kind, number)
    context.report_execution(findings=counts.total(), unknown_bytes=unknown, **counts)


# ---------------------------------------------------------------------- settle
@transaction.atomic
def start_settling(
    actor: Actor, report: Execution, action: str, *, kinds: Sequence[str] = (), findings: Sequence[int] = ()
) -> Execution:
    """Adopt or delete what a report found: of these kinds, or these findings. Raises BAD_REQUEST, PRECONDITION."""
    if report.end_time is None or "findings" not in report.extra_attrs:
        raise HarborError("PRECONDITION", "this run is no finished report")
    possible = {ADOPT: ADOPTABLE, DELETE: DELETABLE}.get(action)
    if possible is None:
        raise HarborError("BAD_REQUEST", "action must be adopt or delete")
    if bool(kinds) == bool(findings) or len(findings) > NAMED_MAX:
        raise HarborError("BAD_REQUEST", f"name either kinds, or up to {NAMED_MAX} findings")
    if set(kinds) - {kind.value for kind in possible}:
        names = ", ".join(kind.value for kind in possible)
        raise HarborError("BAD_REQUEST", f"one can {action} these kinds: {names}")
    chosen = {"kinds": list(kinds)} if kinds else {"findings": list(findings)}
    parameters = {"report": report.pk, "action": action, **chosen}
    started = dispatch.submit(JOB_TYPE, parameters=parameters, extra_attrs=parameters, operator=actor.name)
    what = ", ".join(kinds) or f"{len(findings)} findings"
    audit.record(actor, action, "stored-content", f"storage audit {report.pk}: {what}")
    return started


def _settle(context: Context) -> None:
    parameters = context.parameters
    adopting = parameters["action"] == ADOPT
    report = Execution.objects.filter(pk=parameters["report"], vendor_type=JOB_TYPE, vendor_id=SYSTEM).first()
    if report is None:
        raise JobFailed("the report is not kept any more")
    rows = StorageFinding.objects.filter(execution=report).exclude(state__in=_SETTLED)
    if "findings" in parameters:
        rows = rows.filter(pk__in=parameters["findings"])
    order = ADOPTABLE if adopting else DELETABLE
    kinds = [kind for kind in order if kind in parameters.get("kinds", order)]
    total, counts, freed = rows.filter(kind__in=kinds).count(), Counter[str](), 0
    for kind in kinds:
        wanted = rows.filter(kind=kind)
        # An index is adopted after what it names: as long as some succeed, the others are tried again.
        while True:
            before = counts[State.ADOPTED]
            freed += _each(context, wanted, adopting, counts, total)
            if not adopting or counts[State.ADOPTED] == before or not wanted.exists():
                break
    refused = rows.filter(kind__in=kinds, state=State.REFUSED).count()
    context.log.info("%s; %d refused, %s are free", dict(counts), refused, human(freed))
    context.report_execution(
        adopted=counts[State.ADOPTED], deleted=counts[State.DELETED], gone=counts[State.GONE], refused=refused,
        freed_space=freed,
    )  # fmt: skip


def _each(context: Context, wanted: QuerySet[StorageFinding], adopting: bool, counts: Counter[str], total: int) -> int:
    """By id, so that one that stays is met once. Returns the bytes that were freed."""
    last, freed, before = 0, 0, quiet_since()
    while row := wanted.filter(pk__gt=last).order_by("pk").first():
        context.check_stop()
        last = row.pk
        try:
            outcome = storage_mend.adopt(row) if adopting else storage_mend.delete(row, before)
        except OSError as error:
            outcome = Outcome(State.REFUSED, f"storage: {error}"[:512])
        with context.hold():
            _note(row, outcome)
        freed += outcome.freed
        if outcome.state in _SETTLED:
            counts[outcome.state] += 1
        context.log.info("%s %s: %s %s", row.kind, row.path, outcome.state, outcome.message)
        context.progress(sum(counts.values()), total, freed)
    return freed


def _note(row: StorageFinding, outcome: Outcome) -> None:
    same = StorageFinding.objects.filter(pk=row.pk)
    if outcome.state == State.DELETED and row.kind == StorageFinding.Kind.BLOB:  # its links went with it
        same = StorageFinding.objects.filter(execution_id=row.execution_id, digest=row.digest)
    same.update(state=outcome.state, message=outcome.message)

"""GARBAGE_COLLECTION: remove untagged artifacts where wanted, then every blob and link that nothing names."""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from redis.exceptions import LockError

from auth.actor import system_actor
from harbor_core.lib.errors import HarborError
from jobservice.models import JobQueue, Task
from jobservice.states import OPEN
from jobservice.worker.context import Context
from projects.models import Artifact, Blob
from projects.selectors import collection as selectors
from projects.services import artifacts, collection, trash
from projects.services.quota import human

WORKERS_MAX = 10
WINDOW_MAX_HOURS = 8760
SYSTEM = system_actor("garbage collection")
JOB_TYPE = "GARBAGE_COLLECTION"
LOCK = "harbor:gc:continuous"
_FLAGS = ("delete_untagged", "delete_tag", "dry_run", "empty_trash")


def checked(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """``delete_untagged``, ``delete_tag`` (without meaning: tags are never in storage), ``dry_run``, ``empty_trash``
    (what can be restored goes too), ``workers`` 1 to 10. Raises BAD_REQUEST."""
    values: dict[str, Any] = {}
    for name in _FLAGS:
        value = parameters.get(name, False)
        if not isinstance(value, bool):
            raise HarborError("BAD_REQUEST", f"{name} must be true or false")
        values[name] = value
    workers = parameters.get("workers", 1)
    if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= WORKERS_MAX:
        raise HarborError("BAD_REQUEST", f"workers must be a whole number from 1 to {WORKERS_MAX}")
    return values | {"workers": workers}


def run(context: Context) -> None:
    parameters = context.parameters
    before = timezone.now() - timedelta(hours=settings.GC_WINDOW_HOURS)
    context.log.info("what nothing names and no client was told of for %d hours goes", settings.GC_WINDOW_HOURS)
    if parameters.get("dry_run"):
        _dry_run(context, before)
        return
    if parameters.get("empty_trash"):
        _empty_trash(context)
    untagged = _delete_untagged(context, before) if parameters.get("delete_untagged") else 0
    _collect(context, before, parameters.get("workers", 1), untagged)


def untagged(before: datetime) -> QuerySet[Artifact]:
    """Artifacts without a tag that belong to nothing else, pushed before that time: a client that pushes the parts
    of an index first is not interrupted."""
    rows = Artifact.objects.filter(
        tags__isnull=True, parents__isnull=True, accessory__isnull=True, push_time__lt=before, project__deleted=False
    )
    return rows.defer("manifest").order_by("pk")


def _delete_untagged(context: Context, before: datetime) -> int:
    total, done = untagged(before).count(), 0
    context.log.info("%d untagged artifacts are to be deleted", total)
    for artifact in _each(untagged(before)):
        context.check_stop()
        try:
            artifacts.delete(SYSTEM, artifact)
            done += 1
        except HarborError as error:  # tagged, named by an index, or deleted meanwhile
            context.log.info("kept %s: %s", artifact.digest, error.message)
        context.progress(done, total)
    context.log.info("%d untagged artifacts are deleted", done)
    return done


def _each(rows: QuerySet[Artifact]) -> Iterator[Artifact]:
    """By id, so that a row that stays is not met again."""
    last = 0
    while batch := list(rows.filter(pk__gt=last)[:200]):
        yield from batch
        last = batch[-1].pk


def _empty_trash(context: Context) -> None:
    removed = trash.remove_all()
    context.log.info("%d artifacts are removed from the trash for good", removed)


def _collect(context: Context, before: datetime, workers: int, untagged_artifacts: int) -> None:
    state = selectors.state(before)
    context.log.info("%d blobs with %s are due", state.due.number, human(state.due.size))
    if state.trash.number:
        context.log.info("%d blobs with %s are held by the trash", state.trash.number, human(state.trash.size))
    total, began = collection.Totals(), time.monotonic()
    try:
        for batch in collection.collect(before, workers=workers, check=context.check_stop):
            total.add(batch)
            for error in batch.errors:
                context.log.warning("storage refused %s", error)
            context.progress(total.blobs, max(state.due.number, total.blobs), total.freed)
    finally:
        collection.note_day(total, time.monotonic() - began)
    context.log.info(
        "removed %d blobs (%d manifests) and %d links, %s are free; storage refused %d",
        total.blobs,
        total.manifests,
        total.links,
        human(total.freed),
        total.failed,
    )
    context.report_execution(
        freed_space=total.freed,
        purged_blobs=total.blobs - total.manifests,
        purged_manifests=total.manifests,
        untagged_artifacts=untagged_artifacts,
        unlinked=total.links,
        failed=total.failed,
        held_by_trash=state.trash.size,
    )


def _dry_run(context: Context, before: datetime) -> None:
    state = selectors.state(before)
    context.log.info("this is a dry run: nothing is deleted")
    if context.parameters.get("delete_untagged"):
        context.log.info("%d untagged artifacts would be deleted", untagged(before).count())
    context.log.info("%d blobs with %s would go now", state.due.number, human(state.due.size))
    context.log.info("%d more are inside the window, %s", state.waiting.number, human(state.waiting.size))
    context.log.info("%d are held by the trash, %s", state.trash.number, human(state.trash.size))
    for digest, size in _largest(before):
        context.log.info("  %s %s", digest, human(size or 0))
    context.report_execution(
        freed_space=state.due.size, purged_blobs=state.due.number, purged_manifests=0, held_by_trash=state.trash.size
    )


def _largest(before: datetime) -> list[tuple[str, int | None]]:
    rows: QuerySet[Blob] = selectors.unnamed().filter(touched_at__lt=before).order_by("-size")
    return list(rows.values_list("digest", "size")[:20])


# ---------------------------------------------------------------------- continuously
class _Enough(Exception):
    """Its time is over, or a run that somebody asked for begins."""


def continuous(seconds: float = 30) -> collection.Totals | None:
    """Collect what is due, for so long, without an execution: between runs the backlog stays small. One process at a
    time; not while a run is open or its queue is paused, which is answered with None."""
    if _is_held():
        return None
    began = time.monotonic()

    def check() -> None:
        if time.monotonic() > began + seconds or _is_held():
            raise _Enough

    with settings.REDIS.client() as client:
        lock = client.lock(LOCK, timeout=collection.STALE_SECONDS)
        if not lock.acquire(blocking=False):
            return None
        total = collection.Totals()
        try:
            before = timezone.now() - timedelta(hours=settings.GC_WINDOW_HOURS)
            for batch in collection.collect(before, workers=2, check=check):
                total.add(batch)
        except _Enough:
            pass
        finally:
            with suppress(LockError):  # it took so long that another has it: rows are claimed one by one anyway
                lock.release()
            collection.note_day(total, time.monotonic() - began)
    return total


def _is_held() -> bool:
    paused = JobQueue.objects.filter(job_type=JOB_TYPE, paused=True)
    return Task.objects.filter(job_type=JOB_TYPE, status__in=OPEN).exists() or paused.exists()

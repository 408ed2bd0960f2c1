"""What Celery runs: the bell of the job engine, and housekeeping that beat rings for. Everything here may run twice,
late or not at all without harm."""

import logging
from typing import Any

from celery import shared_task
from celery.signals import beat_init, worker_ready, worker_shutdown, worker_shutting_down
from django.conf import settings
from django.contrib.sessions.backends.cached_db import SessionStore

from harbor_core.lib import tracing
from jobservice.jobs import QUEUE_PREFIX
from jobservice.services import gc
from jobservice.worker import clock, keeper, runner
from projects.services import blobs, quota, quota_checks, relay, storage_days, tag_journal, trash
from replication.services import registries
from replication.services.proxy import completing

logger = logging.getLogger(__name__)


@shared_task
def work() -> bool:
    """The bell: run the most urgent job there is, if there is one."""
    return runner.work(keeper.current() or keeper.start(concurrency=1))


@worker_ready.connect
def _start_keeper(sender: Any, **kwargs: Any) -> None:
    queues = sender.app.amqp.queues.consume_from
    tracing.start("harbor-jobservice")
    job_types = [name.removeprefix(QUEUE_PREFIX) for name in queues if name.startswith(QUEUE_PREFIX)]
    keeper.start(sender.controller.concurrency, job_types)


@worker_shutting_down.connect
def _interrupt_jobs(**kwargs: Any) -> None:
    if (kept := keeper.current()) is not None:
        kept.interrupt()


@worker_shutdown.connect
def _close_keeper(**kwargs: Any) -> None:
    if (kept := keeper.current()) is not None:
        kept.close()


@beat_init.connect
def _start_clock(**kwargs: Any) -> None:
    clock.EACH_TICK.append(relay.run)
    clock.start()


@shared_task
def sweep_uploads() -> int:
    """Cancel upload sessions that nobody may continue any more. Returns how many."""
    swept = blobs.sweep_uploads(settings.UPLOAD_GRANT_HOURS)
    if swept:
        logger.info("cancelled %d abandoned uploads", swept)
    return swept


@shared_task
def sweep_oversized_uploads() -> int:
    """Cancel uploads that outgrew their project's limit while streaming. Returns how many."""
    swept = blobs.sweep_oversized()
    if swept:
        logger.warning("cancelled %d uploads that outgrew their project's limit", swept)
    return swept


@shared_task
def fold_quota() -> int:
    """Add up the usage of projects that have changes waiting, and once a day write down what each uses. Returns how
    many projects had changes."""
    folded = quota.fold_pending()
    storage_days.keep()
    return folded


@shared_task
def check_quota() -> int:
    """Compare accounts of storage with what is there, each project once a day. Returns how many were wrong."""
    return quota_checks.run()


@shared_task
def purge_trash() -> int:
    """Remove for good what has been in the trash for its time. Returns how many artifacts."""
    removed = trash.purge_expired()
    if removed:
        logger.info("removed %d artifacts from the trash for good", removed)
    return removed


@shared_task
def keep_tag_journal() -> int:
    """Write into storage which tag points where, if that changed: a lost database can be rebuilt with it. Returns the
    bytes it wrote."""
    return tag_journal.keep_if_changed()


@shared_task
def collect_garbage() -> int:
    """Keep the backlog of garbage collection small. Returns how many blobs went."""
    total = gc.continuous()
    if total is None or not (total.blobs or total.links or total.failed):
        return 0
    logger.info(
        "collected %d blobs (%d bytes) and %d links, storage refused %d",
        total.blobs, total.freed, total.links, total.failed,
    )  # fmt: skip
    return total.blobs


@shared_task
def clear_sessions() -> None:
    """Remove sessions that have ended."""
    SessionStore.clear_expired()


@shared_task
def check_registries() -> int:
    """Note which remote registries answer. Returns how many changed."""
    return registries.check_all()


@shared_task
def complete_proxy_caches() -> int:
    """Fetch what clients of proxy projects left out of images they pulled. Returns how many images are settled."""
    return completing.complete_due()

"""Pull statistics and audit rows, buffered per process and written in batches.

A pull writes nothing to the database in its request. What is buffered (FLUSH_SECONDS at most) is lost when the process
is killed, and written when it stops in order.
"""

import atexit
import logging
import os
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from harbor_core.models import AuditLog
from harbor_core.services.config import config_get
from projects.models import Artifact, Repository, Tag

logger = logging.getLogger(__name__)
FLUSH_SECONDS = 2.0
MAX_BUFFERED = 50_000


@dataclass(frozen=True, slots=True)
class Pull:
    project_id: int
    repository_id: int
    artifact_id: int
    tag_id: int | None
    username: str
    resource: str


_lock = threading.Lock()
_buffer: list[tuple[datetime, Pull]] = []
_wake = threading.Event()
_flusher_pid = 0


def note(pull: Pull) -> None:
    """Remember a pull; it is written within FLUSH_SECONDS."""
    global _flusher_pid
    with _lock:
        if len(_buffer) < MAX_BUFFERED:
            _buffer.append((timezone.now(), pull))
        if _flusher_pid != os.getpid():  # threads do not survive a fork
            _flusher_pid = os.getpid()
            threading.Thread(target=_run, name="pull-statistics", daemon=True).start()
            atexit.register(flush)
    _wake.set()


def _run() -> None:
    pause = threading.Event()
    while _wake.wait():
        _wake.clear()
        pause.wait(FLUSH_SECONDS)
        try:
            flush()
        except DatabaseError as exc:
            logger.warning("pull statistics could not be written, trying again: %s", exc)
            connection.close()
            _wake.set()


def flush() -> None:
    """Write what is buffered; on failure it stays buffered."""
    with _lock:
        batch = _buffer[:]
    if not batch:
        return
    _write(batch)
    with _lock:
        del _buffer[: len(batch)]


@transaction.atomic
def _write(batch: list[tuple[datetime, Pull]]) -> None:
    if not config_get("pull_count_update_disable"):
        for repository_id, count in sorted(Counter(pull.repository_id for _, pull in batch).items()):
            Repository.objects.filter(pk=repository_id).update(pull_count=F("pull_count") + count)
    if not config_get("pull_time_update_disable"):
        _move_times(batch)
    if not config_get("pull_audit_log_disable"):
        AuditLog.objects.bulk_create(
            [
                AuditLog(
                    project_id=pull.project_id,
                    username=pull.username,
                    resource_type="artifact",
                    resource=pull.resource,
                    operation="pull",
                    operation_description=f"pull artifact {pull.resource}",
                    op_time=when,
                )
                for when, pull in batch
            ],
            batch_size=500,
        )


def _move_times(batch: list[tuple[datetime, Pull]]) -> None:
    """Pull times only move forward; an index was pulled when its child was."""
    artifacts: dict[int, datetime] = {}
    tags: dict[int, datetime] = {}
    for when, pull in batch:
        artifacts[pull.artifact_id] = when
        if pull.tag_id is not None:
            tags[pull.tag_id] = when
    for pk, when in sorted(artifacts.items()):
        older = Q(pull_time__isnull=True) | Q(pull_time__lt=when)
        Artifact.objects.filter(older, Q(pk=pk) | Q(references__child_id=pk)).update(pull_time=when)
    for pk, when in sorted(tags.items()):
        Tag.objects.filter(Q(pull_time__isnull=True) | Q(pull_time__lt=when), pk=pk).update(pull_time=when)

"""Pull statistics and audit rows, buffered per process and written in batches.

A pull writes nothing to the database in its request. What is buffered (FLUSH_SECONDS at most) is lost when the process
is killed, and written when it stops in order.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from harbor_core.lib import logs
from harbor_core.lib.flusher import Flusher
from harbor_core.models import AuditLog, Event
from harbor_core.services import audit
from harbor_core.services.config import config_get
from projects.models import Artifact, Repository, Tag, WebhookPolicy

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
    address: str = field(default_factory=logs.client_address.get)


_lock = threading.Lock()
_buffer: list[tuple[datetime, Pull]] = []


def note(pull: Pull) -> None:
    """Remember a pull; it is written within FLUSH_SECONDS."""
    with _lock:
        if len(_buffer) < MAX_BUFFERED:
            _buffer.append((timezone.now(), pull))
    _flusher.wake()


def flush() -> None:
    """Write what is buffered; on failure it stays buffered."""
    with _lock:
        batch = _buffer[:]
    if not batch:
        return
    _write(batch)
    with _lock:
        del _buffer[: len(batch)]


_flusher = Flusher("pull statistics", FLUSH_SECONDS, flush)


@transaction.atomic
def _write(batch: list[tuple[datetime, Pull]]) -> None:
    if not config_get("pull_count_update_disable"):
        for repository_id, count in sorted(Counter(pull.repository_id for _, pull in batch).items()):
            Repository.objects.filter(pk=repository_id).update(pull_count=F("pull_count") + count)
    if not config_get("pull_time_update_disable"):
        _move_times(batch)
    if audit.is_enabled("pull_artifact"):
        audit.write([_audit_row(when, pull) for when, pull in batch])
    _tell(batch)


def _tell(batch: list[tuple[datetime, Pull]]) -> None:
    """PULL_ARTIFACT into the outbox, for projects in which somebody wants to know: pulls are many."""
    projects = {pull.project_id for _, pull in batch}
    policies = WebhookPolicy.objects.filter(Q(project_id__in=projects) | Q(project=None), enabled=True)
    listening = {
        project for project, types in policies.values_list("project_id", "event_types") if "PULL_ARTIFACT" in types
    }
    everywhere = None in listening  # a policy of the system
    told = [(when, pull) for when, pull in batch if everywhere or pull.project_id in listening]
    if not told:
        return
    found = Artifact.objects.filter(pk__in={pull.artifact_id for _, pull in told})
    known = {
        pk: (digest, repository) for pk, digest, repository in found.values_list("pk", "digest", "repository__name")
    }
    Event.objects.bulk_create(
        [
            Event(
                type="PULL_ARTIFACT",
                project_id=pull.project_id,
                operator=pull.username,
                occurred_at=when,
                payload={"repository": repository, "digest": digest, "tag": _tag(pull, repository)},
            )
            for when, pull in told
            for digest, repository in [known.get(pull.artifact_id, ("", ""))]
            if digest  # else it was deleted since
        ],
        batch_size=500,
    )


def _tag(pull: Pull, repository: str) -> str:
    """Empty for a pull by digest."""
    return pull.resource.removeprefix(f"{repository}:") if pull.tag_id is not None else ""


def _audit_row(when: datetime, pull: Pull) -> AuditLog:
    return AuditLog(
        project_id=pull.project_id,
        username=pull.username,
        resource_type="artifact",
        resource=pull.resource,
        operation="pull",
        operation_description=f"pull artifact {pull.resource}",
        client_ip=pull.address[:64],
        op_time=when,
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

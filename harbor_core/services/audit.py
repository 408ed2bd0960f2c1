"""Write audit rows and outbox events; always called inside the transaction of the change they tell of.

:func:`record` is the only writer of single rows, :func:`write` of batches. Settings decide what becomes of them:
event types can be switched off, rows can be sent to a syslog server as well, or there only.
"""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from auth.actor import Actor
from harbor_core.lib import logs, tracing
from harbor_core.lib.text import storable
from harbor_core.models import AuditLog, Event
from harbor_core.services import audit_forward
from harbor_core.services.config import config_get

RESOURCE_MAX, USERNAME_MAX = 1024, 512
# Resource type -> operations on it. An event type is ``operation_resource``: create_project, login_user ...
_CHANGES = ("create", "update", "delete")
OPERATIONS: dict[str, tuple[str, ...]] = {
    "artifact": ("create", "pull", "delete", "copy", "restore"),
    "tag": (*_CHANGES, "restore"),
    "repository": _CHANGES,
    "label": _CHANGES,
    "artifact-label": ("create", "delete"),
    "trash": ("delete",),
    "project": _CHANGES,
    "metadata": _CHANGES,
    "member": _CHANGES,
    "immutable-tag-rule": _CHANGES,
    "tag-retention": (*_CHANGES, "start", "stop"),
    "webhook": (*_CHANGES, "start"),
    "cve-allowlist": ("update",),
    "quota": ("update",),
    "user": (*_CHANGES, "login", "logout"),
    "user-group": _CHANGES,
    "personal-token": ("create", "delete"),
    "robot": (*_CHANGES, "login"),
    "robot-trust": _CHANGES,
    "registry": _CHANGES,
    "replication-policy": _CHANGES,
    "replication": ("start", "stop", "compare"),
    "configuration": ("update",),
    "job": ("start", "stop"),
    "job-queue": ("stop", "pause", "resume"),
    "schedule": _CHANGES,
    "stored-content": ("adopt", "delete"),
    "upstream-tag": ("stale", "gone"),
}


def event_types() -> list[str]:
    """Every type of event there is, as ``disabled_audit_log_event_types`` names them."""
    return [f"{operation}_{resource}" for resource, operations in OPERATIONS.items() for operation in operations]


def is_enabled(event_type: str) -> bool:
    if event_type == "pull_artifact" and config_get("pull_audit_log_disable"):
        return False
    disabled = config_get("disabled_audit_log_event_types")
    return not disabled or event_type not in {name.strip() for name in disabled.split(",")}


def record(
    actor: Actor,
    operation: str,
    resource_type: str,
    resource: str,
    *,
    project_id: int | None = None,
    description: str = "",
    result: bool = True,
    always: bool = False,
) -> None:
    """Put on record what the actor did, or tried to do (``result`` False). ``always``: also where events of the type
    are switched off."""
    if not always and not is_enabled(f"{operation}_{resource_type}"):
        return
    row = AuditLog(
        username=storable(actor.name[:USERNAME_MAX]),
        operation=operation,
        resource_type=resource_type,
        resource=storable(resource[:RESOURCE_MAX]),
        project_id=project_id,
        operation_description=storable(description) or f"{operation} {resource_type} {storable(resource)}",
        operation_result=result,
        client_ip=logs.client_address.get()[:64],
    )
    write([row])


def write(rows: Sequence[AuditLog]) -> None:
    """Keep the rows, and send them on once the transaction is committed. They are kept also where the settings say
    that they are only sent, as long as nobody takes them."""
    endpoint = config_get("audit_log_forward_endpoint")
    if not endpoint or not config_get("skip_audit_log_database") or not audit_forward.is_delivering():
        AuditLog.objects.bulk_create(rows, batch_size=500)
    if endpoint:
        messages = [audit_forward.message(row, logs.request_id.get().strip("-")) for row in rows]
        transaction.on_commit(lambda: audit_forward.submit(endpoint, messages))


def emit(actor: Actor, event_type: str, *, project_id: int | None, **payload: Any) -> None:
    """Put an event (Harbor's names: PUSH_ARTIFACT, DELETE_ARTIFACT ...) into the outbox."""
    row = Event(type=event_type, project_id=project_id, payload=payload, operator=actor.name)
    row.traceparent = tracing.carried()
    row.save(force_insert=True)

"""Write audit rows and outbox events; always called inside the transaction of the change they tell of."""

from typing import Any

from auth.actor import Actor
from harbor_core.models import AuditLog, Event


def record(
    actor: Actor,
    operation: str,
    resource_type: str,
    resource: str,
    *,
    project_id: int | None = None,
    description: str = "",
    result: bool = True,
) -> None:
    AuditLog.objects.create(
        username=actor.name,
        operation=operation,
        resource_type=resource_type,
        resource=resource[:1024],
        project_id=project_id,
        operation_description=description or f"{operation} {resource_type} {resource}",
        operation_result=result,
    )


def emit(actor: Actor, event_type: str, *, project_id: int | None, **payload: Any) -> None:
    """Put an event (Harbor's names: PUSH_ARTIFACT, DELETE_ARTIFACT ...) into the outbox."""
    Event.objects.create(type=event_type, project_id=project_id, payload=payload, operator=actor.name)

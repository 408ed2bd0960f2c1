"""Deliveries that somebody asks for: a try, and once more what was told before."""

from django.db import transaction
from django.utils import timezone

from auth.actor import Actor
from harbor_core.lib.errors import HarborError
from harbor_core.models import Event
from jobservice import dispatch
from jobservice.models import Execution, Task
from jobservice.services import control
from jobservice.states import Status, Trigger
from projects.models import WebhookPolicy
from projects.selectors.webhooks import target_of
from projects.services import webhook_events
from projects.services.webhooks import note


@transaction.atomic
def ping(actor: Actor, policy: WebhookPolicy) -> list[Execution]:
    """Post a ``PING`` to every target, by the same jobs, bodies and signatures as events, also while the policy is
    disabled. Returns an execution per target."""
    # Not for the relay: it is handed over already.
    event = Event.objects.create(
        type=webhook_events.PING,
        project_id=policy.project_id,
        payload={},
        operator=actor.name,
        delivered_at=timezone.now(),
    )
    data = {"webhook": {"id": policy.pk, "name": policy.name, "event_types": policy.event_types}}
    made = webhook_events.post(event, policy, data, Trigger.MANUAL)
    note(actor, "start", policy)
    return made


@transaction.atomic
def redeliver(actor: Actor, policy: WebhookPolicy, delivery: Execution) -> Execution:
    """Post the same body with the same id once more, at once and with all attempts anew. What of the first delivery
    waits for another attempt is stopped, or the receiver would be told twice. Raises PRECONDITION when the policy does
    not have the target any more."""
    task = Task.objects.filter(execution=delivery).order_by("pk").first()
    if task is None or target_of(policy, task) is None:
        raise HarborError("PRECONDITION", "the webhook policy does not have this target any more")
    control.stop(Task.objects.filter(execution=delivery, status__in=(Status.PENDING, Status.SCHEDULED)))
    attrs = {name: delivery.extra_attrs[name] for name in ("event_type", "payload")}
    made = dispatch.submit(
        delivery.vendor_type,
        vendor_id=policy.pk,
        trigger=Trigger.MANUAL,
        operator=actor.name,
        parameters=task.parameters,
        extra_attrs=attrs | {"redelivery_of": delivery.pk},
    )
    note(actor, "start", policy)
    return made

"""Jobs of the whole system that administrators schedule or start: garbage collection, purging, scanning everything."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from auth.actor import Actor
from harbor_core.services import audit
from jobservice import dispatch
from jobservice.models import Execution
from jobservice.services import control, schedules
from jobservice.states import Trigger

MANUAL, NONE = "Manual", "None"


@transaction.atomic
def start(actor: Actor, job_type: str, parameters: Mapping[str, Any]) -> Execution:
    """Run it now, with one task."""
    execution = dispatch.submit(
        job_type,
        trigger=Trigger.MANUAL,
        parameters=parameters,
        extra_attrs=parameters,
        operator=actor.name,
    )
    audit.record(actor, "start", "job", job_type)
    return execution


@transaction.atomic
def set_schedule(actor: Actor, job_type: str, cron_type: str, cron: str, parameters: Mapping[str, Any]) -> None:
    """Set, replace, or (type ``None``) remove the schedule. Raises BAD_REQUEST."""
    if cron_type == NONE:
        schedules.remove(job_type)
        audit.record(actor, "delete", "schedule", job_type)
    else:
        schedules.put(job_type, cron=cron, cron_type=cron_type, parameters=parameters, operator=actor.name)
        audit.record(actor, "update", "schedule", job_type)


@transaction.atomic
def stop(actor: Actor, execution: Execution) -> None:
    """Stop what is open of it."""
    if control.stop_execution(execution.pk):
        audit.record(actor, "stop", "job", f"{execution.vendor_type} {execution.pk}")

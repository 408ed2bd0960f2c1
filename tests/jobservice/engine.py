"""What tests of the engine ask and change."""

from datetime import timedelta

from django.utils import timezone

from jobservice.models import Execution, Task
from jobservice.states import Status

COUNTERS = [status.counter for status in Status]


def counters(execution: Execution) -> dict[str, int]:
    execution.refresh_from_db()
    return {name: value for name in COUNTERS if (value := getattr(execution, name))}


def counted(execution: Execution) -> dict[str, int]:
    """The same, from the tasks themselves."""
    found: dict[str, int] = {}
    for status in execution.tasks.values_list("status", flat=True):
        found[Status(status).counter] = found.get(Status(status).counter, 0) + 1
    return found


def only_task() -> Task:
    return Task.objects.select_related("execution").get()


def age(**changes: object) -> None:
    """Make leases run out, or the time of scheduled tasks come."""
    Task.objects.update(**changes)


PAST = timezone.now() - timedelta(hours=1)

"""The states of tasks and executions, and the moves between them. Names are the contract's (2.16)."""

from django.db import models


class Status(models.TextChoices):
    """``Scheduled`` waits for its time (a retry, a delay), ``Pending`` for a worker."""

    PENDING = "Pending"
    SCHEDULED = "Scheduled"
    RUNNING = "Running"
    SUCCESS = "Success"
    ERROR = "Error"
    STOPPED = "Stopped"

    @property
    def counter(self) -> str:
        """The execution's column that counts its tasks in this state."""
        return self.value.lower()


class Trigger(models.TextChoices):
    MANUAL = "MANUAL"
    SCHEDULE = "SCHEDULE"
    EVENT = "EVENT"


FINAL = (Status.SUCCESS, Status.ERROR, Status.STOPPED)
OPEN = (Status.PENDING, Status.SCHEDULED, Status.RUNNING)
# Running goes back to Pending when its worker died or stops, to Scheduled for another try later.
MOVES: dict[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.RUNNING, Status.STOPPED}),
    Status.SCHEDULED: frozenset({Status.PENDING, Status.STOPPED}),
    Status.RUNNING: frozenset({Status.PENDING, Status.SCHEDULED, *FINAL}),
    Status.SUCCESS: frozenset(),
    Status.ERROR: frozenset(),
    Status.STOPPED: frozenset(),
}
SYSTEM = -1  # vendor_id of the system's own jobs
SCHEDULER = "SCHEDULER"  # the queue whose pause holds every schedule

from django.db import models
from django.utils import timezone


class JobQueue(models.Model):
    """What an operator decided about a job type. The row is also the lock under which a type's limit is counted."""

    job_type = models.CharField(max_length=32, primary_key=True)
    paused = models.BooleanField(default=False)
    update_time = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.job_type


class WorkerPool(models.Model):
    """A worker process: it writes ``heartbeat_at`` while it lives and removes its row when it stops in order."""

    id = models.CharField(max_length=64, primary_key=True)
    host = models.CharField(max_length=255)
    pid = models.IntegerField()
    concurrency = models.IntegerField()
    start_at = models.DateTimeField(default=timezone.now)
    heartbeat_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.id


class JobTotal(models.Model):
    """How many tasks of a type ever ended in a state, and for how many seconds they ran: grows only, for metrics."""

    job_type = models.CharField(max_length=32)
    status = models.CharField(max_length=16)
    tasks = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job_type", "status"], name="job_total_once")]

    def __str__(self) -> str:
        return f"{self.tasks} {self.job_type} {self.status}"

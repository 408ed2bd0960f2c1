from django.db import models
from django.utils import timezone

from harbor_core.lib import tracing
from jobservice.models.schedule import Schedule
from jobservice.states import SYSTEM, Status, Trigger


class Execution(models.Model):
    """One run of something: a garbage collection, a retention run, the delivery of an event. Holds one or more tasks.

    ``vendor_type`` is the job type that names the run, ``vendor_id`` the policy (or whatever the type says) behind it.
    The six counters count its tasks by state, exactly, and ``status`` follows from them: Running while any task is
    open, then Error if any failed, Stopped if any was stopped, else Success.
    Only jobservice.services.transitions and jobservice.dispatch write counters and status.
    """

    vendor_type = models.CharField(max_length=32)
    vendor_id = models.BigIntegerField(default=SYSTEM)
    trigger = models.CharField(max_length=16, choices=Trigger.choices, default=Trigger.MANUAL)
    operator = models.CharField(max_length=512, blank=True)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.RUNNING)
    status_message = models.TextField(blank=True)
    extra_attrs = models.JSONField(default=dict)
    # A fire time of a schedule starts one execution, however many clocks see it come.
    schedule = models.ForeignKey(
        Schedule, null=True, on_delete=models.SET_NULL, related_name="executions", db_index=False
    )
    fire_time = models.DateTimeField(null=True)
    pending = models.IntegerField(default=0)
    scheduled = models.IntegerField(default=0)
    running = models.IntegerField(default=0)
    success = models.IntegerField(default=0)
    error = models.IntegerField(default=0)
    stopped = models.IntegerField(default=0)
    start_time = models.DateTimeField(default=timezone.now)
    update_time = models.DateTimeField(default=timezone.now)
    end_time = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["schedule", "fire_time"], name="execution_fire_time_once")]
        indexes = [
            models.Index(fields=["vendor_type", "vendor_id", "-start_time", "-id"], name="execution_vendor"),
            models.Index(fields=["vendor_type", "-start_time", "-id"], name="execution_type"),
        ]

    def __str__(self) -> str:
        return f"{self.vendor_type} {self.pk}"


class Task(models.Model):
    """One piece of work for one worker, and its state machine (jobservice.states.MOVES).

    A worker owns a Running task while ``lease_until`` (the database's clock) lies ahead and ``run_count`` is what it
    was when it took the task: every start counts ``run_count`` up, so whoever lost the task cannot write to it.
    ``failures`` counts runs that failed and may be tried again, ``lost`` runs whose worker went away.
    Progress: items done and in total, bytes moved, and both per second.
    ``traceparent`` is the trace (W3C) of what caused it, empty while none is kept.
    """

    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="tasks", db_index=False)
    job_type = models.CharField(max_length=32)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    status_message = models.TextField(blank=True)
    parameters = models.JSONField(default=dict)
    extra_attrs = models.JSONField(default=dict)
    priority = models.SmallIntegerField(default=0)  # lower first
    run_count = models.IntegerField(default=0)
    failures = models.SmallIntegerField(default=0)
    lost = models.SmallIntegerField(default=0)
    worker = models.CharField(max_length=64, blank=True)  # WorkerPool.id
    lease_until = models.DateTimeField(null=True)
    stop_requested = models.BooleanField(default=False)
    queued_at = models.DateTimeField(default=timezone.now)  # Pending since
    due_at = models.DateTimeField(null=True)  # Scheduled until
    traceparent = models.CharField(max_length=tracing.TRACEPARENT_MAX, blank=True, default="", db_default="")
    spawned = models.BooleanField(default=False)  # it has added its tasks to the execution
    has_log = models.BooleanField(default=False)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    rate = models.FloatField(default=0)
    byte_rate = models.FloatField(default=0)
    creation_time = models.DateTimeField(default=timezone.now)
    update_time = models.DateTimeField(default=timezone.now)
    start_time = models.DateTimeField(null=True)
    end_time = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["execution", "id"], name="task_listing"),
            models.Index(fields=["job_type", "priority", "id"], name="task_head", condition=models.Q(status="Pending")),
            models.Index(fields=["job_type", "queued_at"], name="task_queue", condition=models.Q(status="Pending")),
            models.Index(fields=["due_at"], name="task_due", condition=models.Q(status="Scheduled")),
            models.Index(fields=["job_type", "lease_until"], name="task_running", condition=models.Q(status="Running")),
            models.Index(fields=["end_time"], name="task_logs", condition=models.Q(has_log=True)),
            models.Index(
                fields=["id"],
                name="task_stopping",
                condition=models.Q(stop_requested=True, status__in=["Pending", "Scheduled"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.job_type} {self.pk}"

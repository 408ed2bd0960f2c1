from django.db import models
from django.utils import timezone

from jobservice.states import SYSTEM


class Schedule(models.Model):
    """Start a job at the times of a cron expression (jobservice.cron; UTC). One per job type and vendor id.

    ``next_time`` is the fire time that comes next, None when there is none within five years. ``cron_type`` is what
    the client called it (Hourly, Daily, Weekly, Custom), ``parameters`` become the task's.
    """

    vendor_type = models.CharField(max_length=32)
    vendor_id = models.BigIntegerField(default=SYSTEM)
    cron = models.CharField(max_length=255)
    cron_type = models.CharField(max_length=16, default="Custom")
    parameters = models.JSONField(default=dict)
    operator = models.CharField(max_length=512, blank=True)
    next_time = models.DateTimeField(null=True)
    last_time = models.DateTimeField(null=True)
    creation_time = models.DateTimeField(default=timezone.now)
    update_time = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["vendor_type", "vendor_id"], name="schedule_once")]
        indexes = [models.Index(fields=["next_time"], name="schedule_due")]

    def __str__(self) -> str:
        return f"{self.vendor_type} {self.vendor_id} at {self.cron}"

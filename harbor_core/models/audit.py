from django.db import models
from django.utils import timezone

from harbor_core.lib import tracing


class AuditLog(models.Model):
    """Who did what, written in the transaction of the change (pulls: in batches)."""

    project_id = models.BigIntegerField(null=True)
    username = models.CharField(max_length=512)
    resource_type = models.CharField(max_length=64)
    resource = models.CharField(max_length=1024)
    operation = models.CharField(max_length=64)
    operation_description = models.TextField(blank=True)
    operation_result = models.BooleanField(default=True)
    client_ip = models.CharField(max_length=64, blank=True)
    op_time = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["-op_time", "-id"], name="audit_time"),
            models.Index(fields=["project_id", "-op_time", "-id"], name="audit_project_time"),
            models.Index(fields=["username", "-op_time", "-id"], name="audit_user_time"),
        ]

    def __str__(self) -> str:
        return f"{self.username} {self.operation} {self.resource}"


class Event(models.Model):
    """Outbox: what happened, written in the transaction of the change and delivered from here, at least once. What
    comes of it goes on with the trace of ``traceparent``."""

    type = models.CharField(max_length=64)
    project_id = models.BigIntegerField(null=True)
    payload = models.JSONField()
    operator = models.CharField(max_length=512)
    occurred_at = models.DateTimeField(default=timezone.now)
    delivered_at = models.DateTimeField(null=True)
    traceparent = models.CharField(max_length=tracing.TRACEPARENT_MAX, blank=True, default="", db_default="")

    class Meta:
        indexes = [
            models.Index(fields=["id"], name="event_pending", condition=models.Q(delivered_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.pk}"

from datetime import datetime

from django.db import models
from django.utils import timezone


class Robot(models.Model):
    """An account for machines. ``name`` is short (``ci``); the login name adds the configured prefix and the project.

    The secret is long and random, so one keyed SHA-256 of it is kept (auth.credentials.secret_digest).
    """

    class Level(models.TextChoices):
        SYSTEM = "system"
        PROJECT = "project"

    name = models.CharField(max_length=255)
    level = models.CharField(max_length=16, choices=Level.choices)
    project = models.ForeignKey("harbor_projects.Project", null=True, on_delete=models.CASCADE, related_name="robots")
    description = models.CharField(max_length=1024, blank=True)
    secret_digest = models.CharField(max_length=64)
    # The secret before the last refresh goes on working until then, so that clients can be moved one by one.
    previous_secret_digest = models.CharField(max_length=64, blank=True, db_default="", default="")
    previous_secret_until = models.DateTimeField(null=True)
    duration = models.IntegerField(default=-1)  # days, -1: never expires
    expires_at = models.DateTimeField(null=True)  # None: never
    disabled = models.BooleanField(default=False)
    visible = models.BooleanField(default=True)
    creator_type = models.CharField(max_length=16, default="local")
    creator_ref = models.BigIntegerField(default=0)
    last_used_at = models.DateTimeField(null=True)
    creation_time = models.DateTimeField(default=timezone.now)
    update_time = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(project__isnull=True), name="robot_system_name"
            ),
            models.UniqueConstraint(fields=["project", "name"], name="robot_project_name"),
        ]

    def __str__(self) -> str:
        return self.name

    def live_digests(self, now: datetime) -> list[str]:
        """Of the secrets that work: the current one, and the one before until its time is over."""
        until = self.previous_secret_until
        previous = bool(self.previous_secret_digest) and until is not None and until > now
        return [self.secret_digest, self.previous_secret_digest] if previous else [self.secret_digest]


class RobotPermission(models.Model):
    """One grant. ``project`` is set for kind ``project`` with a named namespace; None means ``/`` or ``*``."""

    class Kind(models.TextChoices):
        SYSTEM = "system"
        PROJECT = "project"

    robot = models.ForeignKey(Robot, on_delete=models.CASCADE, related_name="permissions")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    project = models.ForeignKey("harbor_projects.Project", null=True, on_delete=models.CASCADE)
    resource = models.CharField(max_length=64)
    action = models.CharField(max_length=32)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["robot", "kind", "project", "resource", "action"], name="robot_permission_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.resource}:{self.action}"

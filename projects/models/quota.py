from django.db import models
from django.utils import timezone

UNLIMITED = -1


class Quota(models.Model):
    """Storage of a project in bytes. True usage is ``used`` plus the project's deltas (projects.services.quota).

    ``warned_at`` and ``exceeded_at`` are when the last event of the kind went out: one a minute is enough.
    ``drift`` and ``miscounted`` are what the last check (``checked_at``) found: bytes accounted beyond what artifacts
    name, below zero for too few, and blobs with a wrong number of references. Both are 0 unless something is broken.
    """

    project = models.OneToOneField("harbor_projects.Project", on_delete=models.CASCADE, related_name="quota")
    hard = models.BigIntegerField(default=UNLIMITED)
    used = models.BigIntegerField(default=0)
    creation_time = models.DateTimeField(default=timezone.now)
    update_time = models.DateTimeField(auto_now=True)
    warned_at = models.DateTimeField(null=True)
    exceeded_at = models.DateTimeField(null=True)
    drift = models.BigIntegerField(null=True)
    miscounted = models.BigIntegerField(null=True)
    checked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.used} of {self.hard}"


class QuotaDelta(models.Model):
    """A change of usage in a project without a limit: appended instead of updating one hot row, folded later."""

    project = models.ForeignKey("harbor_projects.Project", on_delete=models.CASCADE, related_name="quota_deltas")
    size = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.size:+d}"


class StorageDay(models.Model):
    """What a project used when the day (UTC) began, in bytes: for charts (projects.services.storage_days)."""

    project = models.ForeignKey("harbor_projects.Project", on_delete=models.CASCADE, related_name="storage_days")
    day = models.DateField()
    used = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "day"], name="storage_day_once")]
        indexes = [models.Index(fields=["day"], name="storage_day")]

    def __str__(self) -> str:
        return f"{self.used} on {self.day}"

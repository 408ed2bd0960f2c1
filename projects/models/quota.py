from django.db import models
from django.utils import timezone

UNLIMITED = -1


class Quota(models.Model):
    """Storage of a project in bytes. True usage is ``used`` plus the project's deltas (projects.services.quota)."""

    project = models.OneToOneField("harbor_projects.Project", on_delete=models.CASCADE, related_name="quota")
    hard = models.BigIntegerField(default=UNLIMITED)
    used = models.BigIntegerField(default=0)
    creation_time = models.DateTimeField(default=timezone.now)
    update_time = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.used} of {self.hard}"


class QuotaDelta(models.Model):
    """A change of usage in a project without a limit: appended instead of updating one hot row, folded later."""

    project = models.ForeignKey("harbor_projects.Project", on_delete=models.CASCADE, related_name="quota_deltas")
    size = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.size:+d}"

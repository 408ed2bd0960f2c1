from django.db import models
from django.utils import timezone


class Repository(models.Model):
    """``name`` is the full name, ``library/app``. ``revision`` grows with every change of the content, so that
    derived figures (counts) can be cached under it."""

    project = models.ForeignKey("harbor_projects.Project", on_delete=models.PROTECT, related_name="repositories")
    name = models.CharField(max_length=255, unique=True)
    description = models.TextField(blank=True)
    pull_count = models.BigIntegerField(default=0)
    revision = models.BigIntegerField(default=0)
    creation_time = models.DateTimeField(default=timezone.now)
    update_time = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["project", "-creation_time", "-id"], name="repository_project_time"),
            models.Index(fields=["project", "name"], name="repository_project_name"),
        ]

    def __str__(self) -> str:
        return self.name

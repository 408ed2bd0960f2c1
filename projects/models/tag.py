from django.db import models
from django.utils import timezone


class Tag(models.Model):
    repository = models.ForeignKey("harbor_projects.Repository", on_delete=models.CASCADE, related_name="tags")
    artifact = models.ForeignKey("harbor_projects.Artifact", on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(max_length=128)
    push_time = models.DateTimeField(default=timezone.now)
    pull_time = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repository", "name"], name="tag_once")]
        indexes = [
            models.Index(fields=["artifact", "-push_time", "-id"], name="tag_artifact"),
            models.Index(fields=["repository", "-push_time", "-id"], name="tag_listing"),
        ]

    def __str__(self) -> str:
        return self.name


class TagEvent(models.Model):
    """History of a tag: who moved it from where to where. Survives the tag and the artifact."""

    class Operation(models.TextChoices):
        CREATE = "create"
        MOVE = "move"
        DELETE = "delete"

    repository = models.ForeignKey("harbor_projects.Repository", on_delete=models.CASCADE, related_name="tag_events")
    name = models.CharField(max_length=128)
    operation = models.CharField(max_length=8, choices=Operation.choices)
    old_digest = models.CharField(max_length=71, blank=True)
    new_digest = models.CharField(max_length=71, blank=True)
    operator = models.CharField(max_length=512)
    occurred_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["repository", "name", "-id"], name="tag_event_history"),
            models.Index(
                fields=["repository", "-id"], name="tag_event_deleted", condition=models.Q(operation="delete")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.name}"

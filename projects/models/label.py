from django.db import models
from django.utils import timezone


class Label(models.Model):
    """A name and a colour for artifacts: of one project, or of all when ``project`` is None."""

    name = models.CharField(max_length=128)
    description = models.TextField(blank=True)
    color = models.CharField(max_length=16, blank=True)
    project = models.ForeignKey("harbor_projects.Project", null=True, on_delete=models.CASCADE, related_name="labels")
    creation_time = models.DateTimeField(default=timezone.now)
    update_time = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="label_project_name"),
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(project__isnull=True), name="label_global_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ArtifactLabel(models.Model):
    artifact = models.ForeignKey("harbor_projects.Artifact", on_delete=models.CASCADE, related_name="labels")
    label = models.ForeignKey(Label, on_delete=models.CASCADE, related_name="artifacts")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["artifact", "label"], name="artifact_label_once")]

    def __str__(self) -> str:
        return f"{self.label_id} on {self.artifact_id}"

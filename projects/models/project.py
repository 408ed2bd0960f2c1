from django.conf import settings
from django.db import models
from django.utils import timezone


class Project(models.Model):
    """A namespace with members, policies and a quota.

    A deleted project keeps its row under ``name#id`` so that the name is free; a token issued before the creation
    time of the project that now bears the name is refused.
    """

    name = models.CharField(max_length=300, unique=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="owned_projects")
    public = models.BooleanField(default=False)
    metadata = models.JSONField(default=dict)  # every other metadata key -> string value (Harbor's metadata API)
    registry_id = models.BigIntegerField(null=True)  # remote endpoint of a proxy-cache project
    deleted = models.BooleanField(default=False)
    creation_time = models.DateTimeField(default=timezone.now)
    update_time = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["deleted", "name"], name="project_live_name")]

    def __str__(self) -> str:
        return self.name

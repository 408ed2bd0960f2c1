from django.db import models

from projects.models.project import Project


class MirrorName(models.Model):
    """A name under which a proxy project stands in for another registry: a host name that leads here, or what
    containerd sends as ``ns``. The project's metadata ``proxy_mirror_names`` say the same; here each is there once."""

    name = models.CharField(max_length=260, primary_key=True)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="mirror_names")

    def __str__(self) -> str:
        return self.name

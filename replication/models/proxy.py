from django.db import models
from django.utils import timezone


class UpstreamTag(models.Model):
    """What the upstream of a proxy project last said about a tag, here under its full repository name.

    ``stale_since``: since when it could not be asked (``reason``) and the copy is served instead. ``gone_since``: since
    when it says that the tag does not exist.
    """

    project = models.ForeignKey("harbor_projects.Project", on_delete=models.CASCADE, related_name="upstream_tags")
    repository_name = models.CharField(max_length=255)
    name = models.CharField(max_length=128)
    digest = models.CharField(max_length=71)
    checked_at = models.DateTimeField(default=timezone.now)
    stale_since = models.DateTimeField(null=True)
    gone_since = models.DateTimeField(null=True)
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "repository_name", "name"], name="upstream_tag_once")]
        indexes = [models.Index(fields=["repository_name", "digest"], name="upstream_tag_digest")]

    def __str__(self) -> str:
        return f"{self.repository_name}:{self.name}"


class PendingManifest(models.Model):
    """A manifest from upstream some of whose blobs are not here yet: it is served, and becomes an artifact when the
    last of them has come. ``pulls`` counts until then; ``next_try`` is when what nobody asked for is fetched."""

    project = models.ForeignKey("harbor_projects.Project", on_delete=models.CASCADE, related_name="pending_manifests")
    repository_name = models.CharField(max_length=255)
    digest = models.CharField(max_length=71)
    media_type = models.CharField(max_length=255)
    content = models.BinaryField()
    username = models.CharField(max_length=512)  # who pulled it last
    pulls = models.IntegerField(default=0)
    failures = models.IntegerField(default=0)
    next_try = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "repository_name", "digest"], name="pending_manifest_once")
        ]
        indexes = [models.Index(fields=["next_try"], name="pending_manifest_due")]

    def __str__(self) -> str:
        return f"{self.repository_name}@{self.digest}"


class Flight(models.Model):
    """Something is being fetched from upstream: the one who does it, whom the others wait for. It ends with
    ``expires_at`` unless it is renewed. ``upload`` is the session a blob of ``size`` bytes is stored through."""

    key = models.CharField(max_length=64, primary_key=True)
    owner = models.UUIDField()
    project = models.ForeignKey("harbor_projects.Project", on_delete=models.CASCADE, related_name="+")
    expires_at = models.DateTimeField()
    upload = models.CharField(max_length=36, blank=True)
    size = models.BigIntegerField(null=True)

    def __str__(self) -> str:
        return self.key

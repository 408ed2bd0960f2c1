from django.db import models
from django.utils import timezone


class TrashedArtifact(models.Model):
    """A deleted artifact that can be restored until ``expires_at``.

    Its blobs (TrashedBlob) stay in storage for as long as the row is there; they no longer count towards the quota.
    ``root`` is the artifact whose deletion took this one along (an accessory, a child of an index).
    ``sparse``: an index some of whose children a platform filter had left out.
    """

    project = models.ForeignKey("harbor_projects.Project", on_delete=models.CASCADE, related_name="trash")
    repository_name = models.CharField(max_length=255)
    root = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="companions")
    digest = models.CharField(max_length=71)
    type = models.CharField(max_length=64)
    manifest_media_type = models.CharField(max_length=255)
    manifest = models.BinaryField()
    size = models.BigIntegerField()
    tags = models.JSONField(default=list)
    labels = models.JSONField(default=list)  # label ids
    push_time = models.DateTimeField()
    pull_time = models.DateTimeField(null=True)
    sparse = models.BooleanField(db_default=False, default=False)
    operator = models.CharField(max_length=512)
    deleted_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["project", "-deleted_at", "-id"], name="trash_listing"),
            models.Index(fields=["repository_name", "digest"], name="trash_digest"),
            models.Index(fields=["expires_at"], name="trash_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.repository_name}@{self.digest}"


class TrashedBlob(models.Model):
    """The trashed artifact names the blob: a reference for garbage collection, not for the quota."""

    trashed = models.ForeignKey(TrashedArtifact, on_delete=models.CASCADE, related_name="blobs")
    blob = models.ForeignKey("harbor_projects.Blob", on_delete=models.PROTECT, related_name="trashed")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trashed", "blob"], name="trashed_blob_once")]

    def __str__(self) -> str:
        return f"{self.blob_id} of {self.trashed_id}"

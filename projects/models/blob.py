import uuid

from django.db import models
from django.utils import timezone


class Blob(models.Model):
    """A digest this registry knows: layer, config or manifest.

    The row is written before the bytes can exist, so ``size`` is None until a manifest named the blob and storage
    was asked. ``touched_at`` says when a client was last told that it exists (garbage collection waits for it).
    """

    class State(models.TextChoices):
        LIVE = "live"
        DELETING = "deleting"

    digest = models.CharField(max_length=71, unique=True)
    size = models.BigIntegerField(null=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.LIVE)
    touched_at = models.DateTimeField(default=timezone.now)
    # What could not be deleted is left alone until then.
    parked_until = models.DateTimeField(null=True)
    delete_failures = models.IntegerField(db_default=0, default=0)
    delete_error = models.CharField(max_length=512, blank=True, db_default="", default="")

    class Meta:
        indexes = [
            models.Index(fields=["state", "touched_at"], name="blob_touched"),
            models.Index(fields=["id"], name="blob_parked", condition=~models.Q(delete_error="")),
        ]

    def __str__(self) -> str:
        return self.digest


class RepositoryBlob(models.Model):
    """The blob is linked into this repository's tree in storage (or may be, any moment now).

    Keyed by name, because uploads come before the repository exists: it is created by the first manifest.
    ``is_manifest``: as a manifest too, which has a link of another kind.
    """

    repository_name = models.CharField(max_length=255)
    blob = models.ForeignKey(Blob, on_delete=models.CASCADE, related_name="links")
    is_manifest = models.BooleanField(db_default=False, default=False)
    touched_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repository_name", "blob"], name="repository_blob_once")]

    def __str__(self) -> str:
        return f"{self.blob_id} in {self.repository_name}"


class ArtifactBlob(models.Model):
    """The artifact names the blob (its own manifest included)."""

    artifact = models.ForeignKey("harbor_projects.Artifact", on_delete=models.CASCADE, related_name="blobs")
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="artifacts")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["artifact", "blob"], name="artifact_blob_once")]

    def __str__(self) -> str:
        return f"{self.blob_id} of {self.artifact_id}"


class ProjectBlob(models.Model):
    """``refs`` artifacts of the project name the blob; it counts once towards the project's quota."""

    project = models.ForeignKey("harbor_projects.Project", on_delete=models.CASCADE)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="projects")
    refs = models.IntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "blob"], name="project_blob_once")]

    def __str__(self) -> str:
        return f"{self.blob_id} in project {self.project_id}"


class Upload(models.Model):
    """An upload session and the grant it was opened with: PATCH and PUT are accepted past the token's expiry, until
    ``granted_until``, for the subject that opened it. ``reserved`` bytes count against the quota until a manifest names
    what was uploaded, or the session is swept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    project = models.ForeignKey("harbor_projects.Project", on_delete=models.CASCADE)
    repository_name = models.CharField(max_length=255)
    subject = models.CharField(max_length=64)  # auth.actor.Actor.key
    reserved = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=71, blank=True)  # once the client asked for the commit
    granted_until = models.DateTimeField()
    last_activity = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["last_activity"], name="upload_activity"),
            models.Index(fields=["project"], name="upload_project"),
            models.Index(fields=["repository_name", "digest"], name="upload_digest"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class CollectionDay(models.Model):
    """What garbage collection removed on a day (UTC), by runs and by itself: for charts. ``seconds`` it was at work."""

    day = models.DateField(unique=True)
    blobs = models.BigIntegerField(default=0)
    freed = models.BigIntegerField(default=0)  # bytes
    refused = models.BigIntegerField(default=0)  # by storage
    seconds = models.FloatField(default=0)

    def __str__(self) -> str:
        return f"{self.freed} on {self.day}"

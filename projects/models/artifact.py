from django.db import models
from django.utils import timezone


class Artifact(models.Model):
    """A manifest in a repository.

    ``listed`` is derived (projects.services.visibility): an artifact shows in listings when it has a tag or is no
    child of an index, and is no accessory: a signature shows with what it signs, also where it has a tag. ``size`` is
    manifest + config + layers; an index adds its children.
    """

    project = models.ForeignKey("harbor_projects.Project", on_delete=models.PROTECT)
    repository = models.ForeignKey("harbor_projects.Repository", on_delete=models.CASCADE, related_name="artifacts")
    digest = models.CharField(max_length=71)
    type = models.CharField(max_length=64)
    media_type = models.CharField(max_length=255)  # of the config; of the manifest itself for an index
    manifest_media_type = models.CharField(max_length=255)
    artifact_type = models.CharField(max_length=255)
    size = models.BigIntegerField()
    manifest = models.BinaryField()
    subject_digest = models.CharField(max_length=71, blank=True)
    annotations = models.JSONField(default=dict)
    extra_attrs = models.JSONField(default=dict)
    icon = models.CharField(max_length=71, blank=True, db_default="", default="")  # a layer's digest
    listed = models.BooleanField(default=True)
    push_time = models.DateTimeField(default=timezone.now)
    pull_time = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repository", "digest"], name="artifact_once")]
        indexes = [
            models.Index(fields=["repository", "listed", "-push_time", "-id"], name="artifact_listing"),
            models.Index(fields=["project", "listed", "-push_time", "-id"], name="artifact_project_listing"),
            models.Index(fields=["digest"], name="artifact_digest"),
            models.Index(fields=["icon"], name="artifact_icon", condition=~models.Q(icon="")),
            models.Index(
                fields=["repository", "subject_digest", "id"],
                name="artifact_referrers",
                condition=~models.Q(subject_digest=""),
            ),
        ]

    def __str__(self) -> str:
        return self.digest


class ArtifactReference(models.Model):
    """An entry of an index. ``child`` is None when a proxy cache or a platform filter (``left_out``) has not got it."""

    parent = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="references")
    child = models.ForeignKey(Artifact, null=True, on_delete=models.PROTECT, related_name="parents")
    child_digest = models.CharField(max_length=71)
    position = models.IntegerField()
    platform = models.JSONField(default=dict)
    annotations = models.JSONField(default=dict)
    urls = models.JSONField(default=list)
    left_out = models.BooleanField(db_default=False, default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["parent", "position"], name="reference_position")]
        indexes = [
            models.Index(fields=["child_digest"], name="reference_child_digest"),
            models.Index(fields=["parent"], name="reference_left_out", condition=models.Q(left_out=True)),
        ]

    def __str__(self) -> str:
        return f"{self.parent_id} -> {self.child_digest}"


class Accessory(models.Model):
    """An artifact that belongs to another one: a signature, an SBOM, any manifest with a ``subject``.

    The subject may arrive later: ``subject`` is then None and linked when it is pushed.
    """

    artifact = models.OneToOneField(Artifact, on_delete=models.CASCADE, related_name="accessory")
    subject = models.ForeignKey(Artifact, null=True, on_delete=models.SET_NULL, related_name="accessories")
    repository = models.ForeignKey("harbor_projects.Repository", on_delete=models.CASCADE)
    subject_digest = models.CharField(max_length=71)
    type = models.CharField(max_length=64)
    creation_time = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["repository", "subject_digest"], name="accessory_subject"),
            models.Index(fields=["subject", "-id"], name="accessory_listing"),
        ]

    def __str__(self) -> str:
        return f"{self.type} of {self.subject_digest}"

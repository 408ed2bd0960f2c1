from django.db import models

from jobservice.models.execution import Execution


class StorageFinding(models.Model):
    """One thing a storage audit found: what storage has and the database does not know, or the other way round.

    ``path`` is in storage (a folder's for an empty tree). ``size``: bytes in storage; ``recorded``: bytes by the
    database. ``message``: why what was asked for was not done.
    """

    class Kind(models.TextChoices):
        BLOB = "unknown_blob"  # bytes under a digest that is not recorded
        LINK = "unknown_link"  # a layer's link into a repository
        MANIFEST = "unknown_manifest"  # a manifest's link into a repository
        UPLOAD = "unknown_upload"  # the folder of a session that is not recorded
        FILE = "unknown_file"  # what is none of these, such as a write that was cut off
        TREE = "empty_tree"  # a repository's folders without a file
        MISSING = "missing_blob"  # an artifact or the trash names it, and storage has it not
        SIZE = "wrong_size"  # storage has another number of bytes

    class State(models.TextChoices):
        OPEN = "open"
        ADOPTED = "adopted"
        DELETED = "deleted"
        REFUSED = "refused"  # ``message`` says why; it can be tried again
        GONE = "gone"  # it was not there, or not unknown, any more

    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="findings", db_index=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    path = models.CharField(max_length=1024, blank=True)
    digest = models.CharField(max_length=71, blank=True)
    repository_name = models.CharField(max_length=512, blank=True)
    size = models.BigIntegerField(null=True)
    recorded = models.BigIntegerField(null=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    message = models.CharField(max_length=512, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["execution", "id"], name="finding_listing"),
            models.Index(fields=["execution", "kind", "id"], name="finding_kind"),
            models.Index(fields=["execution", "digest"], name="finding_digest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.path or self.digest}"

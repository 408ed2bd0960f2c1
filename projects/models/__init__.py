from projects.models.artifact import Accessory, Artifact, ArtifactReference
from projects.models.blob import ArtifactBlob, Blob, CollectionDay, ProjectBlob, RepositoryBlob, Upload
from projects.models.label import ArtifactLabel, Label
from projects.models.member import Member
from projects.models.mirror import MirrorName
from projects.models.policies import CVEAllowlist, ImmutableRule, RetentionPolicy, WebhookPolicy
from projects.models.project import Project
from projects.models.quota import Quota, QuotaDelta, StorageDay
from projects.models.repository import Repository
from projects.models.tag import Tag, TagEvent
from projects.models.trash import TrashedArtifact, TrashedBlob

__all__ = [
    "Accessory",
    "Artifact",
    "ArtifactBlob",
    "ArtifactLabel",
    "ArtifactReference",
    "Blob",
    "CVEAllowlist",
    "CollectionDay",
    "ImmutableRule",
    "Label",
    "Member",
    "MirrorName",
    "Project",
    "ProjectBlob",
    "Quota",
    "QuotaDelta",
    "Repository",
    "RepositoryBlob",
    "RetentionPolicy",
    "StorageDay",
    "Tag",
    "TagEvent",
    "TrashedArtifact",
    "TrashedBlob",
    "Upload",
    "WebhookPolicy",
]

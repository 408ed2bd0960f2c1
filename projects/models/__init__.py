from projects.models.artifact import Accessory, Artifact, ArtifactReference
from projects.models.blob import ArtifactBlob, Blob, ProjectBlob, RepositoryBlob, Upload
from projects.models.member import Member
from projects.models.project import Project
from projects.models.quota import Quota, QuotaDelta
from projects.models.repository import Repository
from projects.models.tag import Tag, TagEvent

__all__ = [
    "Accessory",
    "Artifact",
    "ArtifactBlob",
    "ArtifactReference",
    "Blob",
    "Member",
    "Project",
    "ProjectBlob",
    "Quota",
    "QuotaDelta",
    "Repository",
    "RepositoryBlob",
    "Tag",
    "TagEvent",
    "Upload",
]

"""Artifacts, tags and accessories as JSON, and the shapes of that for the published schema."""

from collections.abc import Mapping
from typing import Any, TypeVar

from harbor_core.api.base import location, repository_segment
from harbor_core.lib.names import split_repository
from harbor_core.lib.schema import FLAG, INT, TEXT, TIME, array, mapping, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import compact
from projects.api.labels import LABEL, label_json
from projects.manifests import icons
from projects.models import Accessory, Artifact, ArtifactReference, Tag
from projects.selectors.additions import additions_of
from projects.selectors.artifacts import Details

T = TypeVar("T")

TAG = obj(
    "Tag",
    {
        "id": INT,
        "repository_id": INT,
        "artifact_id": INT,
        "name": TEXT,
        "push_time": TIME,
        "pull_time": TIME,
        "immutable": FLAG,
    },
)
REFERENCE = obj(
    "Reference",
    {
        "parent_id": INT,
        "child_id?": INT,
        "child_digest": TEXT,
        "platform?": mapping(),
        "annotations?": mapping(),
        "urls?": array(TEXT),
        "left_out?": FLAG,
    },
)
ACCESSORY = obj(
    "Accessory",
    {
        "id": INT,
        "artifact_id": INT,
        "subject_artifact_id?": INT,
        "subject_artifact_digest": TEXT,
        "subject_artifact_repo": TEXT,
        "size": INT,
        "digest": TEXT,
        "type": TEXT,
        "icon": TEXT,
        "creation_time": TIME,
    },
)
ARTIFACT = obj(
    "Artifact",
    {
        "id": INT,
        "type": TEXT,
        "media_type?": TEXT,
        "manifest_media_type?": TEXT,
        "artifact_type?": TEXT,
        "project_id": INT,
        "repository_id": INT,
        "repository_name": TEXT,
        "digest": TEXT,
        "size?": INT,
        "icon": TEXT,
        "push_time": TIME,
        "pull_time": TIME,
        "extra_attrs?": mapping(),
        "annotations?": mapping(),
        "references?": array(REFERENCE),
        "tags?": array(TAG),
        "labels?": array(LABEL),
        "accessories?": array(ACCESSORY),
        "inherited_accessories?": array(ACCESSORY),
        "addition_links?": mapping(obj("AdditionLink", {"href": TEXT, "absolute": FLAG})),
    },
)


def tag_json(tag: Tag, *, immutable: bool = False) -> dict[str, Any]:
    """Tag."""
    fields = {
        "id": tag.pk,
        "repository_id": tag.repository_id,
        "artifact_id": tag.artifact_id,
        "name": tag.name,
        "push_time": rfc3339(tag.push_time),
        "pull_time": rfc3339(tag.pull_time),
        "immutable": immutable,
    }
    return compact(fields, "immutable")


def reference_json(reference: ArtifactReference) -> dict[str, Any]:
    """Reference."""
    return compact(
        {
            "parent_id": reference.parent_id,
            "child_id": reference.child_id,
            "child_digest": reference.child_digest,
            "platform": reference.platform,
            "annotations": reference.annotations,
            "urls": reference.urls,
            "left_out": reference.left_out,
        }
    )


def accessory_json(accessory: Accessory) -> dict[str, Any]:
    """Accessory."""
    fields = {
        "id": accessory.pk,
        "artifact_id": accessory.artifact_id,
        "subject_artifact_id": accessory.subject_id,
        "subject_artifact_digest": accessory.subject_digest,
        "subject_artifact_repo": accessory.repository.name,
        "size": accessory.artifact.size,
        "digest": accessory.artifact.digest,
        "type": accessory.type,
        "icon": icons.of_accessory(accessory.type),
        "creation_time": rfc3339(accessory.creation_time),
    }
    always = ("artifact_id", "subject_artifact_digest", "subject_artifact_repo", "size", "digest", "type", "icon")
    return compact(fields, *always)


def artifact_json(artifact: Artifact, details: Details) -> dict[str, Any]:
    """Artifact."""

    def of(rows: Mapping[int, list[T]]) -> list[T]:
        return rows.get(artifact.pk, [])

    return compact(
        {
            "id": artifact.pk,
            "type": artifact.type,
            "media_type": artifact.media_type,
            "manifest_media_type": artifact.manifest_media_type,
            "artifact_type": artifact.artifact_type,
            "project_id": artifact.project_id,
            "repository_id": artifact.repository_id,
            "repository_name": artifact.repository.name,
            "digest": artifact.digest,
            "size": artifact.size,
            "icon": artifact.icon or icons.of_artifact(artifact.type),
            "push_time": rfc3339(artifact.push_time),
            "pull_time": rfc3339(artifact.pull_time),
            "extra_attrs": artifact.extra_attrs,
            "annotations": artifact.annotations,
            "references": [reference_json(item) for item in of(details.references)],
            "tags": [tag_json(item, immutable=item.pk in details.immutable) for item in of(details.tags)],
            "labels": [label_json(item) for item in of(details.labels)],
            "accessories": [accessory_json(item) for item in of(details.accessories)],
            "inherited_accessories": [accessory_json(item) for item in of(details.inherited)],
            "addition_links": _addition_links(artifact),
        }
    )


def artifact_path(repository: str, digest: str) -> str:
    """Where the API has the artifact of a repository given by its full name."""
    project, name = split_repository(repository)
    return location("projects", project) + f"/repositories/{repository_segment(name)}/artifacts/{digest}"


def _addition_links(artifact: Artifact) -> dict[str, Any]:
    base = artifact_path(artifact.repository.name, artifact.digest)
    return {
        addition: {"href": f"{base}/additions/{addition}", "absolute": False} for addition in additions_of(artifact)
    }

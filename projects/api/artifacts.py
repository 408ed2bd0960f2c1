"""``.../artifacts``: artifacts with their tags, accessories and additions."""

import json
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ProjectView, location, repository_segment
from harbor_core.api.exceptions import CONTENT_TYPE
from harbor_core.lib.errors import HarborError
from harbor_core.lib.names import split_repository
from harbor_core.lib.pagination import Page
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import LISTING, Flag, Text, compact
from projects.api.base import ArtifactView, RepositoryView
from projects.models import Accessory, Artifact, ArtifactReference, Tag
from projects.selectors import artifacts as selectors
from projects.selectors.artifacts import Details
from projects.selectors.contents import image_config, manifest_of
from projects.services import artifacts as services
from projects.services import tags as tag_services

SHOW = {"with_tag": Flag(default=True), "with_accessory": Flag(default=False)}
ADDITIONS = ("build_history", "values.yaml", "readme.md", "dependencies", "sbom", "license", "files", "vulnerabilities")


def tag_json(tag: Tag) -> dict[str, Any]:
    """Tag."""
    fields = {
        "id": tag.pk,
        "repository_id": tag.repository_id,
        "artifact_id": tag.artifact_id,
        "name": tag.name,
        "push_time": rfc3339(tag.push_time),
        "pull_time": rfc3339(tag.pull_time),
        "immutable": False,
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
        "icon": "",
        "creation_time": rfc3339(accessory.creation_time),
    }
    always = ("artifact_id", "subject_artifact_digest", "subject_artifact_repo", "size", "digest", "type", "icon")
    return compact(fields, *always)


def artifact_json(artifact: Artifact, details: Details) -> dict[str, Any]:
    """Artifact."""
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
            "push_time": rfc3339(artifact.push_time),
            "pull_time": rfc3339(artifact.pull_time),
            "extra_attrs": artifact.extra_attrs,
            "annotations": artifact.annotations,
            "references": [reference_json(item) for item in details.references.get(artifact.pk, ())],
            "tags": [tag_json(item) for item in details.tags.get(artifact.pk, ())],
            "accessories": [accessory_json(item) for item in details.accessories.get(artifact.pk, ())],
            "addition_links": _addition_links(artifact),
        }
    )


def _has_build_history(artifact: Artifact) -> bool:
    return artifact.type == "IMAGE" and artifact.media_type != artifact.manifest_media_type


def _addition_links(artifact: Artifact) -> dict[str, Any]:
    if not _has_build_history(artifact):
        return {}
    project, name = split_repository(artifact.repository.name)
    base = location("projects", project) + f"/repositories/{repository_segment(name)}/artifacts/{artifact.digest}"
    return {"build_history": {"href": f"{base}/additions/build_history", "absolute": False}}


class _Artifacts:
    """A page of artifacts with what was asked to be shown of them."""

    def artifacts(self: Any, page: Page[Artifact]) -> Response:
        details = selectors.artifact_details(
            page.items, tags=self.params["with_tag"], accessories=self.params["with_accessory"]
        )
        return self.page(page, lambda artifact: artifact_json(artifact, details))


class ArtifactList(_Artifacts, RepositoryView):
    permissions = {"GET": "artifact:list"}
    parameters = {"GET": LISTING | SHOW}

    def get(self, request: Request, **path: str) -> Response:
        return self.artifacts(selectors.artifact_list(self.repository, self.listing))


class ProjectArtifactList(_Artifacts, ProjectView):
    permissions = {"GET": "artifact:list"}
    parameters = {"GET": LISTING | SHOW | {"latest_in_repository": Flag(default=False)}}

    def authorize(self, permission: str) -> None:
        """Unlike the artifacts of one repository these are for accounts only, also where the project is public."""
        self.require_login()
        super().authorize(permission)

    def get(self, request: Request, project_name_or_id: str) -> Response:
        latest = self.params["latest_in_repository"]
        return self.artifacts(selectors.project_artifact_list(self.project.pk, self.listing, latest=latest))


class ArtifactItem(ArtifactView):
    permissions = {"GET": "artifact:read", "DELETE": "artifact:delete"}
    parameters = {"GET": SHOW}

    def get(self, request: Request, **path: str) -> Response:
        details = selectors.artifact_details(
            [self.artifact], tags=self.params["with_tag"], accessories=self.params["with_accessory"]
        )
        return Response(artifact_json(self.artifact, details))

    def delete(self, request: Request, **path: str) -> Response:
        services.delete(self.actor, self.artifact)
        return self.done()


class TagList(ArtifactView):
    permissions = {"GET": "tag:list", "POST": "tag:create"}
    parameters = {"GET": LISTING}
    bodies = {"POST": {"name": Text(required=True)}}

    def get(self, request: Request, **path: str) -> Response:
        return self.page(selectors.tag_list(self.artifact, self.listing), tag_json)

    def post(self, request: Request, **path: str) -> Response:
        tag_services.create(self.actor, self.artifact, self.body["name"])
        return Response(status=201)  # the contract gives a tag no Location


class TagItem(ArtifactView):
    permissions = {"DELETE": "tag:delete"}

    def delete(self, request: Request, tag_name: str, **path: str) -> Response:
        tag_services.delete(self.actor, self.repository, tag_name, artifact=self.artifact)
        return self.done()


class AccessoryList(ArtifactView):
    permissions = {"GET": "accessory:list"}
    parameters = {"GET": LISTING}

    def get(self, request: Request, **path: str) -> Response:
        return self.page(selectors.accessory_list(self.artifact, self.listing), accessory_json)


class Addition(ArtifactView):
    """What an artifact holds besides its layers; for an image the steps that built it."""

    permissions = {"GET": "artifact-addition:read"}
    paths = ArtifactView.paths | {"addition": Text(choices=ADDITIONS)}

    def get(self, request: Request, addition: str, **path: str) -> HttpResponse:
        if addition != "build_history" or not _has_build_history(self.artifact):
            raise HarborError("NOT_FOUND", f"this {self.artifact.type} has no {addition}")
        history = image_config(manifest_of(self.artifact)).get("history") or []
        return HttpResponse(json.dumps(history, ensure_ascii=False), content_type=CONTENT_TYPE)

"""``.../artifacts``: artifacts with their tags and accessories."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ProjectView
from harbor_core.lib.errors import HarborError
from harbor_core.lib.names import split_repository
from harbor_core.lib.pagination import Page
from harbor_core.lib.schema import CREATED, DONE, Answer
from harbor_core.lib.wire import LISTING, Flag, Parsed, Text
from projects import access
from projects.api.artifact_json import (
    ACCESSORY,
    ARTIFACT,
    TAG,
    accessory_json,
    artifact_json,
    artifact_path,
    tag_json,
)
from projects.api.base import ArtifactView, NamedProjectView, RepositoryView
from projects.models import Artifact
from projects.selectors import artifacts as selectors
from projects.selectors.artifacts import Details, Shown
from projects.selectors.repositories import repository_get
from projects.services import artifacts as services
from projects.services import copies
from projects.services import tags as tag_services

SHOW = {
    "with_tag": Flag(default=True),
    "with_label": Flag(default=False),
    "with_immutable_status": Flag(default=False, about="Say of each tag whether it is immutable."),
    "with_accessory": Flag(default=False),
    "with_inherited_accessory": Flag(default=False, about="Signatures of the indexes the artifact is part of."),
    "with_scan_overview": Flag(default=False),
    "with_sbom_overview": Flag(default=False),
}


class _Artifacts:
    """Artifacts with what was asked to be shown of them."""

    def details(self: Any, artifacts: list[Artifact]) -> Details:
        params = self.params
        shown = Shown(
            tags=params["with_tag"],
            immutable=params["with_immutable_status"],
            labels=params["with_label"],
            accessories=params["with_accessory"],
            inherited=params["with_inherited_accessory"],
        )
        return selectors.artifact_details(artifacts, shown)

    def artifacts(self: Any, page: Page[Artifact]) -> Response:
        details = self.details(page.items)
        return self.page(page, lambda artifact: artifact_json(artifact, details))


class ArtifactList(_Artifacts, RepositoryView):
    permissions = {"GET": "artifact:list", "POST": "artifact:create"}
    parameters = {
        "GET": LISTING | SHOW,
        "POST": {"from": Parsed(copies.reference, required=True, about="project/repository:tag, or @digest.")},
    }
    answers = {"GET": [ARTIFACT], "POST": CREATED}
    errors = {"POST": (405, 412)}

    def authorize(self, permission: str) -> None:
        """What is copied may make the repository."""
        if self.request.method == "POST":
            NamedProjectView.authorize(self, permission)
        else:
            super().authorize(permission)

    def get(self, request: Request, **path: str) -> Response:
        return self.artifacts(selectors.artifact_list(self.repository, self.listing))

    def post(self, request: Request, repository_name: str, **path: str) -> Response:
        target = f"{self.project.project_name}/{repository_name}"
        name, reference = self.params["from"]
        project = access.get_project_access(self.actor, split_repository(name)[0], "artifact:read")
        source = selectors.artifact_get(repository_get(project.project_id, name), reference)
        copies.copy(self.actor, self.project, target, source)
        return Response(status=201, headers={"Location": artifact_path(target, source.digest)})


class ProjectArtifactList(_Artifacts, ProjectView):
    permissions = {"GET": "artifact:list"}
    parameters = {"GET": LISTING | SHOW | {"latest_in_repository": Flag(default=False)}}
    answers = {"GET": [ARTIFACT]}

    def authorize(self, permission: str) -> None:
        """Unlike the artifacts of one repository these are for accounts only, also where the project is public."""
        self.require_login()
        super().authorize(permission)

    def get(self, request: Request, project_name_or_id: str) -> Response:
        latest = self.params["latest_in_repository"]
        return self.artifacts(selectors.project_artifact_list(self.project.pk, self.listing, latest=latest))


class ArtifactItem(_Artifacts, ArtifactView):
    permissions = {"GET": "artifact:read", "DELETE": "artifact:delete"}
    parameters = {"GET": SHOW | {"with_signature": Flag(default=False, about="Accepted, and nothing more.")}}
    answers = {"GET": ARTIFACT, "DELETE": DONE}
    errors = {"DELETE": (412,)}

    def get(self, request: Request, **path: str) -> Response:
        return Response(artifact_json(self.artifact, self.details([self.artifact])))

    def delete(self, request: Request, **path: str) -> Response:
        services.delete(self.actor, self.artifact)
        return self.done()


class TagList(ArtifactView):
    permissions = {"GET": "tag:list", "POST": "tag:create"}
    parameters = {"GET": LISTING | {"with_immutable_status": Flag(default=False)}}
    bodies = {"POST": {"name": Text(required=True)}}
    answers = {"GET": [TAG], "POST": Answer(status=201)}
    errors = {"POST": (405, 409)}

    def get(self, request: Request, **path: str) -> Response:
        page = selectors.tag_list(self.artifact, self.listing)
        asked = self.params["with_immutable_status"]
        immutable = selectors.immutable_tags(self.artifact, page.items) if asked else set()
        return self.page(page, lambda tag: tag_json(tag, immutable=tag.pk in immutable))

    def post(self, request: Request, **path: str) -> Response:
        if self.project.proxy:
            raise HarborError("METHOD_NOT_ALLOWED", "a proxy cache has the tags of what it caches, and no others")
        tag_services.create(self.actor, self.artifact, self.body["name"])
        return Response(status=201)  # the contract gives a tag no Location


class TagItem(ArtifactView):
    permissions = {"DELETE": "tag:delete"}
    answers = {"DELETE": DONE}
    errors = {"DELETE": (412,)}

    def delete(self, request: Request, tag_name: str, **path: str) -> Response:
        tag_services.delete(self.actor, self.repository, tag_name, artifact=self.artifact)
        return self.done()


class AccessoryList(ArtifactView):
    permissions = {"GET": "accessory:list"}
    parameters = {"GET": LISTING}
    answers = {"GET": [ACCESSORY]}

    def get(self, request: Request, **path: str) -> Response:
        return self.page(selectors.accessory_list(self.artifact, self.listing), accessory_json)

"""``/labels``, and the labels of an artifact."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ID, LOGIN, PUBLIC, ApiView
from harbor_core.lib.errors import HarborError
from harbor_core.lib.schema import CREATED, DONE, INT, TEXT, TIME, choice, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import LISTING, Text, Whole, compact
from projects import access
from projects.api.base import ArtifactView
from projects.models import Label, Project
from projects.selectors import labels as selectors
from projects.services import labels as services

GLOBAL, PROJECT = "g", "p"
FIELDS = {"name": Text(default=""), "description": Text(default=""), "color": Text(default="")}

LABEL = obj(
    "Label",
    {
        "id": INT,
        "name": TEXT,
        "description?": TEXT,
        "color?": TEXT,
        "scope": choice(GLOBAL, PROJECT),
        "project_id?": INT,
        "creation_time": TIME,
        "update_time": TIME,
    },
)


def label_json(label: Label) -> dict[str, Any]:
    """Label."""
    return compact(
        {
            "id": label.pk,
            "name": label.name,
            "description": label.description,
            "color": label.color,
            "scope": PROJECT if label.project_id else GLOBAL,
            "project_id": label.project_id,
            "creation_time": rfc3339(label.creation_time),
            "update_time": rfc3339(label.update_time),
        }
    )


class _LabelView(ApiView):
    """Permissions are those on global labels; where the label is a project's, the same permission there decides."""

    def project_of(self, scope: str, project_id: int, permission: str) -> Project | None:
        """The project in question, None for global labels. Raises BAD_REQUEST, and what
        projects.access.get_project does."""
        if scope == GLOBAL:
            return None
        if scope != PROJECT:
            raise HarborError("BAD_REQUEST", f"the scope of a label is {GLOBAL} (global) or {PROJECT} (project)")
        if project_id <= 0:
            raise HarborError("BAD_REQUEST", "project_id is needed for the labels of a project")
        return access.get_project(self.actor, project_id, permission)


class LabelList(_LabelView):
    permissions = {"GET": PUBLIC, "POST": LOGIN}
    parameters = {
        "GET": LISTING
        | {
            "name": Text(default="", about="A part of the name."),
            "scope": Text(default=GLOBAL, about="g: global labels; p: labels of a project."),
            "project_id": Whole(default=0, about="With scope p: which project."),
        }
    }
    bodies = {"POST": FIELDS | {"scope": Text(default=""), "project_id": Whole(default=0)}}
    answers = {"GET": [LABEL], "POST": CREATED}
    errors = {"GET": (401, 403, 404), "POST": (403, 404, 409)}

    def get(self, request: Request) -> Response:
        project = self.project_of(self.params["scope"], self.params["project_id"], "label:list")
        found = selectors.label_list(project.pk if project else None, self.listing, name=self.params["name"])
        return self.page(found, label_json)

    def post(self, request: Request) -> Response:
        body = self.body
        project = self.project_of(body["scope"], body["project_id"], "label:create")
        if project is None:
            access.require(self.actor, "label:create")
        label = services.create(self.actor, project, body["name"], body["description"], body["color"])
        return self.created("labels", label.pk)


class LabelItem(_LabelView):
    permissions = {"GET": "label:read", "PUT": "label:update", "DELETE": "label:delete"}
    paths = {"label_id": ID}
    bodies = {"PUT": FIELDS}
    answers = {"GET": LABEL, "PUT": DONE, "DELETE": DONE}
    errors = {"PUT": (409,)}
    label: Label

    def authorize(self, permission: str) -> None:
        """Anyone may read the labels of a public project; of a label that is not there accounts hear that."""
        label = selectors.label_find(self.kwargs["label_id"])
        if label is None:
            self.require_login()
            raise HarborError("NOT_FOUND", f"label {self.kwargs['label_id']} not found")
        if label.project_id:
            access.get_project(self.actor, label.project_id, permission)
        else:
            super().authorize(permission)
        self.label = label

    def get(self, request: Request, label_id: int) -> Response:
        return Response(label_json(self.label))

    def put(self, request: Request, label_id: int) -> Response:
        body = self.body
        services.update(self.actor, self.label, body["name"], body["description"], body["color"])
        return self.done()

    def delete(self, request: Request, label_id: int) -> Response:
        services.delete(self.actor, self.label)
        return self.done()


class ArtifactLabelList(ArtifactView):
    permissions = {"POST": "artifact-label:create"}
    bodies = {"POST": {"id": Whole(required=True)}}
    answers = {"POST": DONE}
    errors = {"POST": (409,)}

    def post(self, request: Request, **path: str) -> Response:
        services.add(self.actor, self.artifact, self.body["id"])
        return self.done()


class ArtifactLabelItem(ArtifactView):
    permissions = {"DELETE": "artifact-label:delete"}
    paths = ArtifactView.paths | {"label_id": ID}
    answers = {"DELETE": DONE}

    def delete(self, request: Request, label_id: int, **path: str) -> Response:
        services.remove(self.actor, self.artifact, label_id)
        return self.done()

"""``/projects/{project_name_or_id}/trash``: deleted artifacts, for as long as they can be restored."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ID, ProjectView
from harbor_core.lib.schema import DONE, INT, TEXT, TIME, array, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import LISTING, compact
from projects.models import TrashedArtifact
from projects.selectors import trash as selectors
from projects.services import trash as services
from projects.services.restore import Restored, restore

TRASHED = obj(
    "TrashedArtifact",
    {
        "id": INT,
        "repository_name": TEXT,
        "digest": TEXT,
        "type": TEXT,
        "size": INT,
        "tags?": array(TEXT),
        "companions": INT,
        "push_time": TIME,
        "operator": TEXT,
        "deleted_at": TIME,
        "expires_at": TIME,
    },
)
RESTORED = obj(
    "RestoredArtifact",
    {
        "repository_name": TEXT,
        "digest": TEXT,
        "tags": array(TEXT),
        "taken_tags": array(TEXT),
        "companions": array(TEXT),
    },
    "tags are those that came back; taken_tags belong to other artifacts by now and stayed there.",
)


def trashed_json(row: TrashedArtifact) -> dict[str, Any]:
    """TrashedArtifact."""
    fields = {
        "id": row.pk,
        "repository_name": row.repository_name,
        "digest": row.digest,
        "type": row.type,
        "size": row.size,
        "tags": row.tags,
        "companions": row.companion_count,  # type: ignore[attr-defined]  # annotated by the selector
        "push_time": rfc3339(row.push_time),
        "operator": row.operator,
        "deleted_at": rfc3339(row.deleted_at),
        "expires_at": rfc3339(row.expires_at),
    }
    return compact(fields, "size", "companions", "operator")


def restored_json(found: Restored) -> dict[str, Any]:
    """RestoredArtifact."""
    return {
        "repository_name": found.repository,
        "digest": found.digest,
        "tags": found.tags,
        "taken_tags": found.taken,
        "companions": found.companions,
    }


class TrashList(ProjectView):
    """Whoever may delete artifacts may look and restore; to empty the trash takes the right to change the project."""

    permissions = {"GET": "artifact:delete", "DELETE": "project:update"}
    parameters = {"GET": LISTING}
    answers = {"GET": [TRASHED], "DELETE": DONE}

    def get(self, request: Request, project_name_or_id: str) -> Response:
        return self.page(selectors.trash_list(self.project.pk, self.listing), trashed_json)

    def delete(self, request: Request, project_name_or_id: str) -> Response:
        services.empty(self.actor, self.project.pk, self.project.name)
        return self.done()


class TrashItem(ProjectView):
    permissions = {"DELETE": "project:update"}
    paths = {"trash_id": ID}
    answers = {"DELETE": DONE}

    def delete(self, request: Request, project_name_or_id: str, trash_id: int) -> Response:
        services.discard(self.actor, self.project.pk, trash_id)
        return self.done()


class TrashRestore(ProjectView):
    permissions = {"POST": "artifact:delete"}
    paths = {"trash_id": ID}
    answers = {"POST": RESTORED}
    errors = {"POST": (412,)}

    def post(self, request: Request, project_name_or_id: str, trash_id: int) -> Response:
        return Response(restored_json(restore(self.actor, self.access, trash_id)))

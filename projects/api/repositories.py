"""``/repositories`` and ``/projects/{project_name}/repositories``."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import PUBLIC, ApiView
from harbor_core.lib.pagination import Page
from harbor_core.lib.schema import DONE, FLAG, INT, TEXT, TIME, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import LISTING, Text, compact
from projects.api.base import NamedProjectView, RepositoryView
from projects.models import Repository
from projects.selectors import repositories as selectors
from projects.selectors.browsing import artifact_counts
from projects.services import repositories as services

REPOSITORY = obj(
    "Repository",
    {
        "id": INT,
        "project_id": INT,
        "name": TEXT,
        "description?": TEXT,
        "artifact_count": INT,
        "pull_count": INT,
        "creation_time": TIME,
        "update_time": TIME,
    },
)
SEARCH_REPOSITORY = obj(
    "SearchRepository",
    {
        "project_id": INT,
        "project_name": TEXT,
        "project_public?": FLAG,
        "repository_name": TEXT,
        "pull_count?": INT,
        "artifact_count?": INT,
    },
)


def repository_json(repository: Repository, artifacts: int) -> dict[str, Any]:
    """Repository."""
    fields = {
        "id": repository.pk,
        "project_id": repository.project_id,
        "name": repository.name,
        "description": repository.description,
        "artifact_count": artifacts,
        "pull_count": repository.pull_count,
        "creation_time": rfc3339(repository.creation_time),
        "update_time": rfc3339(repository.update_time),
    }
    return compact(fields, "artifact_count", "pull_count")


def search_json(repository: Repository, artifacts: int) -> dict[str, Any]:
    """SearchRepository."""
    return compact(
        {
            "project_id": repository.project_id,
            "project_name": repository.project.name,
            "project_public": repository.project.public,
            "repository_name": repository.name,
            "pull_count": repository.pull_count,
            "artifact_count": artifacts,
        }
    )


class _Listing(ApiView):
    parameters = {"GET": LISTING}
    answers = {"GET": [REPOSITORY]}

    def repositories(self, page: Page[Repository]) -> Response:
        counts = artifact_counts(page.items)
        return self.page(page, lambda repository: repository_json(repository, counts[repository.pk]))


class AllRepositories(_Listing):
    permissions = {"GET": PUBLIC}

    def get(self, request: Request) -> Response:
        return self.repositories(selectors.all_repositories(self.actor, self.listing))


class RepositoryList(_Listing, NamedProjectView):
    permissions = {"GET": "repository:list"}

    def get(self, request: Request, project_name: str) -> Response:
        return self.repositories(selectors.repository_list(self.project.project_id, self.listing))


class RepositoryItem(RepositoryView):
    permissions = {"GET": "repository:read", "PUT": "repository:update", "DELETE": "repository:delete"}
    bodies = {"PUT": {"description": Text(default="")}}
    answers = {"GET": REPOSITORY, "PUT": DONE, "DELETE": DONE}
    errors = {"DELETE": (412,)}

    def get(self, request: Request, **path: str) -> Response:
        return Response(repository_json(self.repository, artifact_counts([self.repository])[self.repository.pk]))

    def put(self, request: Request, **path: str) -> Response:
        services.describe(self.actor, self.repository, self.body["description"])
        return self.done()

    def delete(self, request: Request, **path: str) -> Response:
        services.delete(self.actor, self.repository)
        return self.done()

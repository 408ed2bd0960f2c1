"""``/projects``."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from auth import rbac
from harbor_core.api.base import LOGIN, PUBLIC, ApiView, ProjectView, is_true
from harbor_core.lib.errors import HarborError
from harbor_core.lib.schema import CREATED, DONE, FLAG, INT, TEXT, TIME, array, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import LISTING, Flag, Nested, Text, Whole, compact
from projects.api.allowlist import ALLOWLIST, CVE_ALLOWLIST, allowlist_json
from projects.api.repositories import SEARCH_REPOSITORY, search_json
from projects.models import Project
from projects.selectors import projects as selectors
from projects.selectors.browsing import artifact_counts
from projects.selectors.projects import ProjectDetail
from projects.services import metadata
from projects.services import projects as services
from replication.api.registries import REGISTRY, registry_json

METADATA = {key: Text() for key in (*metadata.KEYS, *metadata.SERVER_ONLY)}
PROJECT = {
    "project_name": Text(max_length=255, default=""),
    "public": Flag(),
    "metadata": Nested(METADATA, default={}),
    "cve_allowlist": Nested(ALLOWLIST | {"project_id": Whole(default=0)}),
    "storage_limit": Whole(),
    "registry_id": Whole(),
}

PROJECT_METADATA = obj("ProjectMetadata", {f"{key}?": TEXT for key in (*metadata.KEYS, "retention_id")})
PROJECT_ANSWER = obj(
    "Project",
    {
        "project_id": INT,
        "owner_id": INT,
        "owner_name?": TEXT,
        "name": TEXT,
        "registry_id?": INT,
        "creation_time": TIME,
        "update_time": TIME,
        "current_user_role_id?": INT,
        "current_user_role_ids?": array(INT),
        "repo_count": INT,
        "metadata": PROJECT_METADATA,
        "cve_allowlist": CVE_ALLOWLIST,
    },
)
STORAGE = obj("ResourceList", {"storage": INT}, about="Bytes; -1 for no limit.")
SUMMARY = obj(
    "ProjectSummary",
    {
        "repo_count": INT,
        "project_admin_count?": INT,
        "maintainer_count?": INT,
        "developer_count?": INT,
        "guest_count?": INT,
        "limited_guest_count?": INT,
        "quota?": obj("ProjectSummaryQuota", {"hard": STORAGE, "used": STORAGE}),
        "registry?": REGISTRY,
    },
)
STATISTIC = obj(
    "Statistic",
    {
        "private_project_count": INT,
        "private_repo_count": INT,
        "public_project_count": INT,
        "public_repo_count": INT,
        "total_project_count": INT,
        "total_repo_count": INT,
        "total_storage_consumption": INT,
    },
)


def project_json(project: Project, detail: ProjectDetail | None = None) -> dict[str, Any]:
    """Project."""
    roles = list(detail.roles) if detail else []
    fields = {
        "project_id": project.pk,
        "owner_id": project.owner_id,
        "owner_name": project.owner.username,
        "name": project.name,
        "registry_id": project.registry_id,
        "creation_time": rfc3339(project.creation_time),
        "update_time": rfc3339(project.update_time),
        "current_user_role_id": roles[0] if roles else 0,
        "current_user_role_ids": roles,
        "repo_count": detail.repositories if detail else 0,
        "metadata": metadata.shown(project),
    }
    return compact(fields, "repo_count") | {"cve_allowlist": allowlist_json(selectors.allowlist_of(project))}


def given_metadata(body: dict[str, Any]) -> dict[str, str | None]:
    """Metadata of a request, with the older top-level ``public`` where the newer one is absent."""
    values = dict(body["metadata"])
    if values.get("public") is None and body["public"] is not None:
        values["public"] = "true" if body["public"] else "false"
    return values


def given_allowlist(body: dict[str, Any]) -> services.Allowlist | None:
    """The allowlist of a request, if there is one."""
    given = body["cve_allowlist"]
    if given is None:
        return None
    return services.Allowlist([item["cve_id"] for item in given["items"]], given["expires_at"], given["project_id"])


class ProjectList(ApiView):
    permissions = {"GET": PUBLIC, "HEAD": LOGIN, "POST": LOGIN}
    parameters = {
        "GET": LISTING
        | {"name": Text(default=""), "public": Flag(), "owner": Text(default=""), "with_detail": Flag(default=True)},
        "HEAD": {"project_name": Text(required=True)},
    }
    bodies = {"POST": PROJECT}
    request_headers = {
        "POST": {"X-Resource-Name-In-Location": Flag(about="Answer with a Location that names the project.")}
    }
    answers = {"GET": [PROJECT_ANSWER], "HEAD": DONE, "POST": CREATED}
    errors = {"HEAD": (404,), "POST": (409,)}

    def get(self, request: Request) -> Response:
        params = self.params
        page = selectors.project_list(
            self.actor, self.listing, name=params["name"], public=params["public"], owner=params["owner"]
        )
        if not params["with_detail"]:
            return self.page(page, project_json)
        details = selectors.project_details(self.actor, page.items)
        return self.rows([project_json(detail.project, detail) for detail in details], page.total)

    def head(self, request: Request) -> Response:
        if not selectors.exists(self.params["project_name"]):
            raise HarborError("NOT_FOUND")
        return self.done()

    def post(self, request: Request) -> Response:
        project = services.create(
            self.actor,
            self.body["project_name"],
            values=given_metadata(self.body),
            storage_limit=self.body["storage_limit"],
            registry_id=self.body["registry_id"],
            cves=given_allowlist(self.body),
        )
        by_name = is_true(request, "X-Resource-Name-In-Location")
        return self.created("projects", project.name if by_name else project.pk)


class ProjectItem(ProjectView):
    permissions = {"GET": "project:read", "PUT": "project:update", "DELETE": "project:delete"}
    bodies = {"PUT": PROJECT}
    answers = {"GET": PROJECT_ANSWER, "PUT": DONE, "DELETE": DONE}
    errors = {"PUT": (409,), "DELETE": (412,)}

    def get(self, request: Request, project_name_or_id: str) -> Response:
        detail = selectors.project_detail(self.project, self.access.roles)
        return Response(project_json(self.project, detail))

    def put(self, request: Request, project_name_or_id: str) -> Response:
        services.update(self.actor, self.project.pk, given_metadata(self.body), cves=given_allowlist(self.body))
        return self.done()

    def delete(self, request: Request, project_name_or_id: str) -> Response:
        services.delete(self.actor, self.project.pk)
        return self.done()


class ProjectDeletable(ProjectView):
    permissions = {"GET": "project:delete"}
    answers = {"GET": obj("ProjectDeletable", {"deletable?": FLAG, "message?": TEXT})}

    def get(self, request: Request, project_name_or_id: str) -> Response:
        possible, reason = services.deletable(self.project.pk)
        return Response(compact({"deletable": possible, "message": reason}))


class ProjectSummary(ProjectView):
    permissions = {"GET": "project:read"}
    answers = {"GET": SUMMARY}

    def get(self, request: Request, project_name_or_id: str) -> Response:
        found = selectors.summary(self.project, self.access.permissions)
        members = found.members or {}
        quota = {"hard": {"storage": found.hard}, "used": {"storage": found.used}} if found.hard is not None else None
        fields = {
            "repo_count": found.repositories,
            "project_admin_count": members.get(rbac.Role.PROJECT_ADMIN, 0),
            "maintainer_count": members.get(rbac.Role.MAINTAINER, 0),
            "developer_count": members.get(rbac.Role.DEVELOPER, 0),
            "guest_count": members.get(rbac.Role.GUEST, 0),
            "limited_guest_count": members.get(rbac.Role.LIMITED_GUEST, 0),
            "quota": quota,
            "registry": registry_json(found.registry, credential=False) if found.registry else None,
        }
        return Response(compact(fields, "repo_count"))


class Statistics(ApiView):
    permissions = {"GET": LOGIN}
    answers = {"GET": STATISTIC}

    def get(self, request: Request) -> Response:
        found = selectors.statistics(self.actor)
        # The contract keeps the totals for administrators.
        everything = int(self.actor.is_sysadmin)
        return Response(
            {
                "private_project_count": found.private_projects,
                "private_repo_count": found.private_repositories,
                "public_project_count": found.public_projects,
                "public_repo_count": found.public_repositories,
                "total_project_count": everything * (found.private_projects + found.public_projects),
                "total_repo_count": everything * (found.private_repositories + found.public_repositories),
                "total_storage_consumption": found.storage,
            }
        )


class Search(ApiView):
    permissions = {"GET": PUBLIC}
    parameters = {"GET": {"q": Text(required=True)}}
    answers = {"GET": obj("Search", {"project": array(PROJECT_ANSWER), "repository": array(SEARCH_REPOSITORY)})}

    def get(self, request: Request) -> Response:
        projects, repositories = selectors.search(self.actor, self.params["q"])
        details = selectors.project_details(self.actor, projects)
        counts = artifact_counts(repositories)
        return Response(
            {
                "project": [project_json(detail.project, detail) for detail in details],
                "repository": [search_json(item, counts[item.pk]) for item in repositories],
            }
        )

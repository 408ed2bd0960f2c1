"""Views below a repository and below an artifact."""

from harbor_core.api.base import ENCODED, ApiView
from projects import access
from projects.access import ProjectAccess
from projects.models import Artifact, Repository
from projects.selectors.artifacts import artifact_get
from projects.selectors.repositories import repository_get


class NamedProjectView(ApiView):
    """Below ``/projects/{project_name}``: always a name, and no project row is needed. One query."""

    project: ProjectAccess

    def authorize(self, permission: str) -> None:
        self.project = access.get_project_access(self.actor, self.kwargs["project_name"], permission)


class RepositoryView(NamedProjectView):
    """``self.repository`` is there when the handler runs."""

    paths = {"repository_name": ENCODED}
    repository: Repository

    def authorize(self, permission: str) -> None:
        super().authorize(permission)
        name = f"{self.project.project_name}/{self.kwargs['repository_name']}"
        self.repository = repository_get(self.project.project_id, name)


class ArtifactView(RepositoryView):
    """``self.artifact`` is there when the handler runs; its bytes are not."""

    artifact: Artifact

    def authorize(self, permission: str) -> None:
        super().authorize(permission)
        self.artifact = artifact_get(self.repository, self.kwargs["reference"])

"""GitLab: gitlab.com, or an installation of one's own."""

from collections.abc import Iterator

from replication.adapters.base import UnhealthyError, rows, texts
from replication.adapters.docker_registry import DockerRegistry, parameters

TOKENS = "/jwt/auth"  # where GitLab gives out tokens for its registry
OFF = (403, 404)  # what a project without a registry answers


class GitLab(DockerRegistry):
    """The address is the registry's (``https://registry.gitlab.com``), the secret a personal, group or project token
    with the scopes ``read_registry`` and ``read_api``, for a push ``write_registry``. A push makes no project."""

    kind = "gitlab"
    title = "GitLab"

    def repositories(self) -> Iterator[str]:
        """Those in projects the account is a member of. Raises UnhealthyError."""
        headers = {"PRIVATE-TOKEN": self.endpoint.access_secret} if self.endpoint.access_secret else {}
        api = self._api()
        for projects in self.pages(f"{api}/projects?membership=true&simple=true&per_page=100", headers):
            for number in [row["id"] for row in rows(projects) if isinstance(row.get("id"), int)]:
                yield from self._of(f"{api}/projects/{number}/registry/repositories?per_page=100", headers)

    def _of(self, url: str, headers: dict[str, str]) -> Iterator[str]:
        try:
            for page in self.pages(url, headers):
                yield from texts(rows(page), "path")
        except UnhealthyError as exc:
            if exc.status not in OFF:
                raise

    def _api(self) -> str:
        """GitLab itself is where its registry sends for tokens."""
        challenge = parameters(self.get(f"{self.registry_url}/v2/"))
        if not challenge.get("realm", "").endswith(TOKENS):
            raise UnhealthyError(f"{self.endpoint.url} does not send for tokens as the registry of a GitLab does", 404)
        return f"{self.realm(challenge).removesuffix(TOKENS)}/api/v4"

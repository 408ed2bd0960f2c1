"""JFrog Artifactory, with the key of a repository as the first part of each name."""

import json
from collections.abc import Iterator
from urllib.parse import quote, urlencode

from replication.adapters.base import PAGES_MAX, UnhealthyError, rows, texts
from replication.adapters.docker_registry import DockerRegistry

PAGE = 1000


class Artifactory(DockerRegistry):
    """What Artifactory calls a repository holds many of ours: ``docker-local/team/app`` is in ``docker-local``."""

    kind = "jfrog-artifactory"
    title = "JFrog Artifactory"

    @property
    def registry_url(self) -> str:
        return self.endpoint.url.removesuffix("/artifactory")

    @property
    def _api(self) -> str:
        return f"{self.registry_url}/artifactory/api"

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": self.endpoint.basic} if self.endpoint.has_credentials else {}

    def check(self) -> None:
        answer = self.get(f"{self._api}/system/ping", headers=self._headers)
        if answer.status in (401, 403):
            raise UnhealthyError("the registry does not accept the credentials", answer.status)
        if answer.status != 200 or answer.body.strip() != b"OK":
            raise UnhealthyError(f"{self.endpoint.url} does not answer as Artifactory does ({answer.status})")
        super().check()

    def repositories(self) -> Iterator[str]:
        for key in self._keys():
            yield from (f"{key}/{name}" for name in self._within(key))

    def _keys(self) -> list[str]:
        return texts(rows(self.document(f"{self._api}/repositories?packageType=docker", self._headers)[0]), "key")

    def _within(self, key: str) -> Iterator[str]:
        """Its catalog, page by page: the Link header in it leads elsewhere when a proxy stands in front."""
        wanted = {"n": str(PAGE)}
        for _ in range(PAGES_MAX):
            url = f"{self._api}/docker/{quote(key)}/v2/_catalog?{urlencode(wanted)}"
            page, _ = self.document(url, self._headers)
            names = page.get("repositories") if isinstance(page, dict) else None
            found = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
            yield from found
            if len(found) < PAGE:
                return
            wanted["last"] = found[-1]
        raise UnhealthyError(f"{self.endpoint.url} has more than {PAGES_MAX} pages")

    def make_repository(self, name: str) -> None:
        """A local repository for images; the account must be an administrator for that. Raises UnhealthyError."""
        key = name.partition("/")[0]
        if key in self._keys():
            return
        body = json.dumps({"key": key, "rclass": "local", "packageType": "docker"}).encode()
        headers = {**self._headers, "Content-Type": "application/json"}
        made = self.ask("PUT", f"{self._api}/repositories/{quote(key)}", headers=headers, content=body)
        if made.status not in (200, 201):
            raise UnhealthyError(f"{self.endpoint.url} answers {made.status} to a new repository {key}", made.status)

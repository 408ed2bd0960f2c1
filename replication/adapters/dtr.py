"""Docker Trusted Registry, now Mirantis Secure Registry (2.x)."""

import json
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from replication.adapters.base import PAGES_MAX, UnhealthyError, rows
from replication.adapters.docker_registry import DockerRegistry

PAGE = 100
NEXT = "x-next-page-start"


class TrustedRegistry(DockerRegistry):
    """A name has two parts, an account's or organization's and the repository's. A push makes neither."""

    kind = "dtr"
    title = "Docker Trusted Registry"

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": self.endpoint.basic} if self.endpoint.has_credentials else {}

    def repositories(self) -> Iterator[str]:
        start = ""
        for _ in range(PAGES_MAX):
            url = f"{self.endpoint.url}/api/v0/repositories?pageSize={PAGE}&pageStart={quote(start, safe='')}"
            page, answered = self.document(url, self._headers)
            for row in rows(page, "repositories"):
                yield f"{row.get('namespace')}/{row.get('name')}"
            start = answered.get(NEXT, "")
            if not start:
                return
        raise UnhealthyError(f"{self.endpoint.url} has more than {PAGES_MAX} pages")

    def make_repository(self, name: str) -> None:
        """Private, and an organization for it where there is none. Raises UnhealthyError."""
        namespace, _, rest = name.partition("/")
        if not rest or "/" in rest:
            raise UnhealthyError(f"{name} cannot be made there: a name has two parts", 400)
        if not self._is_there(f"/enzi/v0/accounts/{namespace}"):
            self._make("/enzi/v0/accounts", {"name": namespace, "isOrg": True}, name)
        if not self._is_there(f"/api/v0/repositories/{namespace}/{rest}"):
            self._make(f"/api/v0/repositories/{namespace}", {"name": rest, "visibility": "private"}, name)

    def _is_there(self, path: str) -> bool:
        answer = self.get(self.endpoint.url + path, headers=self._headers)
        if answer.status not in (200, 404):
            raise UnhealthyError(f"{self.endpoint.url} answers {answer.status} to {path}", answer.status)
        return answer.status == 200

    def _make(self, path: str, what: Mapping[str, object], name: str) -> None:
        headers = {**self._headers, "Content-Type": "application/json"}
        made = self.ask("POST", self.endpoint.url + path, headers=headers, content=json.dumps(what).encode())
        if made.status not in (200, 201):
            raise UnhealthyError(f"{self.endpoint.url} answers {made.status} to a new repository {name}", made.status)

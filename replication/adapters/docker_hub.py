"""Docker Hub: its pages and their API are at one address, the registry at another."""

import json
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

from replication.adapters.base import PAGES_MAX, UnhealthyError, rows, texts
from replication.adapters.docker_registry import DockerRegistry

HUB, REGISTRY = "https://hub.docker.com", "https://registry-1.docker.io"
HOSTS = ("hub.docker.com", "docker.io", "index.docker.io", "registry-1.docker.io")


class DockerHub(DockerRegistry):
    kind = "docker-hub"
    title = "Docker Hub"
    endpoints = {"hub.docker.com": HUB}

    @property
    def _is_hub(self) -> bool:
        """Itself, not a mirror that stands for it."""
        return urlsplit(self.endpoint.url).hostname in HOSTS

    @property
    def registry_url(self) -> str:
        """Of Docker Hub itself, or of a mirror that stands for it."""
        return REGISTRY if self._is_hub else self.endpoint.url

    def repositories(self) -> Iterator[str] | None:
        return self._listed() if self._is_hub else None

    def _listed(self) -> Iterator[str]:
        """The account's own; what organizations have is not among them."""
        if not self.endpoint.has_credentials:
            # 404 as from a registry without a catalog: asking again will not help.
            raise UnhealthyError("Docker Hub lists an account's own repositories only: give the exact name of one", 404)
        account, headers = self.endpoint.access_key, {"Authorization": f"Bearer {self._token_of_api()}"}
        url = f"{HUB}/v2/namespaces/{quote(account, safe='')}/repositories?page_size=100"
        for _ in range(PAGES_MAX):
            page, _ = self.document(url, headers)
            yield from (f"{account}/{name}" for name in texts(rows(page, "results"), "name"))
            following = page.get("next") if isinstance(page, dict) else None
            if not isinstance(following, str):
                return
            if not following.startswith(f"{HUB}/"):
                raise UnhealthyError(f"{HUB} sends to another host, which is not followed")
            url = following
        raise UnhealthyError(f"{HUB} has more than {PAGES_MAX} pages")

    def _token_of_api(self) -> str:
        body = json.dumps({"identifier": self.endpoint.access_key, "secret": self.endpoint.access_secret}).encode()
        headers = {"Content-Type": "application/json"}
        answer = self.ask("POST", f"{HUB}/v2/auth/token", headers=headers, content=body)
        if answer.status in (401, 403):
            raise UnhealthyError("the registry does not accept the credentials", answer.status)
        try:
            token = json.loads(answer.body).get("access_token") if answer.status == 200 else None
        except (ValueError, RecursionError, AttributeError):
            token = None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise UnhealthyError(f"the token service does not answer with a token ({answer.status})", answer.status)
        return token

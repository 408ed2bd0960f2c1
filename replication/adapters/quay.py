"""Quay: quay.io, or an installation of one's own."""

import json
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlencode

from replication.adapters.base import PAGES_MAX, CredentialPattern, Endpoint, UnhealthyError, rows, texts
from replication.adapters.docker_registry import DockerRegistry


class Quay(DockerRegistry):
    """The secret is a password, or Harbor's document: ``account_name``, ``docker_cli_password`` and, for the list of
    repositories, ``oauth2_token``. Without the token the catalog is asked, which shows what an account may pull."""

    kind = "quay"
    title = "Quay"
    credentials = CredentialPattern("json_file", is_document=True)

    def __init__(self, endpoint: Endpoint) -> None:
        document = _document(endpoint.access_secret)
        self._token_of_api = document.get("oauth2_token", "")
        if document:
            endpoint = replace(
                endpoint,
                access_key=document.get("account_name", ""),
                access_secret=document.get("docker_cli_password", ""),
            )
        super().__init__(endpoint)

    def repositories(self) -> Iterator[str] | None:
        return self._listed() if self._token_of_api else None

    def _listed(self) -> Iterator[str]:
        """What is in the account's own namespace and in its organizations."""
        headers = {"Authorization": f"Bearer {self._token_of_api}"}
        api = f"{self.endpoint.url}/api/v1"
        account, _ = self.document(f"{api}/user/", headers)
        for namespace in (*texts(rows([account]), "username"), *texts(rows(account, "organizations"), "name")):
            wanted = {"namespace": namespace}
            for _ in range(PAGES_MAX):
                page, _ = self.document(f"{api}/repository?{urlencode(wanted)}", headers)
                yield from (f"{namespace}/{name}" for name in texts(rows(page, "repositories"), "name"))
                following = page.get("next_page") if isinstance(page, dict) else None
                if not isinstance(following, str):
                    break
                wanted["next_page"] = following
            else:
                raise UnhealthyError(f"{self.endpoint.url} has more than {PAGES_MAX} pages")


def _document(secret: str) -> dict[str, str]:
    """Empty for a secret that is a password."""
    try:
        found = json.loads(secret)
    except (ValueError, RecursionError):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}

"""Huawei Cloud's container registry (SWR), and its API of version 2."""

import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from harbor_core.lib.http import Answer
from replication.adapters.base import PAGES_MAX, Endpoint, UnhealthyError, rows
from replication.adapters.docker_registry import DockerRegistry
from replication.adapters.passing import Login, Passing

REGIONS = ("cn-north-1", "cn-north-4", "cn-east-2", "cn-east-3", "cn-south-1", "cn-southwest-2", "ap-southeast-1")
_HOST = re.compile(r"https://swr\.([a-z0-9-]+)\.myhuaweicloud\.(com|eu)(?::443)?")
PAGE = 100
LOGIN_SECONDS = 900.0  # the shortest that one can be asked for


def signed(
    keys: tuple[str, str], method: str, url: str, content: bytes, now: datetime, query: Mapping[str, str]
) -> dict[str, str]:
    """Headers of a call with its signature (Huawei Cloud, "AK/SK Signing", SDK-HMAC-SHA256). ``keys``: access key and
    its secret; ``url`` without the query."""
    parts, moment = urlsplit(url), now.strftime("%Y%m%dT%H%M%SZ")
    headers = {"content-type": "application/json", "host": parts.netloc, "x-sdk-date": moment}
    names, path = ";".join(headers), parts.path.rstrip("/") + "/"
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"{method}\n{path}\n{encoded(query)}\n{lines}\n{names}\n{hashlib.sha256(content).hexdigest()}"
    text = f"SDK-HMAC-SHA256\n{moment}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.digest(keys[1].encode(), text.encode(), "sha256").hex()
    return {
        "Authorization": f"SDK-HMAC-SHA256 Access={keys[0]}, SignedHeaders={names}, Signature={signature}",
        "Content-Type": headers["content-type"],
        "X-Sdk-Date": moment,
    }


def encoded(query: Mapping[str, str]) -> str:
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(query.items()))


class Huawei(DockerRegistry):
    """With the credentials of ``docker login`` (``<region>@<access key>`` and its login key) a plain registry. With the
    access key itself and its secret the API lists repositories, makes organizations, and gives logins for a while."""

    kind = "huawei-SWR"
    title = "Huawei Cloud SWR"
    endpoints = {name: f"https://swr.{name}.myhuaweicloud.com" for name in REGIONS}

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._passing = Passing(self._login_of_account)

    @property
    def api(self) -> str:
        """Address of the API in the registry's region; empty where the credentials are not for it."""
        found = _HOST.fullmatch(self.endpoint.url)
        key = self.endpoint.access_key
        return f"https://swr-api.{found[1]}.myhuaweicloud.{found[2]}" if found and key and "@" not in key else ""

    def login(self) -> str:
        return self._passing.get() if self.api else super().login()

    def repositories(self) -> Iterator[str] | None:
        return self._repositories() if self.api else None

    def make_repository(self, name: str) -> None:
        """The organization: a push makes the rest. Raises UnhealthyError."""
        organization = name.partition("/")[0]
        if not self.api or self._has(organization):
            return
        made = self._call("POST", "/v2/manage/namespaces", {"namespace": organization})
        if made.status not in (200, 201) and not self._has(organization):  # else somebody was faster
            raise UnhealthyError(f"{self.api} answers {made.status} to a new organization {organization}", made.status)

    def _has(self, organization: str) -> bool:
        path = f"/v2/manage/namespaces/{quote(organization, safe='')}"
        answer = self._call("GET", path)
        if answer.status not in (200, 404):
            raise UnhealthyError(f"{self.api} answers {answer.status} to {path}", answer.status)
        # The documentation does not say how one that is not there is answered.
        return answer.status == 200 and self._document(answer).get("name") == organization

    def _repositories(self) -> Iterator[str]:
        path = "/v2/manage/repos"
        for number in range(PAGES_MAX):
            answer = self._call("GET", path, query={"limit": str(PAGE), "offset": str(number * PAGE)})
            if answer.status != 200:
                raise UnhealthyError(f"{self.api} answers {answer.status} to {path}", answer.status)
            page = rows(self._json(answer))
            for row in page:
                # A slash in a name is a dollar sign in the paths of this API.
                yield f"{row.get('namespace')}/{row.get('name')}".replace("$", "/")
            if len(page) < PAGE:
                return

    def _login_of_account(self) -> Login:
        answer = self._call("POST", "/v2/manage/utils/secret")
        if answer.status not in (200, 201):
            raise UnhealthyError(f"{self.api} answers {answer.status} to a login", answer.status)
        auths = self._document(answer).get("auths")
        found = next((row for row in auths.values() if isinstance(row, dict)), {}) if isinstance(auths, dict) else {}
        login = found.get("auth")
        if not isinstance(login, str) or not login.isascii() or not login.isprintable():
            raise UnhealthyError("Huawei Cloud does not answer with a login")
        return f"Basic {login}", time.time() + LOGIN_SECONDS

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Mapping[str, str] | None = None
    ) -> Answer:
        """Raises UnhealthyError."""
        content = json.dumps(body).encode() if body is not None else b""
        keys = (self.endpoint.access_key, self.endpoint.access_secret)
        headers = signed(keys, method, self.api + path, content, datetime.now(UTC), query or {})
        url = f"{self.api}{path}?{encoded(query)}" if query else self.api + path
        answer = self.ask(method, url, headers=headers, content=content)
        if answer.status in (401, 403):
            raise UnhealthyError("the registry does not accept the credentials", answer.status)
        return answer

    def _json(self, answer: Answer) -> Any:
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError) as exc:
            raise UnhealthyError(f"{self.api} does not answer with JSON", answer.status) from exc

    def _document(self, answer: Answer) -> dict[str, Any]:
        found = self._json(answer)
        return found if isinstance(found, dict) else {}

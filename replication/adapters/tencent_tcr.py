"""Tencent Cloud's container registry (TCR, Enterprise Edition), and its API of version 2019-09-24."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from replication.adapters.base import PAGES_MAX, Endpoint, UnhealthyError, rows, texts
from replication.adapters.docker_registry import DockerRegistry
from replication.adapters.passing import Login, Passing, basic

API, SERVICE, VERSION = "https://tcr.tencentcloudapi.com", "tcr", "2019-09-24"
ANY_REGION = "ap-guangzhou"  # a call for all regions has to name one
KEY = "AKID"  # what the names of access keys begin with
PAGE = 100
BUSY = ("RequestLimitExceeded", "LimitExceeded")


def signed(keys: tuple[str, str], host: str, content: bytes, now: int) -> dict[str, str]:
    """Headers of a call with its signature (Tencent Cloud API, "Signature v3", TC3-HMAC-SHA256). ``keys``: SecretId and
    SecretKey; ``now`` in seconds since 1970."""
    day, kind = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d"), "application/json"
    request = f"POST\n/\n\ncontent-type:{kind}\nhost:{host}\n\ncontent-type;host\n{hashlib.sha256(content).hexdigest()}"
    scope = f"{day}/{SERVICE}/tc3_request"
    text = f"TC3-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"TC3{keys[1]}".encode()
    for part in (day, SERVICE, "tc3_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"Credential={keys[0]}/{scope}, SignedHeaders=content-type;host, Signature={signature}"
    return {
        "Authorization": f"TC3-HMAC-SHA256 {credential}",
        "Content-Type": kind,
        "X-TC-Timestamp": str(now),
        "X-TC-Version": VERSION,
    }


class Tencent(DockerRegistry):
    """With the credentials of ``docker login`` a plain registry. With an access key (SecretId and SecretKey) its API
    lists repositories, makes namespaces, and gives logins that last an hour."""

    kind = "tencent-tcr"
    title = "Tencent Cloud TCR"

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._place: tuple[str, str] | None = None
        self._passing = Passing(self._login_of_account)

    @property
    def has_key(self) -> bool:
        return self.endpoint.access_key.startswith(KEY)

    def login(self) -> str:
        return self._passing.get() if self.has_key else super().login()

    def repositories(self) -> Iterator[str] | None:
        return self._repositories() if self.has_key else None

    def make_repository(self, name: str) -> None:
        """The namespace, private: a push makes the rest. Raises UnhealthyError."""
        namespace = name.partition("/")[0]
        if self.has_key and not self._has(namespace):
            try:
                self._call("CreateNamespace", NamespaceName=namespace, IsPublic=False)
            except UnhealthyError:
                if not self._has(namespace):  # somebody was faster
                    raise

    def _has(self, namespace: str) -> bool:
        found = rows(self._call("DescribeNamespaces", NamespaceName=namespace, Limit=PAGE, Offset=1), "NamespaceList")
        return namespace in texts(found, "Name")

    def _repositories(self) -> Iterator[str]:
        for number in range(1, PAGES_MAX):
            page = rows(self._call("DescribeRepositories", Limit=PAGE, Offset=number), "RepositoryList")
            for row in page:
                namespace, name = str(row.get("Namespace", "")), str(row.get("Name", ""))
                yield name if name.startswith(f"{namespace}/") else f"{namespace}/{name}"
            if len(page) < PAGE:
                return

    def _login_of_account(self) -> Login:
        found = self._call("CreateInstanceToken", TokenType="temp")
        name, token, end = (found.get(key) for key in ("Username", "Token", "ExpTime"))
        if not isinstance(name, str) or not isinstance(token, str):
            raise UnhealthyError("Tencent Cloud does not answer with a token")
        return basic(name, token), float(end) / 1000 if isinstance(end, int) else 0.0

    def _instance(self) -> tuple[str, str]:
        """Id and region of the instance that has this address. Raises UnhealthyError."""
        if self._place is None:
            host = urlsplit(self.endpoint.url).hostname
            for start in range(0, PAGES_MAX, PAGE):
                wanted = {"AllRegion": True, "Limit": PAGE, "Offset": start}
                page = rows(self._ask("DescribeInstances", ANY_REGION, wanted), "Registries")
                for row in page:
                    if row.get("PublicDomain") == host:
                        self._place = str(row.get("RegistryId")), str(row.get("RegionName"))
                        return self._place
                if len(page) < PAGE:
                    break
            raise UnhealthyError(f"the account has no instance with the address {host}", 404)
        return self._place

    def _call(self, action: str, **wanted: Any) -> dict[str, Any]:
        """About the instance. Raises UnhealthyError."""
        instance, region = self._instance()
        return self._ask(action, region, {"RegistryId": instance} | wanted)

    def _ask(self, action: str, region: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        content, keys = json.dumps(wanted).encode(), (self.endpoint.access_key, self.endpoint.access_secret)
        headers = signed(keys, urlsplit(API).netloc, content, int(time.time()))
        headers |= {"X-TC-Action": action, "X-TC-Region": region}
        answer = self.ask("POST", f"{API}/", headers=headers, content=content)
        try:
            document = json.loads(answer.body)
        except (ValueError, RecursionError) as exc:
            raise UnhealthyError(f"{API} does not answer with JSON", answer.status) from exc
        found = document.get("Response") if isinstance(document, dict) else None
        if not isinstance(found, dict):
            raise UnhealthyError(f"{API} answers {answer.status} to {action}", answer.status)
        error = found.get("Error")
        if isinstance(error, dict):
            raise _refused(str(error.get("Code", ""))[:100], action)
        return found


def _refused(code: str, action: str) -> UnhealthyError:
    """Refusals come with status 200."""
    if code.startswith("AuthFailure"):
        return UnhealthyError("the registry does not accept the credentials", 401)
    return UnhealthyError(f"Tencent Cloud answers {code} to {action}", 429 if code.startswith(BUSY) else 400)

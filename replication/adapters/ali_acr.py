"""Alibaba Cloud's container registry (ACR), and the API of its Enterprise Edition of version 2018-12-01."""

import hashlib
import hmac
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from replication.adapters.base import PAGES_MAX, Endpoint, UnhealthyError, rows, texts
from replication.adapters.docker_registry import DockerRegistry
from replication.adapters.passing import Login, Passing, basic

VERSION, ALGORITHM = "2018-12-01", "ACS3-HMAC-SHA256"
KEY = "LTAI"  # what the names of access keys begin with
_HOST = re.compile(r"https://([a-z0-9-]+)-registry\.([a-z0-9-]+)\.cr\.aliyuncs\.com(?::443)?")
PAGE = 100
REFUSED = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "IncompleteSignature")
REGIONS = [
    "cn-qingdao",
    "cn-beijing",
    "cn-zhangjiakou",
    "cn-huhehaote",
    "cn-wulanchabu",
    "cn-hangzhou",
    "cn-shanghai",
    "cn-shenzhen",
    "cn-heyuan",
    "cn-guangzhou",
    "cn-chengdu",
    "cn-hongkong",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-5",
    "ap-south-1",
    "ap-northeast-1",
    "us-west-1",
    "us-east-1",
    "eu-central-1",
    "eu-west-1",
    "me-east-1",
]


def signed(keys: tuple[str, str], host: str, query: str, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers (x-acs-*, in lower case) of a call without a body, and its signature (Alibaba Cloud, "V3 request
    structure and signature"). ``keys``: access key and its secret; ``query`` as :func:`encoded` makes it."""
    nothing = hashlib.sha256(b"").hexdigest()
    sent = {"host": host, "x-acs-content-sha256": nothing} | dict(headers)
    names = ";".join(sorted(sent))
    lines = "".join(f"{name}:{sent[name]}\n" for name in sorted(sent))
    request = f"POST\n/\n{query}\n{lines}\n{names}\n{nothing}"
    text = f"{ALGORITHM}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.digest(keys[1].encode(), text.encode(), "sha256").hex()
    return sent | {"authorization": f"{ALGORITHM} Credential={keys[0]},SignedHeaders={names},Signature={signature}"}


def encoded(query: Mapping[str, str]) -> str:
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(query.items()))


class Alibaba(DockerRegistry):
    """With the credentials of ``docker login`` a plain registry. With an access key, at the address of an instance of
    the Enterprise Edition, its API lists repositories, makes namespaces, and gives logins for a while."""

    kind = "ali-acr"
    title = "Alibaba Cloud ACR"
    endpoints = {name: f"https://registry.{name}.aliyuncs.com" for name in REGIONS}

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._id = ""
        self._passing = Passing(self._login_of_account)

    @property
    def place(self) -> tuple[str, str]:
        """Address of the API and name of the instance, empty where the credentials are not for it."""
        found = _HOST.fullmatch(self.endpoint.url) if self.endpoint.access_key.startswith(KEY) else None
        return (f"https://cr.{found[2]}.aliyuncs.com", found[1]) if found else ("", "")

    def login(self) -> str:
        return self._passing.get() if self.place[0] else super().login()

    def repositories(self) -> Iterator[str] | None:
        return self._repositories() if self.place[0] else None

    def make_repository(self, name: str) -> None:
        """The namespace, in which a push makes private repositories. Raises UnhealthyError."""
        namespace = name.partition("/")[0]
        if not self.place[0] or self._has(namespace):
            return
        try:
            self._call("CreateNamespace", NamespaceName=namespace, AutoCreateRepo="true", DefaultRepoType="PRIVATE")
        except UnhealthyError:
            if not self._has(namespace):  # somebody was faster
                raise

    def _has(self, namespace: str) -> bool:
        found = self._call("ListNamespace", NamespaceName=namespace, PageNo="1", PageSize=str(PAGE))
        return namespace in texts(rows(found, "Namespaces"), "NamespaceName")

    def _repositories(self) -> Iterator[str]:
        for number in range(1, PAGES_MAX):
            found = self._call("ListRepository", RepoStatus="NORMAL", PageNo=str(number), PageSize=str(PAGE))
            page = rows(found, "Repositories")
            yield from (f"{row.get('RepoNamespaceName')}/{row.get('RepoName')}" for row in page)
            if len(page) < PAGE:
                return

    def _login_of_account(self) -> Login:
        found = self._call("GetAuthorizationToken")
        name, token, end = (found.get(key) for key in ("TempUsername", "AuthorizationToken", "ExpireTime"))
        if not isinstance(name, str) or not isinstance(token, str):
            raise UnhealthyError("Alibaba Cloud does not answer with a token")
        return basic(name, token), float(end) / 1000 if isinstance(end, int) else 0.0

    def _instance(self) -> str:
        """Id of the instance that has this address. Raises UnhealthyError."""
        name = self.place[1]
        if not self._id:
            for row in rows(self._ask("ListInstance", {"InstanceName": name}), "Instances"):
                if row.get("InstanceName") == name:
                    self._id = str(row.get("InstanceId"))
        if not self._id:
            raise UnhealthyError(f"the account has no instance with the address {self.endpoint.url}", 404)
        return self._id

    def _call(self, action: str, **wanted: str) -> dict[str, Any]:
        """About the instance. Raises UnhealthyError."""
        return self._ask(action, {"InstanceId": self._instance()} | wanted)

    def _ask(self, action: str, wanted: Mapping[str, str]) -> dict[str, Any]:
        api, query = self.place[0], encoded(wanted)
        told = {
            "x-acs-action": action,
            "x-acs-version": VERSION,
            "x-acs-date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": uuid.uuid4().hex,
        }
        headers = signed((self.endpoint.access_key, self.endpoint.access_secret), urlsplit(api).netloc, query, told)
        del headers["host"]
        answer = self.ask("POST", f"{api}/?{query}", headers=headers, content=b"")
        try:
            document = json.loads(answer.body)
        except (ValueError, RecursionError) as exc:
            raise UnhealthyError(f"{api} does not answer with JSON", answer.status) from exc
        if not isinstance(document, dict):
            raise UnhealthyError(f"{api} does not answer with JSON", answer.status)
        if answer.status != 200 or document.get("IsSuccess") is False:
            raise _refused(str(document.get("Code", ""))[:100], action, answer.status)
        return document


def _refused(code: str, action: str, status: int) -> UnhealthyError:
    if code.startswith(REFUSED):
        return UnhealthyError("the registry does not accept the credentials", 401)
    is_busy = code.startswith("Throttling")
    return UnhealthyError(
        f"Alibaba Cloud answers {code} to {action}", 429 if is_busy else status if status != 200 else 400
    )

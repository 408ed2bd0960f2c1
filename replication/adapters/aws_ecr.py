"""Amazon's container registry: an API for tokens and repositories, beside the registry itself."""

import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harbor_core.lib.http import Answer
from replication.adapters.base import PAGES_MAX, Endpoint, UnhealthyError, rows, texts
from replication.adapters.docker_registry import DockerRegistry

REGIONS = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "sa-east-1",
    "eu-central-1",
    "eu-north-1",
    "eu-south-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "af-south-1",
    "me-south-1",
    "ap-east-1",
    "ap-south-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-southeast-1",
    "ap-southeast-2",
]
CHINA = ("cn-north-1", "cn-northwest-1")
_HOST = re.compile(r"https://(?:api\.ecr|(\d{12})\.dkr\.ecr)\.([a-z0-9-]+)\.(amazonaws\.com(?:\.cn)?)(?::443)?")
_TARGET = "AmazonEC2ContainerRegistry_V20150921"
EARLY = 300  # seconds before its end a token is replaced
BUSY = ("ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded")


@dataclass(frozen=True, slots=True)
class Place:
    """``account`` is empty where the address does not say it: then it is the one the credentials belong to."""

    api: str
    region: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class Granted:
    """A token for the registry; ``until`` in seconds since 1970."""

    authorization: str
    registry: str
    until: float


class RefusedError(UnhealthyError):
    """``code`` is Amazon's name for the reason."""

    def __init__(self, code: str, action: str, status: int) -> None:
        super().__init__(f"Amazon answers {code} to {action}", 429 if code in BUSY else status)
        self.code = code


class AmazonEcr(DockerRegistry):
    """The address is that of the API in a region, or of an account's registry; the credentials are an access key and
    its secret, without them those of the machine (role, environment). Calls to the API are signed with botocore and
    go out by the one door that all calls use, so certificates, proxies and time limits hold for them, too."""

    kind = "aws-ecr"
    title = "Amazon ECR"
    endpoints = {name: f"https://api.ecr.{name}.amazonaws.com" for name in REGIONS} | {
        name: f"https://api.ecr.{name}.amazonaws.com.cn" for name in CHINA
    }

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._granted: Granted | None = None
        self._renewing = threading.Lock()

    @property
    def place(self) -> Place:
        """Raises UnhealthyError for what is no address of ECR."""
        found = _HOST.fullmatch(self.endpoint.url)
        if found is None:
            raise UnhealthyError(f"{self.endpoint.url} is no address of Amazon ECR")
        account, region, domain = found.groups()
        return Place(f"https://api.ecr.{region}.{domain}", region, account or "")

    @property
    def registry_url(self) -> str:
        """Raises UnhealthyError where it has to be asked for."""
        return self.endpoint.url if self.place.account else self._grant().registry

    def check(self) -> None:
        """A new token, and the registry takes it."""
        headers = {"Authorization": self._grant(new=True).authorization}
        self.expect_registry(self.get(f"{self.registry_url}/v2/", headers=headers))

    def standing_authorization(self) -> str:
        # An expired token is answered with 403, not with a challenge: its end is looked at before it is sent.
        return self._grant().authorization

    def authorization(self, challenged: Answer) -> str:
        return self._grant(new=True).authorization

    def repositories(self) -> Iterator[str]:
        wanted: dict[str, Any] = {"maxResults": 1000}
        for _ in range(PAGES_MAX):
            page = self._call("DescribeRepositories", **wanted)
            yield from texts(rows(page, "repositories"), "repositoryName")
            if not page.get("nextToken"):
                return
            wanted["nextToken"] = page["nextToken"]
        raise UnhealthyError(f"{self.endpoint.url} has more than {PAGES_MAX} pages")

    def make_repository(self, name: str) -> None:
        try:
            self._call("DescribeRepositories", repositoryNames=[name])
        except RefusedError as exc:
            if exc.code != "RepositoryNotFoundException":
                raise
        else:
            return
        try:
            self._call("CreateRepository", repositoryName=name)
        except RefusedError as exc:
            if exc.code != "RepositoryAlreadyExistsException":  # somebody was faster
                raise

    def _grant(self, *, new: bool = False) -> Granted:
        with self._renewing:
            if new or self._granted is None or self._granted.until - EARLY < time.time():
                self._granted = self._token_of_account()
            return self._granted

    def _token_of_account(self) -> Granted:
        found = rows(self._call("GetAuthorizationToken"), "authorizationData")
        token, registry = (texts(found[:1], key) for key in ("authorizationToken", "proxyEndpoint"))
        if not token or not registry or not token[0].isascii() or not token[0].isprintable():
            raise UnhealthyError("Amazon does not answer with a token")
        until = found[0].get("expiresAt")
        return Granted(f"Basic {token[0]}", registry[0], float(until) if isinstance(until, int | float) else 0.0)

    def _call(self, action: str, **wanted: Any) -> dict[str, Any]:
        """Raises RefusedError, UnhealthyError."""
        # Heavy, and nobody else needs them.
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        place = self.place
        if place.account and action != "GetAuthorizationToken":
            wanted["registryId"] = place.account
        content = json.dumps(wanted).encode()
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{_TARGET}.{action}"}
        request = AWSRequest("POST", f"{place.api}/", headers=headers, data=content)
        SigV4Auth(self._keys(), "ecr", place.region).add_auth(request)
        answer = self.ask("POST", f"{place.api}/", headers=dict(request.headers.items()), content=content)
        try:
            document = json.loads(answer.body)
        except (ValueError, RecursionError) as exc:
            raise UnhealthyError(f"{place.api} does not answer with JSON", answer.status) from exc
        if not isinstance(document, dict):
            raise UnhealthyError(f"{place.api} does not answer with JSON", answer.status)
        if answer.status != 200:
            code = str(document.get("__type", "")).rpartition("#")[2][:100]
            raise RefusedError(code or str(answer.status), action, answer.status)
        return document

    def _keys(self) -> Any:
        """Raises UnhealthyError when there are none."""
        import boto3
        from botocore.credentials import Credentials

        if self.endpoint.has_credentials:
            return Credentials(self.endpoint.access_key, self.endpoint.access_secret)
        found = boto3.session.Session().get_credentials()
        if found is None:
            raise UnhealthyError("the registry asks for credentials")
        return found

"""What a kind of remote registry has to offer."""

import base64
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self
from urllib.parse import urljoin, urlsplit

from django.conf import settings

from harbor_core.lib import http, ssrf

PAGES_MAX = 10_000
NEXT_PAGE = re.compile(r'<([^>]*)>\s*;[^,]*rel="?next"?')  # of a Link header


class UnhealthyError(Exception):
    """The registry does not answer as it should; the message is one sentence for an administrator, ``status`` what was
    answered, 0 for no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How a remote registry is reached. ``ca_certificate`` is PEM, empty for the system's authorities;
    ``client_certificate`` and ``client_key``, PEM, are shown to the registry's own host. ``proxy`` is an address,
    with a password where it wants one. ``timeout``: seconds a call may wait, 0 for what is usual. ``more`` are further
    access keys and secrets that are as good as the first."""

    url: str
    access_key: str = ""
    access_secret: str = field(default="", repr=False)
    insecure: bool = False
    ca_certificate: str = ""
    client_certificate: str = ""
    client_key: str = field(default="", repr=False)
    proxy: str = field(default="", repr=False)
    timeout: int = 0
    more: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def has_credentials(self) -> bool:
        return bool(self.access_key or self.access_secret)

    def door(self, url: str) -> dict[str, Any]:
        """Options of harbor_core.lib.http for a call to this address."""
        own = _host(url) == _host(self.url)
        shown = {"client_certificate": self.client_certificate, "client_key": self.client_key} if own else {}
        return {"verify": not self.insecure, "ca_certificate": self.ca_certificate, "proxy": self.proxy, **shown}

    @property
    def basic(self) -> str:
        """The value of an Authorization header."""
        return "Basic " + base64.b64encode(f"{self.access_key}:{self.access_secret}".encode()).decode("ascii")


@dataclass(frozen=True, slots=True)
class Filter:
    """What replication can choose by; ``style`` says how a form asks for it (input, list, radio)."""

    type: str
    style: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Info:
    """What replication can do with a registry."""

    type: str
    filters: tuple[Filter, ...]
    triggers: tuple[str, ...] = ("manual", "scheduled")
    description: str = ""
    copy_by_chunk: bool = False


@dataclass(frozen=True, slots=True)
class CredentialPattern:
    """What the credentials of a kind are. ``access_key``: a name that goes with every secret, so that none has to be
    given; empty where accounts have names. ``is_document``: the secret is what stands in a file, JSON."""

    access_key: str = ""
    is_document: bool = False


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # no address at all: the call itself will tell
        return None


NAME_AND_TAG = (Filter("name", "input"), Filter("tag", "input"))


class Adapter(ABC):
    """``kind`` is its name in the API, ``title`` on pages. ``endpoints`` are the addresses a registry of this kind can
    have, by a name for each; empty: any. ``can_be_target``: whether anything can be put there."""

    kind: ClassVar[str]
    title: ClassVar[str]
    endpoints: ClassVar[dict[str, str]] = {}
    credentials: ClassVar[CredentialPattern] = CredentialPattern()
    can_be_target: ClassVar[bool] = True

    def __init__(self, endpoint: Endpoint) -> None:
        if endpoint.access_secret and not endpoint.access_key:
            endpoint = replace(endpoint, access_key=self.credentials.access_key)
        self.endpoint = endpoint

    def others(self) -> list[Self]:
        """The same registry, with each of the endpoint's further credentials."""
        return [
            type(self)(replace(self.endpoint, access_key=key, access_secret=secret, more=()))
            for key, secret in self.endpoint.more
        ]

    @abstractmethod
    def check(self) -> None:
        """Ask whether it is there, speaks its protocol and takes the credentials. Raises UnhealthyError."""

    @abstractmethod
    def info(self) -> Info:
        """What replication can do with it."""

    def get(self, url: str, **options: Any) -> http.Answer:
        """Through the outbound door. Raises UnhealthyError when there is no answer."""
        return self.ask("GET", url, **options)

    def ask(self, method: str, url: str, **options: Any) -> http.Answer:
        """As :meth:`get`, with another method."""
        try:
            seconds = options.pop("seconds", http.SECONDS)
            return http.request(
                method,
                url,
                seconds=self.endpoint.timeout or seconds,
                private=self.may_be_private(url),
                **self.endpoint.door(url),
                **options,
            )
        except http.OutboundError as exc:
            raise UnhealthyError(str(exc)) from exc

    def document(self, url: str, headers: Mapping[str, str] | None = None) -> tuple[Any, dict[str, str]]:
        """The JSON at an address, and the headers it came with (names in lower case). Raises UnhealthyError."""
        answer = self.get(url, headers=headers)
        return self.parsed(url, answer), answer.headers

    def parsed(self, url: str, answer: http.Answer) -> Any:
        """The JSON of an answer. Raises UnhealthyError."""
        parts = urlsplit(url)
        if answer.status != 200:
            message = f"{parts.scheme}://{parts.netloc} answers {answer.status} to {parts.path}"
            raise UnhealthyError(message, answer.status)
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError) as exc:
            raise UnhealthyError(f"{parts.scheme}://{parts.netloc} does not answer with JSON") from exc

    def pages(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator[Any]:
        """The documents of a list whose ``Link`` header leads to the next page. Raises UnhealthyError."""
        for _ in range(PAGES_MAX):
            content, answered = self.document(url, headers)
            yield content
            following = NEXT_PAGE.search(answered.get("link", ""))
            if following is None:
                return
            target = urljoin(url, following[1])
            if urlsplit(target)[:2] != urlsplit(url)[:2]:  # the headers hold a secret
                raise UnhealthyError(f"{self.endpoint.url} sends to another host, which is not followed")
            url = target
        raise UnhealthyError(f"{self.endpoint.url} has more than {PAGES_MAX} pages")

    def may_be_private(self, url: str) -> bool:
        """Administrators name registries, so those may be in the private network, unless the operator says otherwise.
        Where a registry of the public internet sends us (for a token, say) may not."""
        if not settings.REGISTRIES_MAY_BE_PRIVATE:
            return False
        own = urlsplit(self.endpoint.url).hostname or ""
        try:
            if urlsplit(url).hostname == own:
                return True
            ssrf.addresses(own, 443)
        except ssrf.RefusedTargetError:
            return True
        except (OSError, ValueError):
            pass  # nobody knows the name, or it is none: the call itself will tell
        return False


def rows(content: Any, key: str = "") -> list[dict[str, Any]]:
    """The objects in a list, or in the list of this name in an object; none where an answer is something else."""
    found = content.get(key) if key and isinstance(content, dict) else content
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def texts(found: list[dict[str, Any]], key: str) -> list[str]:
    """What the objects have under this name, as far as that is text."""
    return [row[key] for row in found if isinstance(row.get(key), str)]

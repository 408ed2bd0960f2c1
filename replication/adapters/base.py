"""What a kind of remote registry has to offer."""

import base64
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import urlsplit

from harbor_core.lib import http, ssrf


class UnhealthyError(Exception):
    """The registry does not answer as it should; the message is one sentence for an administrator, ``status`` what was
    answered, 0 for no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How a remote registry is reached. ``ca_certificate`` is PEM, empty for the system's authorities."""

    url: str
    access_key: str = ""
    access_secret: str = field(default="", repr=False)
    insecure: bool = False
    ca_certificate: str = ""

    @property
    def has_credentials(self) -> bool:
        return bool(self.access_key or self.access_secret)

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


NAME_AND_TAG = (Filter("name", "input"), Filter("tag", "input"))


class Adapter(ABC):
    """``endpoints`` are the addresses a registry of this kind can have, by a name for each; empty: any."""

    kind: ClassVar[str]
    endpoints: ClassVar[dict[str, str]] = {}

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

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
            return http.request(
                method,
                url,
                verify=not self.endpoint.insecure,
                ca_certificate=self.endpoint.ca_certificate,
                private=self.may_be_private(url),
                **options,
            )
        except http.OutboundError as exc:
            raise UnhealthyError(str(exc)) from exc

    def may_be_private(self, url: str) -> bool:
        """Administrators name registries, so those may be in the private network. Where a registry of the public
        internet sends us (for a token, say) may not."""
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

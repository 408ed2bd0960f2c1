"""Public keys of the issuers that robots trust: fetched, kept, and fetched again when a token names one we do not know.

Kept per process and per :class:`Source`, so that nobody who chooses an address or an authority of their own changes
the keys another trust sees. One thread fetches while the others go on with what is kept, or wait for a key that is not.
An issuer that does not answer is asked again a little later; its keys go on for a grace period.
"""

import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from harbor_core.lib.errors import HarborError
from harbor_core.lib.http import OutboundError, get_json

logger = logging.getLogger(__name__)
TTL_SECONDS = 300.0
GRACE_SECONDS = 24 * 3600.0
RETRY_SECONDS = 30.0  # between two fetches, whatever the reason
MAX_BYTES = 256 * 1024
MAX_KEYS = 100
MAX_SOURCES = 1000
FETCH_SECONDS = 5.0  # each of two requests
MAX_BUSY = 4  # threads that fetch or wait: slow issuers must not take every one of the process
DISCOVERY = "/.well-known/openid-configuration"
Jwk = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """Where keys come from: ``jwks_uri``, or the issuer's discovery document when that is empty."""

    issuer: str
    jwks_uri: str
    ca_certificate: str


@dataclass(slots=True)
class _Kept:
    keys: list[Jwk] | None = None
    fetched: float = float("-inf")  # monotonic
    tried: float = float("-inf")
    lock: threading.Lock = field(default_factory=threading.Lock)

    def has(self, kid: str | None) -> bool:
        return self.keys is not None and (kid is None or any(key.get("kid") == kid for key in self.keys))

    def answers(self, kid: str | None) -> bool:
        """Without asking the issuer."""
        return self.has(kid) and time.monotonic() - self.fetched < TTL_SECONDS

    def usable(self, source: Source) -> list[Jwk]:
        if self.keys is None or time.monotonic() - self.fetched > GRACE_SECONDS:
            wait = {"Retry-After": str(int(RETRY_SECONDS))}
            raise HarborError("SERVICE_UNAVAILABLE", f"the keys of {source.issuer} cannot be fetched", headers=wait)
        return self.keys


_kept: OrderedDict[Source, _Kept] = OrderedDict()
_guard = threading.Lock()
_busy = threading.BoundedSemaphore(MAX_BUSY)


def keys_of(source: Source, kid: str | None) -> list[Jwk]:
    """The issuer's keys, fetched again if ``kid`` is not among those kept. Raises SERVICE_UNAVAILABLE when there are
    none and the issuer does not answer."""
    kept = _of(source)
    if not kept.answers(kid) and _busy.acquire(blocking=False):
        try:
            _refresh(kept, source, kid)
        finally:
            _busy.release()
    return kept.usable(source)


def forget() -> None:
    """Drop every key (in tests)."""
    with _guard:
        _kept.clear()


def _of(source: Source) -> _Kept:
    with _guard:
        kept = _kept.setdefault(source, _Kept())
        _kept.move_to_end(source)
        while len(_kept) > MAX_SOURCES:
            _kept.popitem(last=False)
        return kept


def _refresh(kept: _Kept, source: Source, kid: str | None) -> None:
    """Fetch, unless somebody just did; wait for who is fetching only for a key that is not there."""
    if not kept.lock.acquire(timeout=0.0 if kept.has(kid) else 2 * FETCH_SECONDS):
        return
    try:
        if kept.answers(kid) or time.monotonic() - kept.tried < RETRY_SECONDS:
            return
        kept.tried = time.monotonic()
        kept.keys = _fetch(source)
        kept.fetched = time.monotonic()
    except OutboundError as exc:
        logger.warning("the keys of %s cannot be fetched: %s", source.issuer, exc)
    finally:
        kept.lock.release()


def _fetch(source: Source) -> list[Jwk]:
    """Raises OutboundError."""
    document = _get(source.jwks_uri or _discover(source), source)
    keys = document.get("keys")
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise OutboundError("the document is no set of keys")
    return keys[:MAX_KEYS]


def _discover(source: Source) -> str:
    """``jwks_uri`` of the discovery document (OpenID Connect Discovery 1.0, section 4)."""
    document = _get(source.issuer.rstrip("/") + DISCOVERY, source)
    if document.get("issuer") != source.issuer:
        raise OutboundError("the discovery document is another issuer's")
    uri = document.get("jwks_uri")
    if not isinstance(uri, str):
        raise OutboundError("the discovery document has no jwks_uri")
    return uri


def _get(url: str, source: Source) -> dict[str, Any]:
    if urlsplit(url).scheme != "https":
        raise OutboundError("keys are fetched over https only")
    return get_json(url, ca_certificate=source.ca_certificate, max_bytes=MAX_BYTES, seconds=FETCH_SECONDS)

"""The one door for calls to other systems: time limits, bounded answers, verified certificates, no private targets
(harbor_core.lib.ssrf), no redirect to another origin.

:func:`request` is for an answer that fits into memory. :func:`client` is the same door for a longer conversation.
``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY`` are honoured; behind a proxy a name that only the proxy can resolve is
the proxy's to judge.
"""

import json
import os
import ssl
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from harbor_core.lib import ssrf, tracing

SECONDS = 10.0
MAX_BYTES = 1024 * 1024
MAX_REDIRECTS = 3
USER_AGENT = "harbor"
_SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class OutboundError(Exception):
    """The call failed; the message says why in one sentence, without anything the other side said."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    seconds: float = SECONDS,
    max_bytes: int = MAX_BYTES,
    private: bool = False,
    follow: bool = True,
    **trust: Any,
) -> Answer:
    """Ask once, whatever the status. ``seconds`` limits the whole call, ``max_bytes`` the body of the answer.

    ``private`` allows addresses of the private network: for targets that only administrators name. Redirects are
    followed within the origin; without ``follow`` they are an answer. ``trust``: further options of :func:`client`.
    Raises OutboundError.
    """
    sent = {"Accept-Encoding": "identity", "User-Agent": USER_AGENT} | dict(headers or {})
    deadline = time.monotonic() + seconds
    try:
        with client(url, seconds, deadline, private=private, **trust) as caller:
            target = httpx.URL(url)
            for _ in range(MAX_REDIRECTS + 1):
                with caller.stream(method, target, headers=sent, content=content) as response:
                    if not follow or not response.has_redirect_location:
                        body = _bounded(response, max_bytes, deadline)
                        return Answer(response.status_code, dict(response.headers), body)
                    target = _within_origin(target, response.headers["location"])
    except ssrf.RefusedTargetError as exc:
        raise OutboundError(str(exc)) from exc
    except httpx.TimeoutException as exc:
        raise OutboundError(f"no complete answer within {seconds:g} s") from exc
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError, ValueError) as exc:
        raise OutboundError(f"the call failed: {exc}"[:500]) from exc
    raise OutboundError(f"more than {MAX_REDIRECTS} redirects")


def get_json(url: str, **options: Any) -> dict[str, Any]:
    """The JSON object at the address; options of :func:`request`. Raises OutboundError for anything else."""
    answer = request("GET", url, headers={"Accept": "application/json"}, **options)
    if answer.status != 200:
        raise OutboundError(f"the answer was {answer.status}")
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError) as exc:
        raise OutboundError("the answer is not JSON") from exc
    if not isinstance(document, dict):
        raise OutboundError("the answer is not a JSON object")
    return document


def client(
    base_url: str,
    seconds: float = SECONDS,
    deadline: float | None = None,
    *,
    private: bool = False,
    ca_certificate: str = "",
    verify: bool = True,
    client_certificate: str = "",
    client_key: str = "",
    proxy: str = "",
) -> httpx.Client:
    """A client for the origin of ``base_url``, to be used in a ``with``. ``seconds`` limits each wait, ``deadline``
    (monotonic) everything. It follows no redirect.

    ``ca_certificate`` (PEM) is trusted instead of the system's authorities; ``client_certificate`` and ``client_key``
    (PEM) are shown to a server that asks. ``proxy`` is an address to go through, instead of the environment's. Raises
    ValueError, OSError for what is no http(s) address, certificate or key.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{base_url[:200]!r} is not an http or https address")
    transport: httpx.BaseTransport
    context = _context(ca_certificate, verify)
    if client_certificate:
        _show(context, client_certificate, client_key)
    through = proxy or (None if proxy_bypass(parts.hostname) else getproxies().get(parts.scheme))
    if through:
        transport = _Proxied(httpx.HTTPTransport(verify=context, proxy=through), private)
    else:
        transport = httpx.HTTPTransport(verify=context)
        # httpx has no parameter for how its pool connects.
        transport._pool = httpcore.ConnectionPool(
            context, max_connections=100, keepalive_expiry=30.0, network_backend=_Door(deadline, private)
        )
    transport = tracing.watched_http(transport)
    return httpx.Client(transport=transport, timeout=seconds, trust_env=False, follow_redirects=False)


def _context(ca_certificate: str, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ca_certificate or None)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _show(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """The ssl module reads keys from files only; this one is in memory, and ends with its descriptor."""
    number = os.memfd_create("client", os.MFD_CLOEXEC)
    with os.fdopen(number, "wb") as file:
        file.write(f"{certificate.strip()}\n{key.strip()}\n".encode())
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{number}")


def _bounded(response: httpx.Response, max_bytes: int, deadline: float) -> bytes:
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > max_bytes:
            raise OutboundError(f"the answer is longer than {max_bytes} bytes")
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("too slow")
    return bytes(body)


def _within_origin(asked: httpx.URL, location: str) -> httpx.URL:
    target = asked.join(location)
    if (target.scheme, target.host, target.port) != (asked.scheme, asked.host, asked.port):
        raise OutboundError("the answer is a redirect to another origin, which is not followed")
    return target


class _Door(httpcore.SyncBackend):
    """Connects to addresses that may be called, and to none after the deadline."""

    def __init__(self, deadline: float | None, private: bool) -> None:
        self._deadline = deadline
        self._private = private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in ssrf.addresses(host, port, private=self._private):
            try:
                left = _left(timeout, self._deadline, httpcore.ConnectTimeout)
                stream = super().connect_tcp(address, port, left, local_address, socket_options)
                return _Limited(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                failure = exc
        raise failure


class _Limited(httpcore.NetworkStream):
    """A connection on which nothing waits past the deadline, however the other side spreads its bytes."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float | None) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, self._deadline, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout, self._deadline, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, self._deadline, httpcore.ConnectTimeout)
        return _Limited(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(timeout: float | None, deadline: float | None, error: type[Exception]) -> float | None:
    """Seconds one operation may take."""
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise error("the time is over")
    return left if timeout is None else min(timeout, left)


class _Proxied(httpx.BaseTransport):
    """Through a proxy, after looking at the target as far as it can be resolved here."""

    def __init__(self, inner: httpx.HTTPTransport, private: bool) -> None:
        self._inner = inner
        self._private = private

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with suppress(OSError):  # a name that only the proxy knows
            ssrf.addresses(request.url.host, request.url.port or 443, private=self._private)
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()

"""Calls to the backing registry:2, over its unix socket or TCP, with a connection kept per thread."""

import base64
import hashlib
import hmac
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from urllib.parse import urlencode, urlsplit

from django.conf import settings

from auth.keys import registry_token
from harbor_core.lib import tracing
from harbor_core.lib.errors import HarborError

TIMEOUT_SECONDS = 60
_local = threading.local()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("registry", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes


def _connect() -> http.client.HTTPConnection:
    url = settings.REGISTRY_URL
    if url.startswith("unix:"):
        return _UnixConnection(url.removeprefix("unix:").removeprefix("//"), TIMEOUT_SECONDS)
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 5000
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=trust())
    return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)


@cache
def trust() -> ssl.SSLContext:
    """Whose certificates the registry may show: the authority's of the roles, and nobody else's, where there is one."""
    return ssl.create_default_context(cafile=settings.INTERNAL_TLS.authority if settings.INTERNAL_TLS else None)


def _once(method: str, path: str, headers: dict[str, str]) -> Answer:
    connection = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = _connect()
    try:
        with tracing.span(f"registry {method}", **{"http.request.method": method}):
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            body = response.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        _local.connection = None
        raise
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


def call(method: str, path: str, token: str, *, length: int | None = 0) -> Answer:
    """One request without a body. Raises SERVICE_UNAVAILABLE when the registry cannot be reached or refuses us."""
    headers = {"Authorization": f"Bearer {token}"}
    if method in ("POST", "PUT", "PATCH"):
        headers["Content-Length"] = str(length)
    try:
        try:
            answer = _once(method, path, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            answer = _once(method, path, headers)  # the kept connection had gone stale
    except (OSError, http.client.HTTPException) as exc:
        raise _unavailable("the storage registry cannot be reached") from exc
    if answer.status in (401, 403) or answer.status >= 500:
        raise _unavailable(f"the storage registry answered {answer.status}")
    return answer


def start_upload(repository: str) -> Answer:
    return call("POST", f"/v2/{repository}/blobs/uploads/", registry_token((repository, ("pull", "push"))))


def mount(repository: str, digest: str, source: str) -> Answer:
    """201 when mounted; 202 with an upload session when the registry could not."""
    query = urlencode({"mount": digest, "from": source})
    token = registry_token((repository, ("pull", "push")), (source, ("pull",)))
    return call("POST", f"/v2/{repository}/blobs/uploads/?{query}", token)


def upload_state(repository: str, upload: str, offset: int) -> str:
    """The ``_state`` parameter registry:2 expects for a session at this offset (it signs what it hands out with
    ``http.secret``). A client whose chunk was cut off only knows an older one."""
    state = {"Name": repository, "UUID": upload, "Offset": offset, "StartedAt": _now()}
    text = json.dumps(state, separators=(",", ":")).encode()
    mac = hmac.new(settings.REGISTRY_HTTP_SECRET.encode(), text, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac + text).decode()


def state_offset(state: str) -> int | None:
    """The offset a ``_state`` claims; registry:2 refuses the request when it is forged or not the true one."""
    try:
        offset = json.loads(base64.urlsafe_b64decode(state)[hashlib.sha256().digest_size :])["Offset"]
    except (ValueError, KeyError, TypeError):
        return None
    return offset if isinstance(offset, int) and not isinstance(offset, bool) and offset >= 0 else None


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ping() -> bool:
    """Does the registry answer at all?"""
    try:
        return _once("GET", "/", {}).status < 500
    except (OSError, http.client.HTTPException):
        return False


class ChunkWriter:
    """The bytes of an upload session that is still empty, sent piece by piece. Raises SERVICE_UNAVAILABLE."""

    def __init__(self, repository: str, upload: str) -> None:
        self._connection = _connect()
        path = f"/v2/{repository}/blobs/uploads/{upload}?_state={upload_state(repository, upload, 0)}"
        token = registry_token((repository, ("pull", "push")))
        with _as_unavailable():
            self._connection.putrequest("PATCH", path)
            self._connection.putheader("Authorization", f"Bearer {token}")
            self._connection.putheader("Content-Type", "application/octet-stream")
            self._connection.putheader("Transfer-Encoding", "chunked")
            self._connection.endheaders()

    def write(self, piece: bytes) -> None:
        with _as_unavailable():
            self._connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))

    def finish(self) -> None:
        """Wait until the registry has all of it."""
        with _as_unavailable():
            self._connection.send(b"0\r\n\r\n")
            response = self._connection.getresponse()
            response.read()
        if response.status != 202:
            raise _unavailable(f"the storage registry answered {response.status}")

    def close(self) -> None:
        self._connection.close()


def commit_upload(repository: str, upload: str, size: int, digest: str) -> None:
    """End a session that holds ``size`` bytes. Raises SERVICE_UNAVAILABLE."""
    query = urlencode({"_state": upload_state(repository, upload, size), "digest": digest})
    token = registry_token((repository, ("pull", "push")))
    answer = call("PUT", f"/v2/{repository}/blobs/uploads/{upload}?{query}", token)
    if answer.status != 201:
        raise _unavailable(f"the storage registry answered {answer.status}")


def _unavailable(message: str) -> HarborError:
    return HarborError("SERVICE_UNAVAILABLE", message, headers={"Retry-After": "5"})


@contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as exc:
        raise _unavailable("the storage registry cannot be reached") from exc

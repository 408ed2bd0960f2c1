"""A client of a registry that speaks the distribution spec: tokens, back-off, ranges, upload sessions.

Bytes are streams: nothing here holds a blob. A wait is limited by STALL_SECONDS, a transfer by nothing.
"""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from harbor_core.lib import http, ssrf
from harbor_core.lib.media_types import MANIFESTS
from replication.adapters.base import NEXT_PAGE, PAGES_MAX, UnhealthyError
from replication.adapters.docker_registry import DockerRegistry

STALL_SECONDS = 60.0
ATTEMPTS, FIRST_PAUSE, LONGEST_PAUSE = 5, 1.0, 60.0
MANIFEST_MAX, LISTING_MAX = 4 * 1024 * 1024, 16 * 1024 * 1024
PIECE = 256 * 1024
ACCEPT = ", ".join(sorted(MANIFESTS))
Sleep = Callable[[float], None]


class RemoteError(Exception):
    """The registry did not do what it was asked to; ``status`` is what it answered, 0 for no answer, ``retry_after``
    the seconds it asked to wait, 0 when it did not say."""

    def __init__(self, message: str, status: int = 0, retry_after: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Described:
    """A manifest without its bytes, as far as the registry tells; ``size`` -1 when it does not."""

    digest: str
    media_type: str
    size: int


class Client:
    """Of one registry. Threads may share it. ``sleep`` waits between attempts (and may end the job); ``stall``: seconds
    without a byte after which a call has failed."""

    def __init__(
        self,
        adapter: DockerRegistry,
        sleep: Sleep = time.sleep,
        *,
        stall: float = STALL_SECONDS,
        attempts: int = ATTEMPTS,
    ) -> None:
        self.adapter = adapter
        self._sleep = sleep
        self._stall = stall
        self._attempts = attempts
        self._clients = ExitStack()
        self._by_origin: dict[tuple[str, str], httpx.Client] = {}
        self._authorizations: dict[str, str] = {}  # by repository
        self._prepared: set[str] = set()
        self._preparing = threading.Lock()

    @property
    def base(self) -> str:
        """Where ``/v2/`` is. Raises RemoteError where that has to be asked for."""
        with _as_remote_error():
            return self.adapter.registry_url

    def close(self) -> None:
        self._clients.close()

    # ------------------------------------------------------------------ reading
    def repositories(self) -> Iterator[str]:
        """All the account may see: the kind's own list, or the catalog. Raises RemoteError."""
        with _as_remote_error():
            listed = self.adapter.repositories()
            yield from self._pages("/v2/_catalog?n=1000", "", "repositories") if listed is None else listed

    def tags(self, repository: str) -> Iterator[str]:
        """None where the repository is not there. Raises RemoteError."""
        yield from self._pages(f"/v2/{repository}/tags/list?n=1000", repository, "tags")

    def _pages(self, path: str, repository: str, key: str) -> Iterator[str]:
        url = self.base + path
        for _ in range(PAGES_MAX):
            with self.stream("GET", url, repository) as answer:
                if answer.status_code == 404:
                    return
                self._expect(answer, 200)
                names = _object(_body(answer, LISTING_MAX)).get(key) or []
                following = NEXT_PAGE.search(answer.headers.get("link", ""))
            yield from (name for name in names if isinstance(name, str))
            if following is None:
                return
            url = self._within(url, following[1])
        raise RemoteError(f"{self.base} has more than {PAGES_MAX} pages of {key}")

    def digest(self, repository: str, reference: str) -> str:
        """Of the manifest, empty when it is not there. Raises RemoteError."""
        found = self.describe(repository, reference)
        return found.digest if found else ""

    def describe(self, repository: str, reference: str) -> Described | None:
        """None when the manifest is not there. Raises RemoteError."""
        with self.stream(
            "HEAD", self._manifest(repository, reference), repository, headers={"Accept": ACCEPT}
        ) as answer:
            if answer.status_code == 404:
                return None
            self._expect(answer, 200)
            return Described(
                answer.headers.get("docker-content-digest", ""), _media_type(answer), _whole(answer, "content-length")
            )

    def manifest(self, repository: str, reference: str) -> tuple[bytes, str]:
        """Its bytes as they are, and its media type. Raises RemoteError."""
        with self.stream(
            "GET", self._manifest(repository, reference), repository, headers={"Accept": ACCEPT}
        ) as answer:
            self._expect(answer, 200)
            return _body(answer, MANIFEST_MAX), _media_type(answer)

    def referrers(self, repository: str, digest: str) -> list[str]:
        """Digests of the manifests whose subject this is; none where the registry has no such list."""
        found = [row.get("digest") for row in self.referrer_rows(repository, digest)]
        return [name for name in found if isinstance(name, str)]

    def referrer_rows(self, repository: str, digest: str) -> list[dict[str, Any]]:
        """As :meth:`referrers`, the descriptors as the registry gives them."""
        with self.stream("GET", f"{self.base}/v2/{repository}/referrers/{digest}", repository) as answer:
            if answer.status_code != 200:
                return []
            rows = _object(_body(answer, LISTING_MAX)).get("manifests") or []
        return [row for row in rows if isinstance(row, dict)]

    def has_blob(self, repository: str, digest: str) -> bool:
        with self.stream("HEAD", f"{self.base}/v2/{repository}/blobs/{digest}", repository) as answer:
            if answer.status_code == 404:
                return False
            self._expect(answer, 200)
            return True

    @contextmanager
    def blob(self, repository: str, digest: str, start: int = 0) -> Iterator[Iterator[bytes]]:
        """Its bytes from an offset. Raises RemoteError, httpx.HTTPError while they are read."""
        with self.opened_blob("GET", repository, digest, start) as answer:
            yield answer.iter_raw(PIECE)

    @contextmanager
    def opened_blob(self, method: str, repository: str, digest: str, start: int = 0) -> Iterator[httpx.Response]:
        """GET or HEAD, before its bytes are read. Raises RemoteError."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self.stream(method, f"{self.base}/v2/{repository}/blobs/{digest}", repository, headers=headers) as answer:
            self._expect(answer, 206 if start else 200)
            yield answer

    # ------------------------------------------------------------------ writing
    def prepare(self, repository: str) -> None:
        """Make the repository, where a push alone does not. Raises RemoteError."""
        with self._preparing, _as_remote_error():
            if repository not in self._prepared:
                self.adapter.make_repository(repository)
                self._prepared.add(repository)

    def open_upload(self, repository: str) -> str:
        """The address of a new session. Raises RemoteError."""
        self.prepare(repository)
        with self.stream("POST", f"{self.base}/v2/{repository}/blobs/uploads/", repository) as answer:
            self._expect(answer, 202)
            return self._location(answer)

    def upload_offset(self, repository: str, location: str) -> tuple[int, str] | None:
        """How many bytes the session has, and the address to go on at; None when it cannot be gone on with."""
        with self.stream("GET", location, repository) as answer:
            if answer.status_code not in (202, 204) or "location" not in answer.headers:
                return None
            last = answer.headers.get("range", "").rpartition("-")[2]
            return (int(last) + 1 if last.isdigit() and last != "0" else 0), self._location(answer)

    def append(self, repository: str, location: str, offset: int, content: Iterator[bytes], length: int) -> str:
        """Send a part of exactly this length. Returns the address for the next. Raises RemoteError."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(length),
            "Content-Range": f"{offset}-{offset + length - 1}",
        }
        with self.stream("PATCH", location, repository, headers=headers, content=content) as answer:
            self._expect(answer, 202)
            return self._location(answer)

    def commit(self, repository: str, location: str, digest: str) -> None:
        """End the session: the registry verifies the digest. Raises RemoteError."""
        joint = "&" if "?" in location else "?"
        with self.stream("PUT", f"{location}{joint}digest={quote(digest)}", repository) as answer:
            self._expect(answer, 201, 204)

    def put_manifest(self, repository: str, reference: str, content: bytes, media_type: str) -> None:
        """Raises RemoteError."""
        self.prepare(repository)
        headers = {"Content-Type": media_type}
        url = self._manifest(repository, reference)
        with self.stream("PUT", url, repository, headers=headers, content=content) as answer:
            self._expect(answer, 201)

    def delete_manifest(self, repository: str, reference: str) -> bool:
        """Returns whether it was there. Raises RemoteError."""
        with self.stream("DELETE", self._manifest(repository, reference), repository) as answer:
            if answer.status_code == 404:
                return False
            self._expect(answer, 202, 200)
            return True

    # ------------------------------------------------------------------ calls
    @contextmanager
    def stream(
        self,
        method: str,
        url: str,
        repository: str = "",
        *,
        headers: dict[str, str] | None = None,
        content: bytes | Iterator[bytes] | None = None,
    ) -> Iterator[httpx.Response]:
        """The answer, once the registry has taken the credentials and is not busy. Raises RemoteError."""
        pause = FIRST_PAUSE
        repeatable = content is None or isinstance(content, bytes)
        attempts = self._attempts if repeatable else 1  # a stream that was read is gone
        for attempt in range(1, attempts + 1):
            with ExitStack() as stack:
                try:
                    answer = self._answer(stack, method, url, repository, headers or {}, content)
                except ssrf.RefusedTargetError as exc:
                    raise RemoteError(str(exc)) from exc
                except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError, ValueError, UnhealthyError) as exc:
                    if attempt == attempts:
                        status = exc.status if isinstance(exc, UnhealthyError) else 0
                        raise RemoteError(f"{method} to {self.base} failed: {exc}"[:500], status) from exc
                else:
                    busy = answer.status_code == 429 or answer.status_code >= 500
                    if not busy or attempt == attempts:
                        yield answer
                        return
                    after = answer.headers.get("retry-after", "")
                    pause = max(pause, min(float(after), LONGEST_PAUSE)) if after.isdigit() else pause
            self._sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _answer(
        self,
        stack: ExitStack,
        method: str,
        url: str,
        repository: str,
        headers: dict[str, str],
        content: bytes | Iterator[bytes] | None,
    ) -> httpx.Response:
        """After authentication and redirects. Credentials go to the registry's own origin only."""
        own, asked = self._origin(self.base), False
        for _ in range(http.MAX_REDIRECTS + 2):
            sent = {"Accept-Encoding": "identity", "User-Agent": http.USER_AGENT} | headers
            if self._origin(url) == own:
                known = self.adapter.standing_authorization() or self._authorizations.get(repository)
                sent |= {"Authorization": known} if known else {}
            answer = stack.enter_context(self._caller(url).stream(method, url, headers=sent, content=content))
            if answer.status_code == 401 and not asked and self._origin(url) == own:
                asked = True
                challenged = http.Answer(401, dict(answer.headers), b"")
                self._authorizations[repository] = self.adapter.authorization(challenged)
                if content is None or isinstance(content, bytes):
                    continue
            if method in ("GET", "HEAD") and answer.has_redirect_location:
                url = str(httpx.URL(url).join(answer.headers["location"]))
                continue
            return answer
        raise RemoteError(f"{self.base} redirects too often")

    def _caller(self, url: str) -> httpx.Client:
        origin = self._origin(url)
        if origin not in self._by_origin:
            endpoint = self.adapter.endpoint
            caller = http.client(
                url,
                self._stall,
                ca_certificate=endpoint.ca_certificate,
                verify=not endpoint.insecure,
                private=self.adapter.may_be_private(url),
            )
            self._by_origin[origin] = self._clients.enter_context(caller)
        return self._by_origin[origin]

    @staticmethod
    def _origin(url: str) -> tuple[str, str]:
        parts = urlsplit(url)
        return parts.scheme, parts.netloc

    def _within(self, url: str, target: str) -> str:
        """Absolute, and nowhere else. Raises RemoteError."""
        joined = str(httpx.URL(url).join(target))
        if self._origin(joined) != self._origin(self.base):
            raise RemoteError(f"{self.base} sends to another host, which is not followed")
        return joined

    def _location(self, answer: httpx.Response) -> str:
        return self._within(str(answer.url), answer.headers.get("location", ""))

    def _manifest(self, repository: str, reference: str) -> str:
        return f"{self.base}/v2/{repository}/manifests/{reference}"

    def _expect(self, answer: httpx.Response, *statuses: int) -> None:
        if answer.status_code not in statuses:
            path = answer.url.path
            raise RemoteError(
                f"{self.base} answers {answer.status_code} to {answer.request.method} {path}",
                answer.status_code,
                max(_whole(answer, "retry-after"), 0),
            )


@contextmanager
def _as_remote_error() -> Iterator[None]:
    try:
        yield
    except UnhealthyError as exc:
        raise RemoteError(str(exc), exc.status) from exc


def _media_type(answer: httpx.Response) -> str:
    return str(answer.headers.get("content-type", "")).partition(";")[0].strip()


def _whole(answer: httpx.Response, name: str) -> int:
    """A header that is a whole number, -1 when it is not."""
    text = answer.headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


def _body(answer: httpx.Response, limit: int) -> bytes:
    body = bytearray()
    for piece in answer.iter_raw():
        body += piece
        if len(body) > limit:
            raise RemoteError(f"the answer is longer than {limit} bytes", answer.status_code)
    return bytes(body)


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise RemoteError("the answer is not JSON", 200) from exc
    if not isinstance(document, dict):
        raise RemoteError("the answer is not a JSON object", 200)
    return document

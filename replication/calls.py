"""Calls to a registry: credentials and tokens, redirects, back-off, limits of time. What they are for is in
replication.client.

Bytes are streams: nothing here holds a blob. A wait is limited by STALL_SECONDS, a transfer by nothing.
"""

import itertools
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from harbor_core.lib import http, ssrf
from replication import ratelimits
from replication.adapters.base import UnhealthyError
from replication.adapters.docker_registry import DockerRegistry

STALL_SECONDS = 60.0
ATTEMPTS, FIRST_PAUSE, LONGEST_PAUSE = 5, 1.0, 60.0
Sleep = Callable[[float], None]
_begins = itertools.count()  # clients begin with different credentials


class RemoteError(Exception):
    """The registry did not do what it was asked to; ``status`` is what it answered, 0 for no answer, ``retry_after``
    the seconds it asked to wait, 0 when it did not say."""

    def __init__(self, message: str, status: int = 0, retry_after: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class Calls:
    """Of one registry. Threads may share it. ``sleep`` waits between attempts (and may end the job); ``stall``: seconds
    without a byte after which a call has failed.

    An endpoint with several credentials is asked with the next ones when it answers 429 to some, or does not take them.
    """

    def __init__(
        self,
        adapter: DockerRegistry,
        sleep: Sleep = time.sleep,
        *,
        stall: float = STALL_SECONDS,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._adapters = [adapter, *adapter.others()]
        self._at = next(_begins) % len(self._adapters)
        self._sleep = sleep
        self._stall = stall
        self._attempts = attempts
        self._clients = ExitStack()
        self._by_origin: dict[tuple[str, str], httpx.Client] = {}
        self._authorizations: dict[tuple[int, str], str] = {}  # by credentials and repository
        self._changing = threading.Lock()

    @property
    def adapter(self) -> DockerRegistry:
        """With the credentials that are in use."""
        return self._adapters[self._at]

    @property
    def base(self) -> str:
        """Where ``/v2/`` is. Raises RemoteError where that has to be asked for."""
        with as_remote_error():
            return self.adapter.registry_url

    def close(self) -> None:
        self._clients.close()

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
        pause, spare = FIRST_PAUSE, len(self._adapters) - 1
        repeatable = content is None or isinstance(content, bytes)
        attempts = self._attempts if repeatable else 1  # a stream that was read is gone
        attempt = 1
        while True:
            with ExitStack() as stack:
                used = self._at
                try:
                    answer = self._answer(stack, used, method, url, repository, headers or {}, content)
                except ssrf.RefusedTargetError as exc:
                    raise RemoteError(str(exc)) from exc
                except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError, ValueError, UnhealthyError) as exc:
                    status = exc.status if isinstance(exc, UnhealthyError) else 0
                    turns = repeatable and spare > 0 and status in (401, 403, 429)
                    if attempt >= attempts and not turns:
                        raise RemoteError(f"{method} to {self.base} failed: {exc}"[:500], status) from exc
                else:
                    busy = answer.status_code == 429 or (answer.status_code >= 500 and answer.status_code != 501)
                    turns = repeatable and spare > 0 and answer.status_code in (401, 403, 429)
                    after = retry_after(answer)
                    # Whoever asks to wait longer than a thread should is asked again by a later run.
                    if not turns and (not busy or attempt >= attempts or after > LONGEST_PAUSE):
                        yield answer
                        return
                    pause = max(pause, float(after))
            if turns:
                spare -= 1
                self._turn(used)
                continue
            attempt += 1
            self._sleep(pause)
            pause, spare = min(pause * 2, LONGEST_PAUSE), len(self._adapters) - 1

    def _turn(self, used: int) -> None:
        """To the next credentials, unless another thread has done so."""
        with self._changing:
            if self._at == used:
                self._at = (used + 1) % len(self._adapters)

    def _answer(
        self,
        stack: ExitStack,
        at: int,
        method: str,
        url: str,
        repository: str,
        headers: dict[str, str],
        content: bytes | Iterator[bytes] | None,
    ) -> httpx.Response:
        """After authentication and redirects. Credentials go to the registry's own origin only."""
        adapter = self._adapters[at]
        own, asked = self._origin(self.base), False
        for _ in range(http.MAX_REDIRECTS + 2):
            sent = {"Accept-Encoding": "identity", "User-Agent": http.USER_AGENT} | headers
            if self._origin(url) == own:
                known = adapter.standing_authorization() or self._authorizations.get((at, repository))
                sent |= {"Authorization": known} if known else {}
            answer = stack.enter_context(self._caller(url).stream(method, url, headers=sent, content=content))
            if self._origin(url) == own:
                ratelimits.note(adapter.endpoint, answer.headers)
            if answer.status_code == 401 and not asked and self._origin(url) == own:
                asked = True
                challenged = http.Answer(401, dict(answer.headers), b"")
                self._authorizations[at, repository] = adapter.authorization(challenged)
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
            options = self.adapter.endpoint.door(url)
            caller = http.client(url, self._stall, private=self.adapter.may_be_private(url), **options)
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

    def _expect(self, answer: httpx.Response, *statuses: int) -> None:
        if answer.status_code not in statuses:
            path = answer.url.path
            raise RemoteError(
                f"{self.base} answers {answer.status_code} to {answer.request.method} {path}",
                answer.status_code,
                retry_after(answer),
            )


@contextmanager
def as_remote_error() -> Iterator[None]:
    try:
        yield
    except UnhealthyError as exc:
        raise RemoteError(str(exc), exc.status) from exc


def retry_after(answer: httpx.Response) -> int:
    """Seconds (RFC 9110, 10.2.3: a number, or a date), 0 when it does not say."""
    text = answer.headers.get("retry-after", "")
    if (seconds := whole(answer, "retry-after")) >= 0:
        return seconds
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return 0
    left = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(round(left), 0)


def media_type(answer: httpx.Response) -> str:
    return str(answer.headers.get("content-type", "")).partition(";")[0].strip()


def whole(answer: httpx.Response, name: str) -> int:
    """A header that is a whole number, -1 when it is not."""
    text = answer.headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


def body(answer: httpx.Response, limit: int) -> bytes:
    content = bytearray()
    for piece in answer.iter_raw():
        content += piece
        if len(content) > limit:
            raise RemoteError(f"the answer is longer than {limit} bytes", answer.status_code)
    return bytes(content)


def json_object(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise RemoteError("the answer is not JSON", 200) from exc
    if not isinstance(document, dict):
        raise RemoteError("the answer is not a JSON object", 200)
    return document

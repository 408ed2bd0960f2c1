"""A registry of somebody else, seen through a door that counts what is asked and can be told to misbehave."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from tests.support.remote import RemoteRegistry

PIECE = 64 * 1024


class Upstream:
    """``asked`` counts (method, path). ``answer`` may take a request over: it is given the handler and says whether it
    has answered. ``speed`` (bytes per second) slows bodies down, ``cut`` ends each after so many bytes."""

    def __init__(self) -> None:
        self.registry = RemoteRegistry()
        self.forward = httpx.Client(timeout=60, trust_env=False, limits=httpx.Limits(max_connections=None))
        self.asked: Counter[tuple[str, str]] = Counter()
        self.answer: Callable[[Any], bool] = lambda handler: False
        self.speed = 0
        self.cut = 0
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Let requests in (again, at the same address)."""
        ThreadingHTTPServer.request_queue_size = 128
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Nobody answers any more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def is_closed(self) -> bool:
        return self._server is None

    def behave(self) -> None:
        self.answer, self.speed, self.cut = lambda handler: False, 0, 0
        if self._server is None:
            self.open()
        self.forget()

    def forget(self) -> None:
        with self._lock:
            self.asked.clear()

    def count(self, method: str, path: str) -> None:
        with self._lock:
            self.asked[method, path] += 1

    def times(self, method: str, part: str) -> int:
        """How often something with this in its path was asked for."""
        with self._lock:
            return sum(number for (verb, path), number in self.asked.items() if verb == method and part in path)

    def fail(self, status: int, part: str = "", **headers: str) -> None:
        """Answer so to what has this in its path."""

        def answer(handler: Any) -> bool:
            if part not in handler.path:
                return False
            handler.reply(status, b'{"errors":[]}', **headers)
            return True

        self.answer = answer

    def client(self) -> httpx.Client:
        """To push to the registry behind the door."""
        return httpx.Client(base_url=self.registry.url, timeout=60, trust_env=False)

    def stop(self) -> None:
        self.close()
        self.forward.close()
        self.registry.stop()


def _handler(upstream: Upstream) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if upstream.is_closed:  # on a connection that was kept
                self.close_connection = True
                return
            upstream.count(self.command, self.path)
            if upstream.answer(self):
                return
            kept = ("Accept", "Range", "Authorization", "If-None-Match")
            headers = [(name, self.headers[name]) for name in kept if name in self.headers]
            url = f"{upstream.registry.url}{self.path}"
            with upstream.forward.stream(self.command, url, headers=headers) as answer:
                self.send_response(answer.status_code)
                for name, value in answer.headers.items():
                    if name not in ("connection", "date", "transfer-encoding"):
                        self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self._body(answer)

        do_HEAD = do_GET

        def _body(self, answer: httpx.Response) -> None:
            sent = 0
            for piece in answer.iter_raw(PIECE):
                if upstream.cut and "/blobs/" in self.path and sent + len(piece) > upstream.cut:
                    self.wfile.write(piece[: upstream.cut - sent])
                    self.close_connection = True
                    return
                self.wfile.write(piece)
                sent += len(piece)
                if upstream.speed and "/blobs/" in self.path:
                    time.sleep(len(piece) / upstream.speed)

        def reply(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return

    return Handler

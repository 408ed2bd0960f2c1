"""Our WSGI entry point behind a real socket, in a thread: for tests that look at what goes over the wire."""

import http.client
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.core.cache import cache
from django.db import connections


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Tests look at answers, not at a log."""


class Answer:
    """Status, headers (lists by lower-case name) and body, as they came."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers: dict[str, list[str]] = {}
        for name, value in response.getheaders():
            self.headers.setdefault(name.lower(), []).append(value)
        self.body = response.read()

    def header(self, name: str) -> str:
        """The one value of a header, empty when it is not there."""
        values = self.headers.get(name.lower(), [""])
        assert len(values) == 1, f"{name} came {len(values)} times"
        return values[0]

    def cookies(self) -> dict[str, str]:
        """Set-Cookie lines by cookie name, whole."""
        return {line.partition("=")[0]: line for line in self.headers.get("set-cookie", [])}

    def cookie(self, name: str) -> str:
        """The value a cookie was set to."""
        return self.cookies()[name].partition(";")[0].partition("=")[2]


class WsgiServer:
    """``with WsgiServer() as server: server.request("GET", "/api/version")``. One request at a time, on one thread."""

    def __enter__(self) -> Self:
        from harbor_core.wsgi import application

        self._prefix = cache.key_prefix
        self._server = make_server("127.0.0.1", 0, application, handler_class=_Quiet)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def _serve(self) -> None:
        cache.key_prefix = self._prefix  # caches are kept per thread; the test looks at what this one does
        self._server.serve_forever(poll_interval=0.05)
        connections.close_all()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def request(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> Answer:
        """``headers`` with ``_`` for ``-``. Nothing is added but Host, Accept-Encoding and Content-Length."""
        connection = http.client.HTTPConnection("127.0.0.1", self._server.server_port, timeout=20)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # it may answer before it has read everything
                connection.request(method, path, body, named)
            return Answer(connection.getresponse())
        finally:
            connection.close()

"""A receiver of webhooks, a process of its own: ``python receiver.py [cert.pem key.pem]`` prints its port.

``/ok`` takes, ``/fail`` answers 500, ``/slow`` waits 5 s, ``/redirect`` points elsewhere, ``/huge`` takes and answers
without end, ``/drip`` takes and never finishes its answer. ``GET /seen`` tells what was posted.
"""

import json
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

seen: list[dict[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(200, json.dumps(seen).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        seen.append({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body})
        match self.path.partition("?")[0]:
            case "/ok":
                self._answer(200, b"taken")
            case "/fail":
                self._answer(500, b"broken")
            case "/slow":
                time.sleep(5)
                self._answer(200, b"late")
            case "/redirect":
                self._answer(307, b"", Location="/ok")
            case "/huge" | "/drip":
                self._endless()

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body)), "Set-Cookie": "a=secret"} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x" * (65536 if self.path == "/huge" else 1))
                time.sleep(0 if self.path == "/huge" else 0.5)
        except OSError:
            return

    def log_message(self, format: str, *args: Any) -> None:
        return


class Receiver:
    """One that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.port = int(process.stdout.readline())

    def url(self, path: str, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def seen(self) -> list[dict[str, Any]]:
        """``path``, ``headers`` and ``body`` of what was posted, the oldest first."""
        with urllib.request.urlopen(self.url("/seen"), timeout=5) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found


@contextmanager
def receiving(*arguments: str) -> Iterator[Receiver]:
    with subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Receiver(process)
        finally:
            process.terminate()


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if len(sys.argv) > 1:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()

"""The server of tests.support.issuer, a process of its own: what it says is in its folder and read at every request.

    issuer_server.py <folder> <port>

``<folder>/site`` holds the answers by path, ``<folder>/mode`` how to answer: ``ok``, or an entry of MODES. Every path
asked for is a line of ``<folder>/asked``.
"""

import ssl
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER = Path(sys.argv[1])


class Handler(BaseHTTPRequestHandler):
    timeout = 30

    def do_GET(self) -> None:
        with (FOLDER / "asked").open("a", encoding="utf-8") as asked:
            asked.write(f"{self.path}\n")
        mode, _, value = (FOLDER / "mode").read_text(encoding="utf-8").strip().partition(" ")
        if mode in MODES:
            MODES[mode](self, value)
            return
        path = FOLDER / "site" / self.path.lstrip("/")
        if path.is_file():
            self.say(200, path.read_bytes())
        else:
            self.say(404, b"{}")

    def say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def huge(handler: Handler, value: str) -> None:
    """JSON that never ends."""
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b'{"keys": [')
    for _ in range(64):
        handler.wfile.write(b" " * 1024 * 1024)


def redirect(handler: Handler, value: str) -> None:
    """To ``value``, except there."""
    if handler.path == value:
        handler.say(200, (FOLDER / "site" / value.lstrip("/")).read_bytes())
    else:
        handler.say(302, b"", Location=value)


def drip(handler: Handler, value: str) -> None:
    """A header that comes byte by byte, without an end."""
    handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
    for _ in range(600):
        handler.wfile.write(b"a")
        time.sleep(0.1)


def late(handler: Handler, value: str) -> None:
    """As ever, after ``value`` seconds."""
    time.sleep(float(value))
    handler.say(200, (FOLDER / "site" / handler.path.lstrip("/")).read_bytes())


MODES: dict[str, Callable[[Handler, str], None]] = {
    "huge": huge,
    "redirect": redirect,
    "drip": drip,
    "late": late,
    "fail": lambda handler, value: handler.say(int(value), b"{}"),
    "text": lambda handler, value: handler.say(200, b"<html>hello</html>"),
    "list": lambda handler, value: handler.say(200, b"[]"),
}


def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FOLDER / "server.pem")
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == "__main__":
    main()

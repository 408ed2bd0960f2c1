"""A syslog server over TCP that reads octet-counted messages (RFC 6587) and remembers them."""

import json
import re
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

_HEADER = re.compile(r"<(\d{1,3})>1 (\S+) (\S+) (\S+) (\S+) (\S+) - (.*)", re.DOTALL)


@dataclass(frozen=True)
class Message:
    """RFC 5424 fields; ``body`` is what was said, as JSON."""

    priority: int
    time: str
    hostname: str
    app: str
    process: str
    kind: str
    body: dict[str, Any]


class SyslogServer:
    """``port`` 0 picks a free one; a stopped server's port can be given to the next one."""

    def __init__(self, port: int = 0) -> None:
        self.messages: list[Message] = []
        self.broken: list[str] = []  # what was not a message
        self._server = socket.create_server(("127.0.0.1", port))
        self.port = int(self._server.getsockname()[1])
        self.endpoint = f"127.0.0.1:{self.port}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while True:
                try:
                    digits = b""
                    while not digits.endswith(b" "):
                        byte = stream.read(1)
                        if not byte:
                            return
                        digits += byte
                    self._take(stream.read(int(digits)).decode())
                except (OSError, ValueError) as exc:
                    self.broken.append(repr(exc))
                    return

    def _take(self, text: str) -> None:
        match = _HEADER.fullmatch(text)
        if match is None:
            self.broken.append(text)
            return
        priority, when, hostname, app, process, kind, body = match.groups()
        self.messages.append(Message(int(priority), when, hostname, app, process, kind, json.loads(body)))

    def wait_for(self, count: int, seconds: float = 10.0) -> list[Message]:
        deadline = time.monotonic() + seconds
        while len(self.messages) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.messages

    def stop(self) -> None:
        """Close the port and every connection."""
        with suppress(OSError):  # stopped already
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for connection in self._open:
            with suppress(OSError):  # the other side hung up
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

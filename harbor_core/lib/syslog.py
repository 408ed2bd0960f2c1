"""Messages to a syslog server over TCP: RFC 5424, framed by octet counting (RFC 6587, section 3.4.1)."""

import fcntl
import os
import select
import socket
import struct
import termios
import time
from datetime import UTC, datetime

FACILITY_AUDIT = 13
WARNING, INFO = 4, 6
TIMEOUT_SECONDS = 3.0
APP_NAME = "harbor"


def frame(severity: int, when: datetime, hostname: str, kind: str, text: str) -> bytes:
    """One framed message. ``kind`` is its MSGID, ``text`` ASCII without a line break."""
    stamp = f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
    header = f"<{FACILITY_AUDIT * 8 + severity}>1 {stamp} {_name(hostname, 255)} {APP_NAME} {os.getpid()}"
    message = f"{header} {_name(kind, 32)} - {text}".encode()
    return f"{len(message)} ".encode() + message


def _name(value: str, longest: int) -> str:
    """Printable ASCII without spaces, ``-`` for nothing (RFC 5424, section 6)."""
    return "".join(character for character in value if "!" <= character <= "~")[:longest] or "-"


def split_endpoint(endpoint: str) -> tuple[str, int]:
    """``host:port``, an IPv6 address in brackets."""
    host, _, port = endpoint.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


class Connection:
    """To one server. TCP takes a message without telling whether anybody gets it, so :meth:`send` returns only when the
    other side has acknowledged the bytes. All methods raise OSError."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._socket = socket.create_connection(split_endpoint(endpoint), timeout=TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def send(self, data: bytes) -> None:
        self._check_open()
        self._socket.sendall(data)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while self._unacknowledged():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.endpoint} does not acknowledge what it is sent")
            time.sleep(0.001)
        self._check_open()

    def close(self) -> None:
        self._socket.close()

    def _unacknowledged(self) -> int:
        """Bytes the kernel still holds (tcp(7), SIOCOUTQ)."""
        packed: bytes = fcntl.ioctl(self._socket, termios.TIOCOUTQ, struct.pack("i", 0))
        return int(struct.unpack("i", packed)[0])

    def _check_open(self) -> None:
        """Raise when the server hung up; what else it says does not matter."""
        while select.select([self._socket], [], [], 0)[0]:
            if not self._socket.recv(4096):
                raise ConnectionResetError(f"{self.endpoint} closed the connection")

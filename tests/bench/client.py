"""The client wrk cannot be: HEAD requests (wrk waits for a body that never comes), pushes in several steps, and large
bodies (wrk reads 8 kB at a time).

``python -m tests.bench.client heads|push|bodies HOST:PORT FILE SECONDS CONNECTIONS`` sends over kept connections and
prints one line of JSON: requests answered, bytes of bodies, seconds, failed, first_failure, exhausted (a request was
sent a second time).
It reads answers just as far as it must, so that it costs little beside the server it measures.
"""

import json
import select
import socket
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path

# Yields (request, expected status) or None where it starts over; is sent the Location of each answer.
Requests = Generator[tuple[bytes, bytes] | None, str, None]
# What a client sends for one artifact, and the status it expects: each blob is asked for, opened and sent, then the
# manifest. The rest of a push line is data (see ``records``).
STEPS = (
    ("HEAD", 0, b"404"),
    ("POST", 0, b"202"),
    ("PUT", 0, b"201"),
    ("HEAD", 1, b"404"),
    ("POST", 1, b"202"),
    ("PUT", 1, b"201"),
    ("MANIFEST", 0, b"201"),
)


def plain_requests(file: Path, start: int, step: int) -> Requests:
    """Every ``step``-th line (method, target, Authorization; see requests.lua) as (request, expected status), again and
    again; None where the file starts over."""
    lines = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    built = []
    for method, target, authorization in lines[start::step] or lines:
        credential = "" if authorization == "-" else f"Authorization: {authorization}\r\n"
        built.append((f"{method} {target} HTTP/1.1\r\nHost: bench\r\n{credential}\r\n".encode(), b"200"))
    if len(built) == 1:
        built *= 1000
    while True:
        for number in range(len(built)):  # not "yield from", which would pass on what is sent here
            yield built[number]
        yield None


def records(file: Path, start: int, step: int) -> Iterator[dict]:
    """Every ``step``-th artifact of the file: a line of JSON, then the bytes of layer, config and manifest."""
    with file.open("rb") as source:
        number = 0
        while line := source.readline():
            record = json.loads(line)
            record["parts"] = [source.read(length) for length in record["lengths"]]
            if number % step == start:
                yield record
            number += 1


def pushes(file: Path, start: int, step: int) -> Requests:
    """The requests of this connection's artifacts; the generator is sent each answer's Location."""
    for record in list(records(file, start, step)):
        credential = f"Authorization: {record['authorization']}\r\n" if record["authorization"] != "-" else ""
        base = f"/v2/{record['repository']}"
        location = ""
        for verb, blob, status in STEPS:
            body = b""
            if verb == "HEAD":
                line = f"HEAD {base}/blobs/{record['digests'][blob]}"
            elif verb == "POST":
                line = f"POST {base}/blobs/uploads/"
            elif verb == "PUT":
                body = record["parts"][blob]
                line = f"PUT {location}{'&' if '?' in location else '?'}digest={record['digests'][blob]}"
            else:
                body = record["parts"][2]
                line = f"PUT {base}/manifests/{record['tag']}"
            kind = "application/vnd.oci.image.manifest.v1+json" if verb == "MANIFEST" else "application/octet-stream"
            length = "" if verb == "HEAD" else f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            location = yield f"{line} HTTP/1.1\r\nHost: bench\r\n{credential}{length}\r\n".encode() + body, status
    yield None


def length_of(head: bytes) -> int:
    """Bytes of the body an answer announces."""
    at = head.lower().find(b"\r\ncontent-length:")
    return int(head[at + 17 : head.find(b"\r\n", at + 2)]) if at >= 0 else 0


def location_of(head: bytes) -> str:
    """Path and query of the Location header, empty without one."""
    at = head.lower().find(b"\r\nlocation:")
    if at < 0:
        return ""
    text = head[at + 11 : head.find(b"\r\n", at + 2)].strip().decode()
    return "/" + text.split("/", 3)[3] if "://" in text else text


class Connection:
    """One kept connection; opened again when the server ends it after so many answers."""

    def __init__(self, address: tuple[str, int], requests: Requests, run: dict, poll: select.epoll) -> None:
        self._address, self._requests, self._run, self._poll = address, requests, run, poll
        self._received = b""
        self._open()
        self._send(next(requests))

    def _open(self) -> None:
        self.socket = socket.create_connection(self._address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._poll.register(self.socket, select.EPOLLIN)

    def _send(self, item: tuple[bytes, bytes] | None) -> None:
        if item is None:
            self._run["exhausted"] += 1
            item = next(self._requests, None)
            if item is None:
                return
        request, self._status = item
        self._head = request.startswith(b"HEAD")
        self.socket.sendall(request)

    def readable(self) -> bool:
        """Read what is there, and send the next request when the answer is complete. False: the socket is a new one."""
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection in the middle of an answer")
        data = self._received + data
        end = data.find(b"\r\n\r\n")
        if end < 0 or (not self._head and len(data) < end + 4 + length_of(data[: end + 2])):
            self._received = data
            return True
        self._received = b""
        return self._answered(data, "" if self._head else location_of(data[: end + 2]))

    def _answered(self, head: bytes, location: str = "") -> bool:
        self._run["requests"] += 1
        if head[9:12] != self._status:
            self._run["failed"] += 1
            self._run["first_failure"] = self._run["first_failure"] or head[:300].decode(errors="replace")
        kept = b"\r\nConnection: close" not in head
        if not kept:
            self.socket.close()
            self._open()
        self._send(self._requests.send(location))
        return kept


class Download(Connection):
    """Reads large bodies and throws them away."""

    _missing = 0
    _buffer = bytearray(256 * 1024)

    def readable(self) -> bool:
        if not self._missing:
            self._received += self.socket.recv(16384)
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return True
            arrived = len(self._received) - end - 4
            self._missing = length_of(self._received[: end + 2]) - arrived
        else:
            arrived = self.socket.recv_into(self._buffer, min(len(self._buffer), self._missing))
            if not arrived:
                raise ConnectionError("the server closed the connection in the middle of an answer")
            self._missing -= arrived
        self._run["bytes"] += arrived
        if self._missing:
            return True
        head, self._received = self._received, b""
        return self._answered(head)


def main() -> int:
    kind, address, file, seconds, connections = sys.argv[1:6]
    host, _, port = address.partition(":")
    count = int(connections)
    generator = {"heads": plain_requests, "push": pushes, "bodies": plain_requests}[kind]
    connect = Download if kind == "bodies" else Connection
    run = {"requests": 0, "bytes": 0, "failed": 0, "first_failure": "", "exhausted": 0}
    poll = select.epoll()
    found = {}
    started = time.monotonic()
    for number in range(count):
        connection = connect((host, int(port)), generator(Path(file), number, count), run, poll)
        found[connection.socket.fileno()] = connection
    deadline = started + float(seconds)
    while (now := time.monotonic()) < deadline:
        for descriptor, _ in poll.poll(deadline - now):
            connection = found[descriptor]
            if not connection.readable():
                found[connection.socket.fileno()] = connection
    sys.stdout.write(json.dumps(run | {"seconds": time.monotonic() - started}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

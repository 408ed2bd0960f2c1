"""The clients, the same for every server: wrk for small requests, tests.bench.client for HEADs, pushes and large blobs,
one socket for pushing large layers."""

import hashlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.bench.client import STEPS
from tests.support.oci import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, descriptor, digest_of
from tests.support.services import clean_environment, find

SCRIPT = Path(__file__).resolve().parent / "requests.lua"
ROOT = SCRIPT.parent.parent.parent
PASSWORD = "Bench-only-12345"  # of the accounts that sign in once
PUSHERS = 8  # artifacts pushed at a time


class Server(Protocol):
    url: str

    def cpu_ms(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """One round on one server: ``rate`` in units (requests, artifacts or bytes) per second, server CPU in ms per unit,
    ``p95`` of the latency in ms. ``fault`` says why the figures mean nothing."""

    rate: float
    cpu: float
    p95: float
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    target: str
    authorization: str = "-"
    method: str = "GET"


@dataclass(frozen=True, slots=True)
class Artifact:
    repository: str
    tag: str
    authorization: str
    layer: bytes
    config: bytes

    @property
    def manifest(self) -> bytes:
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(self.config, OCI_CONFIG),
            "layers": [descriptor(self.layer, OCI_LAYER)],
        }
        return json.dumps(document).encode()


def small_blob(number: int) -> bytes:
    return f"blob {number} ".encode().ljust(1024, b".")


def write_blobs(root: Path, repository: str, count: int, first: int = 0) -> list[str]:
    """Put ``count`` different small blobs into a storage folder in registry:2's layout. Returns their digests."""
    base = root / "docker" / "registry" / "v2"
    digests = []
    for number in range(first, first + count):
        content = small_blob(number)
        value = hashlib.sha256(content).hexdigest()
        data = base / "blobs" / "sha256" / value[:2] / value / "data"
        link = base / "repositories" / repository / "_layers" / "sha256" / value / "link"
        for path, text in ((data, content), (link, f"sha256:{value}".encode())):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
        digests.append(f"sha256:{value}")
    return digests


def artifact(repository: str, tag: str, authorization: str) -> Artifact:
    """One layer of 1 KiB and a small config, both never seen before."""
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
    config["author"] = os.urandom(16).hex()
    return Artifact(repository, tag, authorization, os.urandom(1024), json.dumps(config).encode())


def _wrk(server: Server, seconds: float, connections: int, *words: str) -> dict[str, Any]:
    threads = min(2, connections)
    argv = [find("wrk"), f"-t{threads}", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s"]
    argv += ["-s", str(SCRIPT), server.url, "--", *words, str(threads)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=clean_environment())
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    raise RuntimeError(f"wrk printed no result:\n{done.stdout}{done.stderr}")


def _own_client(server: Server, kind: str, file: Path, seconds: float, connections: int) -> dict[str, Any]:
    """tests.bench.client; its results in wrk's words."""
    argv = [sys.executable, "-m", "tests.bench.client", kind, server.url.removeprefix("http://")]
    argv += [str(file), str(seconds), str(connections)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True, env=clean_environment(), cwd=ROOT)
    return json.loads(done.stdout)


def _sample(
    server: Server, run: Callable[[], dict[str, Any]], unit: Callable[[dict[str, Any]], float], once: bool
) -> Sample:
    before = server.cpu_ms()
    result = run()
    cpu = server.cpu_ms() - before
    units = max(unit(result), 1e-9)
    fault = ""
    if result["failed"] or not result["requests"]:
        fault = f"{result['failed']} of {result['requests']} failed {result.get('first_failure', '')}".strip()
    elif once and result["exhausted"]:
        fault = "ran out of requests never sent before"
    return Sample(units / result["seconds"], cpu / units, result.get("p95_ms", 0.0), fault)


def requests(
    server: Server,
    folder: Path,
    lines: Sequence[Line],
    seconds: float,
    *,
    connections: int = 16,
    once: bool = False,
    by_bytes: bool = False,
) -> Sample:
    """Send these requests over and over. ``once``: no line may be sent twice (cold figures)."""
    file = folder / "lines"
    file.write_text(
        "".join(f"{line.method}\t{line.target}\t{line.authorization}\n" for line in lines), encoding="utf-8"
    )

    def run() -> dict[str, Any]:
        if lines[0].method == "HEAD":
            return _own_client(server, "heads", file, seconds, connections)
        if by_bytes:
            return _own_client(server, "bodies", file, seconds, connections)
        return _wrk(server, seconds, connections, str(file))

    return _sample(server, run, lambda result: result["bytes" if by_bytes else "requests"], once)


def push(server: Server, folder: Path, artifacts: Sequence[Artifact], seconds: float) -> Sample:
    """Push artifacts for that long, PUSHERS at a time; number i is pushed over connection i modulo PUSHERS."""
    file = folder / "artifacts"
    with file.open("wb") as out:
        for item in artifacts:
            parts = (item.layer, item.config, item.manifest)
            record = {
                "repository": item.repository,
                "tag": item.tag,
                "authorization": item.authorization,
                "digests": [digest_of(item.layer), digest_of(item.config)],
                "lengths": [len(part) for part in parts],
            }
            out.write(json.dumps(record).encode() + b"\n" + b"".join(parts))

    def run() -> dict[str, Any]:
        return _own_client(server, "push", file, seconds, PUSHERS)

    return _sample(server, run, lambda result: result["requests"] / len(STEPS), True)


@dataclass(frozen=True, slots=True)
class Layer:
    content: bytes
    digest: str


def layers(count: int, size: int) -> list[Layer]:
    """Different random layers of ``size`` bytes."""
    common = os.urandom(size - 16)
    found = []
    for _ in range(count):
        content = os.urandom(16) + common
        found.append(Layer(content, "sha256:" + hashlib.sha256(content).hexdigest()))
    return found


def push_layers(server: Server, repository: str, authorization: str, contents: Sequence[Layer]) -> Sample:
    """POST and one PUT for each layer, one after the other. The unit is a byte."""
    headers = {} if authorization == "-" else {"Authorization": authorization}
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=60)
    fault, before, started = "", server.cpu_ms(), time.monotonic()
    for layer in contents:
        connection.request("POST", f"/v2/{repository}/blobs/uploads/", headers=headers | {"Content-Length": "0"})
        opened = connection.getresponse()
        opened.read()
        location = opened.getheader("Location", "").removeprefix(server.url)
        target = f"{location}{'&' if '?' in location else '?'}digest={layer.digest}"
        connection.request("PUT", target, body=layer.content, headers=headers)
        stored = connection.getresponse()
        stored.read()
        if stored.status != 201:
            fault = f"PUT {stored.status}"
    seconds = time.monotonic() - started
    cpu = server.cpu_ms() - before
    connection.close()
    total = sum(len(layer.content) for layer in contents)
    return Sample(total / seconds, cpu / total, 0.0, fault)

"""Pulls of what a proxy project has in its cache, against pulls of the same content from an ordinary project."""

import contextlib
import json
import shutil
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.bench import load
from tests.bench.load import Line, Sample
from tests.bench.servers import Ours
from tests.support import oci
from tests.support.remote import RemoteRegistry
from tests.support.services import wait_until

GOAL = 0.95
SECONDS = 3.0
LAYER_BYTES = 30_000_000
NAME = "apps/bench"
# Project, and how long its tags count as fresh; with "always" each pull by tag asks upstream.
FRESH, ASKING, PLAIN = "bench-cache", "bench-asking", "bench-plain"
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Case:
    """``paths`` of a repository, asked for in turn; without a goal it is only told."""

    title: str
    paths: tuple[str, ...]
    project: str = FRESH
    goal: float = GOAL
    by_bytes: bool = False
    method: str = "GET"


@dataclass
class _Pulls:
    """The servers with the same content in three projects."""

    ours: Ours
    upstream: RemoteRegistry
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="harbor-bench-")))

    def prepare(self) -> tuple[oci.Image, oci.Image]:
        """A small image and a large one, tagged ``small`` and ``large``."""
        small, large = oci.image(600), oci.image(LAYER_BYTES)
        with (
            httpx.Client(base_url=self.upstream.url, timeout=60, trust_env=False) as there,
            self.ours.stack.api() as api,
        ):
            body = {"name": "upstream", "type": "docker-registry", "url": self.upstream.url}
            made = api.post("/api/v2.0/registries", json=body).raise_for_status()
            number = int(made.headers["Location"].rpartition("/")[2])
            api.post("/api/v2.0/projects", json={"project_name": PLAIN}).raise_for_status()
            for name, freshness in ((FRESH, "never"), (ASKING, "always")):
                asked = {"project_name": name, "registry_id": number, "metadata": {"proxy_cache_freshness": freshness}}
                api.post("/api/v2.0/projects", json=asked).raise_for_status()
            for tag, image in (("small", small), ("large", large)):
                for client, repository in ((there, NAME), (api, f"{PLAIN}/{NAME}")):
                    assert oci.push(client, repository, tag, image).status_code == 201
                for project in (FRESH, ASKING):
                    self._fill(api, f"{project}/{NAME}", tag, image)
        self._tokens = {
            project: json.loads(self.ours.run(f"fill:tokens({f'{project}/{NAME}'!r}, 1)"))[0]
            for project in (FRESH, ASKING, PLAIN)
        }
        return small, large

    def _fill(self, api: httpx.Client, repository: str, tag: str, image: oci.Image) -> None:
        """Pull it, and wait until it is an artifact."""

        def is_kept() -> bool:
            answer = api.get(
                f"/v2/{repository}/manifests/{tag}", headers={"Accept": oci.OCI_MANIFEST}
            ).raise_for_status()
            return answer.headers["X-Harbor-Cache"] == "hit"

        is_kept()
        for content in (image.config, image.layer):
            api.get(f"/v2/{repository}/blobs/{oci.digest_of(content)}").raise_for_status()
        wait_until(is_kept, 30, "the copy to be whole")

    def pull(self, project: str, case: _Case) -> Sample:
        lines = [
            Line(f"/v2/{project}/{NAME}/{path}", f"Bearer {self._tokens[project]}", case.method) for path in case.paths
        ]
        connections = 2 if case.by_bytes else 16
        return load.requests(self.ours, self.folder, lines, SECONDS, connections=connections, by_bytes=case.by_bytes)


def measure(rounds: int, words: list[str]) -> list[Row]:
    """A line per kind of pull (that has one of the words in its name)."""
    with contextlib.ExitStack() as stack:
        ours = Ours()
        stack.callback(ours.stop)
        upstream = RemoteRegistry()
        stack.callback(upstream.stop)
        pulls = _Pulls(ours, upstream)
        stack.callback(shutil.rmtree, pulls.folder, ignore_errors=True)
        cases = _cases(*pulls.prepare())
        return [_row(pulls, case, rounds) for case in cases if not words or any(word in case.title for word in words)]


def _cases(small: oci.Image, large: oci.Image) -> list[_Case]:
    blobs = tuple(f"blobs/{oci.digest_of(content)}" for content in (small.config, small.layer))
    big = (f"blobs/{oci.digest_of(large.layer)}",)
    whole = ("manifests/small", f"manifests/{small.digest}", *blobs)
    return [
        _Case("proxy, whole pull", whole),
        _Case("proxy, manifest by tag", ("manifests/small",)),
        _Case("proxy, manifest by digest", (f"manifests/{small.digest}",)),
        _Case("proxy, blob 1 KiB", blobs[1:]),
        _Case("proxy, HEAD blob 1 KiB", blobs[1:], method="HEAD"),
        _Case("proxy, blob 30 MB", big, by_bytes=True),
        _Case("proxy, manifest by tag, asking upstream", ("manifests/small",), ASKING, 0),
    ]


def _row(pulls: _Pulls, case: _Case, rounds: int) -> Row:
    proxied: list[Sample] = []
    plain: list[Sample] = []
    turns: list[tuple[list[Sample], str]] = [(plain, PLAIN), (proxied, case.project)]
    for _, project in turns:
        pulls.pull(project, case)  # warm
    for number in range(rounds):
        for samples, project in turns if number % 2 else reversed(turns):
            samples.append(pulls.pull(project, case))
    goal = f">= {case.goal:g}" if case.goal else ""
    faults = [sample.fault for sample in (*proxied, *plain) if sample.fault]
    if faults:
        return (case.title, goal, "-", f"not measured: {faults[0]}", *[""] * 7)
    ratio = statistics.median(one.rate / other.rate for one, other in zip(proxied, plain, strict=True))
    scale = 1e6 if case.by_bytes else 1  # large blobs in MB
    return (
        case.title,
        goal,
        f"{ratio:.2f}",
        ("yes" if ratio >= case.goal else "NO") if case.goal else "",
        "",
        *_two(proxied, plain, lambda sample: sample.cpu * scale, 3),
        *_two(proxied, plain, lambda sample: sample.rate / scale, 1),
    )


def _two(proxied: list[Sample], plain: list[Sample], value: Callable[[Sample], float], digits: int) -> tuple[str, ...]:
    """Ours, nothing for cold credentials, and what it is compared with."""
    ours, base = (f"{statistics.median(map(value, samples)):.{digits}f}" for samples in (proxied, plain))
    return (ours, "", base)

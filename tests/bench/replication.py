"""Replication of many images between two local instances, against ``skopeo sync`` of the same images."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import yaml

from tests.bench import processes
from tests.bench.servers import Ours
from tests.support import oci
from tests.support.services import find

REPOSITORIES, TAGS = 10, 5  # fifty images
BASE, LAYERS = 2_000_000, (300_000, 3_000_000)  # bytes: a layer that a repository's images share, and an image's own
GOAL, MEMORY = 1.0, 1.2  # of skopeo's rate, at least; times what the worker had before, at most
LIMIT_SECONDS = 600.0
Row = tuple[str, ...]


def measure(rounds: int, words: list[str]) -> list[Row]:
    """Two lines. Each round has images of its own, so that neither side finds what an earlier round brought."""
    with contextlib.ExitStack() as stack:
        near, far = Ours(), Ours()
        stack.callback(near.stop)
        stack.callback(far.stop)
        folder = Path(tempfile.mkdtemp(prefix="harbor-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        api = stack.enter_context(near.stack.api())
        there = stack.enter_context(far.stack.api())
        remote = _remote(api, far)
        ratios: list[float] = []
        rates: list[tuple[float, float]] = []
        growth = 0.0
        for number in range(rounds + 1):  # the first warms both up
            project = f"images-{number}"
            _fill(api, project)
            for name in ("ours", "skopeo"):
                _made(there, "projects", {"project_name": f"{name}-{number}"})
            found: dict[str, float] = {}

            def replicated(project: str = project, found: dict[str, float] = found, number: int = number) -> None:
                found["ours"], found["growth"] = _replicate(api, near, remote, project, f"ours-{number}")

            def synchronized(project: str = project, found: dict[str, float] = found, number: int = number) -> None:
                found["skopeo"] = _synchronize(near, far, folder, project, f"skopeo-{number}")

            turns: list[Callable[[], None]] = [replicated, synchronized]
            for turn in turns if number % 2 else reversed(turns):
                turn()
            if number:
                ratios.append(found["skopeo"] / found["ours"])
                rates.append((REPOSITORIES * TAGS / found["ours"], REPOSITORIES * TAGS / found["skopeo"]))
                growth = max(growth, found["growth"])
    ratio = sorted(ratios)[len(ratios) // 2]
    middle = [f"{sorted(values)[len(values) // 2]:.1f}" for values in zip(*rates, strict=True)]
    title = f"replication of {REPOSITORIES * TAGS} images (against skopeo sync)"
    return [
        (title, f">= {GOAL}", f"{ratio:.2f}", "yes" if ratio >= GOAL else "NO", *[""] * 4, middle[0], "", middle[1]),
        (
            "  most memory of the worker, against before",
            f"<= {MEMORY}",
            f"{growth:.2f}",
            "yes" if growth <= MEMORY else "NO",
            *[""] * 7,
        ),
    ]


def _made(api: httpx.Client, path: str, body: dict[str, object]) -> str:
    answer = api.post(f"/api/v2.0/{path}", json=body)
    answer.raise_for_status()
    return answer.headers["Location"]


def _remote(api: httpx.Client, far: Ours) -> int:
    name, secret = far.stack.admin
    credential = {"type": "basic", "access_key": name, "access_secret": secret}
    made = _made(api, "registries", {"name": "far", "type": "harbor", "url": far.stack.url, "credential": credential})
    return int(made.rpartition("/")[2])


def _fill(api: httpx.Client, project: str) -> None:
    _made(api, "projects", {"project_name": project})
    for number in range(REPOSITORIES):
        repository, base = f"{project}/app{number}", os.urandom(BASE)
        oci.push_blob(api, repository, base).raise_for_status()
        for tag in range(TAGS):
            layers = [base, *(os.urandom(size) for size in LAYERS)]
            config = json.dumps({"architecture": "amd64", "os": "linux", "tag": tag, "of": repository}).encode()
            for content in (config, *layers[1:]):
                oci.push_blob(api, repository, content).raise_for_status()
            document = {
                "schemaVersion": 2,
                "mediaType": oci.OCI_MANIFEST,
                "config": oci.descriptor(config, oci.OCI_CONFIG),
                "layers": [oci.descriptor(content, oci.OCI_LAYER) for content in layers],
            }
            oci.put_manifest(api, repository, f"v{tag}", json.dumps(document).encode()).raise_for_status()


def _replicate(api: httpx.Client, near: Ours, remote: int, project: str, target: str) -> tuple[float, float]:
    """Seconds, and the most memory of the worker against what it had before."""
    body = {
        "name": target,
        "enabled": True,
        "override": True,
        "dest_registry": {"id": remote},
        "dest_namespace": target,
        "dest_namespace_replace_count": 1,
        "filters": [{"type": "name", "value": f"{project}/**"}],
    }
    policy = int(_made(api, "replication/policies", body).rpartition("/")[2])
    before = most = processes.memory_mb(near.stack.pid("worker"))
    began = time.monotonic()
    path = _made(api, "replication/executions", {"policy_id": policy})
    while True:
        found = api.get(path).json()
        if found["status"] != "InProgress":
            break
        most = max(most, processes.memory_mb(near.stack.pid("worker")))
        if time.monotonic() - began > LIMIT_SECONDS:
            raise RuntimeError("the replication does not come to its end")
        time.sleep(0.05)
    if found["status"] != "Succeed":
        raise RuntimeError(f"the replication ends as {found}")
    return time.monotonic() - began, most / before


def _synchronize(near: Ours, far: Ours, folder: Path, project: str, target: str) -> float:
    """Seconds."""
    name, secret = near.stack.admin
    images = {f"{project}/app{number}": [f"v{tag}" for tag in range(TAGS)] for number in range(REPOSITORIES)}
    source = {near.stack.registry: {"credentials": {"username": name, "password": secret}, "images": images}}
    source[near.stack.registry]["tls-verify"] = False
    file = folder / f"{target}.yaml"
    file.write_text(yaml.safe_dump(source), encoding="utf-8")
    argv = [find("skopeo"), "sync", "--src", "yaml", "--dest", "docker", "--dest-tls-verify=false"]
    argv += ["--dest-creds", ":".join(far.stack.admin), str(file), f"{far.stack.registry}/{target}"]
    began = time.monotonic()
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ, "HOME": str(folder)})
    if done.returncode:
        raise RuntimeError(f"skopeo sync fails: {done.stderr[-2000:]}")
    return time.monotonic() - began

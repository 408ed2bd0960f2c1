"""``kill -9`` of the worker at random points of a large replication: it finishes, every byte is right, and no kill
costs more than a chunk that is sent again. HARBOR_TEST_REPLICATION_MB makes it larger (2000 for releases)."""

import hashlib
import json
import os
import random

import httpx
import pytest

from tests.replication.ends import ended, logs, named, policy, project, registry
from tests.support import oci
from tests.support.meter import Meter
from tests.support.services import wait_until
from tests.support.stack import Stack

MEGABYTE = 1024 * 1024
TOTAL = int(os.environ.get("HARBOR_TEST_REPLICATION_MB", "200")) * MEGABYTE
REPOSITORIES, LAYERS, KILLS = 3, 4, 5
CHUNK = 10 * MEGABYTE
SECONDS = 25  # a run without kills takes


def filled(client: httpx.Client, name: str) -> dict[str, list[str]]:
    """Images of large layers. The digests of their blobs, by repository."""
    size = TOTAL // (REPOSITORIES * LAYERS)
    found = {}
    for number in range(REPOSITORIES):
        repository = f"{name}/app{number}"
        config = json.dumps({"architecture": "amd64", "os": "linux", "number": number}).encode()
        document = {"schemaVersion": 2, "mediaType": oci.OCI_MANIFEST, "config": oci.descriptor(config, oci.OCI_CONFIG)}
        layers = []
        assert oci.push_blob(client, repository, config).status_code == 201
        for _ in range(LAYERS):
            content = os.urandom(size)
            assert oci.push_blob(client, repository, content).status_code == 201
            layers.append(oci.descriptor(content, oci.OCI_LAYER))
        manifest = json.dumps(document | {"layers": layers}).encode()
        assert oci.put_manifest(client, repository, "1", manifest).status_code == 201
        found[repository] = [layer["digest"] for layer in layers]
    return found


def check(client: httpx.Client, repository: str, digest: str) -> None:
    content = hashlib.sha256()
    with client.stream("GET", f"/v2/{repository}/blobs/{digest}") as answer:
        assert answer.status_code == 200
        for piece in answer.iter_bytes():
            content.update(piece)
    assert f"sha256:{content.hexdigest()}" == digest


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", ["push", "pull"])
def test_kills_cost_no_more_than_a_chunk(
    api: httpx.Client, there: httpx.Client, near: Stack, far: Stack, mode: str
) -> None:
    at_source, at_target = (api, there) if mode == "push" else (there, api)
    name = project(at_source)
    content = filled(at_source, name)
    with Meter("127.0.0.1", far.port) as meter:
        remote = registry(api, "harbor", meter.url, far.admin)
        end = "dest_registry" if mode == "push" else "src_registry"
        used = policy(
            api,
            **{end: {"id": remote}},
            filters=named(f"{name}/**"),
            copy_by_chunk=True,
            speed=TOTAL // REPOSITORIES // SECONDS // 1024,
        )
        meter.sent = meter.received = 0
        path = api.post("/api/v2.0/replication/executions", json={"policy_id": used}).headers["Location"]
        chance = random.Random(4711)

        def moved() -> int:
            return meter.sent if mode == "push" else meter.received

        for point in sorted(chance.uniform(0.05, 0.9) for _ in range(KILLS)):
            wait_until(lambda point=point: moved() > point * TOTAL, 600, f"{point:.0%} of the content")
            near.kill("worker")
        found = ended(api, path, 900)
        assert found["status"] == "Succeed", logs(api, path)
        assert "goes on at" in logs(api, path)
        again = moved() - TOTAL
        assert again < KILLS * CHUNK + TOTAL * 0.02, f"{again} bytes more than there are"
    for repository, digests in content.items():
        for digest in digests:
            check(at_target, repository, digest)

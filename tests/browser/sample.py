"""Content as a small team would have it, brought in through the front door: REST API and pushes."""

import gzip
import json
import random
from typing import Any

import httpx

from tests.support.oci import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    descriptor,
    digest_of,
    push_blob,
    put_manifest,
)
from tests.support.stack import Stack

PASSWORD = "Secret-pass-1"
_STEPS = (
    ("/bin/sh -c #(nop) ADD file:8d3f7c1a in / ", 600_000),
    ("RUN /bin/sh -c apt-get update && apt-get install -y --no-install-recommends ca-certificates # buildkit", 240_000),
    ("ENV LANG=C.UTF-8", 0),
    ("COPY --chown=app:app dist/ /srv/app # buildkit", 90_000),
    ("CMD [\"/srv/app/server\"]", 0),
)  # fmt: skip


def fill(stack: Stack) -> None:
    """Projects library, payments, platform-tools and empty; user ``dev`` is a developer of the private ones."""
    with stack.api() as api:
        for name, public in (("payments", False), ("platform-tools", True), ("empty", False)):
            _made(
                api.post("/api/v2.0/projects", json={"project_name": name, "metadata": {"public": str(public).lower()}})
            )
        _made(
            api.post(
                "/api/v2.0/users",
                json={"username": "dev", "email": "dev@example.com", "realname": "Dev", "password": PASSWORD},
            )
        )
        for name in ("payments", "empty"):
            member = {"role_id": 2, "member_user": {"username": "dev"}}
            _made(api.post(f"/api/v2.0/projects/{name}/members", json=member, headers={"X-Is-Resource-Name": "true"}))
    for number in range(18):
        push_image(stack, "payments/api", f"2.{number}.0", seed=number)
    push_index(stack, "payments/api", "latest", ("amd64", "arm64", "arm/v7"))
    push_image(stack, "library/hello-world", "1.0", seed=40)
    push_chart(stack, "library/charts/hello-world", "0.4.2")
    push_image(stack, "payments/worker/a-repository-with-quite-a-long-name-to-see-how-it-wraps", "nightly", seed=50)
    push_index(stack, "platform-tools/debug", "3.1", ("amd64", "arm64"))


def _made(answer: httpx.Response) -> None:
    assert answer.status_code == 201, answer.text


def registry_client(stack: Stack, repository: str) -> httpx.Client:
    client = stack.client()
    client.headers["Authorization"] = f"Bearer {stack.token(f'repository:{repository}:pull,push')}"
    return client


def image(client: httpx.Client, repository: str, *, architecture: str = "amd64", seed: int = 0) -> bytes:
    """Push config and layers; returns the manifest's bytes. Only the last layer differs between seeds."""
    layers, history = [], []
    for position, (command, size) in enumerate(_STEPS):
        step: dict[str, Any] = {"created": f"2026-11-{10 + position}T08:30:00Z", "created_by": command}
        if size:
            source = random.Random(f"{position} {architecture} {seed if position == 3 else ''}")
            layers.append(gzip.compress(source.randbytes(size), mtime=0))
        else:
            step["empty_layer"] = True
        history.append(step)
    system, _, variant = architecture.partition("/")
    config = json.dumps(
        {
            "architecture": system,
            "variant": variant,
            "os": "linux",
            "author": "Platform team",
            "created": "2026-11-14T08:30:00Z",
            "config": {
                "User": "app",
                "ExposedPorts": {"8080/tcp": {}},
                "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"],
                "Cmd": ["/srv/app/server"],
                "WorkingDir": "/srv/app",
                "Labels": {"org.opencontainers.image.source": "https://git.example.com/payments/api"},
            },
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
            "history": history,
        }
    ).encode()
    for content in (config, *layers):
        assert push_blob(client, repository, content).status_code == 201
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(config, OCI_CONFIG),
            "layers": [descriptor(layer, OCI_LAYER) for layer in layers],
            "annotations": {"org.opencontainers.image.revision": f"{seed:040x}"},
        }
    ).encode()


def push_image(stack: Stack, repository: str, tag: str, *, seed: int = 0) -> str:
    """Returns the digest."""
    with registry_client(stack, repository) as client:
        manifest = image(client, repository, seed=seed)
        _made(put_manifest(client, repository, tag, manifest))
    return digest_of(manifest)


def push_index(stack: Stack, repository: str, tag: str, architectures: tuple[str, ...]) -> str:
    """Returns the digest."""
    with registry_client(stack, repository) as client:
        entries = []
        for architecture in architectures:
            manifest = image(client, repository, architecture=architecture)
            _made(put_manifest(client, repository, digest_of(manifest), manifest))
            system, _, variant = architecture.partition("/")
            platform = {"os": "linux", "architecture": system} | ({"variant": variant} if variant else {})
            entries.append(descriptor(manifest, OCI_MANIFEST) | {"platform": platform})
        index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
        _made(put_manifest(client, repository, tag, index, OCI_INDEX))
    return digest_of(index)


def push_chart(stack: Stack, repository: str, tag: str) -> str:
    """Returns the digest."""
    config = json.dumps({"name": "hello-world", "version": tag, "apiVersion": "v2"}).encode()
    layer = gzip.compress(b"a chart " * 500, mtime=0)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(config, "application/vnd.cncf.helm.config.v1+json"),
            "layers": [descriptor(layer, "application/vnd.cncf.helm.chart.content.v1.tar+gzip")],
        }
    ).encode()
    with registry_client(stack, repository) as client:
        for content in (config, layer):
            assert push_blob(client, repository, content).status_code == 201
        _made(put_manifest(client, repository, tag, manifest))
    return digest_of(manifest)

"""A small client of the distribution API and images to push, for tests through the front door."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def descriptor(content: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


@dataclass(frozen=True)
class Image:
    config: bytes
    layer: bytes
    manifest: bytes

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


def image(size: int = 1024, *, architecture: str = "amd64", subject: dict[str, Any] | None = None) -> Image:
    """A runnable-looking image with one random layer of about ``size`` bytes."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        content = os.urandom(size)
        entry = tarfile.TarInfo("content")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    layer = gzip.compress(raw.getvalue(), mtime=0)
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": {"Cmd": ["/content"]},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(raw.getvalue())]},
            "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "COPY content /"}],
        }
    ).encode()
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(config, OCI_CONFIG),
        "layers": [descriptor(layer, OCI_LAYER)],
    }
    if subject:
        document["subject"] = subject
    return Image(config, layer, json.dumps(document).encode())


def layout(folder: Path, content: Image, name: str = "1.0") -> Path:
    """Write an OCI image layout that skopeo, podman and buildah read."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for data in (content.config, content.layer, content.manifest):
        (blobs / digest_of(data).removeprefix("sha256:")).write_bytes(data)
    entry = descriptor(content.manifest, OCI_MANIFEST) | {"annotations": {"org.opencontainers.image.ref.name": name}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder


def push_blob(client: httpx.Client, repository: str, content: bytes) -> httpx.Response:
    """POST and PUT; returns the answer to the PUT."""
    opened = client.post(f"/v2/{repository}/blobs/uploads/")
    assert opened.status_code == 202, opened.text
    location = opened.headers["Location"]
    separator = "&" if "?" in location else "?"
    return client.put(f"{location}{separator}digest={digest_of(content)}", content=content)


def push(client: httpx.Client, repository: str, reference: str, content: Image) -> httpx.Response:
    """Blobs, then the manifest; returns the answer to the manifest."""
    for data in (content.config, content.layer):
        answer = push_blob(client, repository, data)
        assert answer.status_code == 201, answer.text
    return put_manifest(client, repository, reference, content.manifest)


def put_manifest(
    client: httpx.Client, repository: str, reference: str, content: bytes, media_type: str = OCI_MANIFEST
) -> httpx.Response:
    return client.put(f"/v2/{repository}/manifests/{reference}", content=content, headers={"Content-Type": media_type})

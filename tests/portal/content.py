"""Content for pages, made by the services that make it in production: users, projects, images and an index."""

import gzip
import json
from typing import Any

from auth.actor import Actor, Credential, Kind
from auth.models import User
from harbor_core.lib import storage
from projects import access
from projects.models import Artifact, Member, Project, Quota
from projects.services import blobs
from projects.services.push import manifest_push
from tests.support.oci import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, descriptor, digest_of

PASSWORD = "Secret-pass-1"


def user(name: str, *, sysadmin: bool = False) -> User:
    account = User(username=name, email=f"{name}@example.com", sysadmin_flag=sysadmin)
    account.set_password(PASSWORD)
    account.save()
    return account


def project(name: str, owner: User, *, public: bool = False) -> Project:
    row = Project.objects.create(name=name, owner=owner, public=public)
    Quota.objects.create(project=row)
    return row


def member(row: Project, account: User, role: int) -> None:
    Member.objects.create(project=row, user=account, role=role)


def put_blob(repository: str, content: bytes) -> None:
    """The bytes as the registry would have stored them after a finished upload."""
    digest = digest_of(content)
    blobs.lease(repository, digest)
    storage.backend().put(storage.blob_path(digest), content)
    storage.backend().put(storage.layer_link(repository, digest), digest.encode())


def _put(repository: str, reference: str, manifest: bytes, media_type: str) -> Artifact:
    actor = Actor(Kind.USER, 0, "pusher", True, Credential.BASIC)
    granted = access.project_access(actor, repository.partition("/")[0])
    assert granted is not None
    manifest_push(actor, granted, repository, reference, manifest, media_type)
    return Artifact.objects.get(repository__name=repository, digest=digest_of(manifest))


def image_bytes(
    repository: str, *, architecture: str = "amd64", words: str = "one", annotations: dict[str, str] | None = None
) -> bytes:
    """Store config and layers; returns the manifest's bytes."""
    layers = [gzip.compress(f"{words} {architecture} {number}".encode() * 400, mtime=0) for number in range(2)]
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "author": "Ada",
            "created": "2026-01-02T03:04:05Z",
            "config": {"Cmd": ["nginx", "-g", words], "Env": ["PATH=/usr/bin", "LANG=C"], "Labels": {"team": words}},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
            "history": [
                {"created": "2026-01-01T00:00:00Z", "created_by": f"ADD {words}.tar /"},
                {"created": "2026-01-01T00:00:01Z", "created_by": 'CMD ["nginx"]', "empty_layer": True},
                {"created": "2026-01-01T00:00:02Z", "created_by": "COPY app /app", "comment": "buildkit"},
            ],
        }
    ).encode()
    for content in (config, *layers):
        put_blob(repository, content)
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(config, OCI_CONFIG),
        "layers": [descriptor(layer, OCI_LAYER) for layer in layers],
    }
    if annotations:
        document["annotations"] = annotations
    return json.dumps(document).encode()


def push_image(repository: str, tag: str, **options: Any) -> Artifact:
    return _put(repository, tag, image_bytes(repository, **options), OCI_MANIFEST)


def push_index(repository: str, tag: str, architectures: tuple[str, ...] = ("amd64", "arm64")) -> Artifact:
    entries = []
    for architecture in architectures:
        manifest = image_bytes(repository, architecture=architecture)
        _put(repository, digest_of(manifest), manifest, OCI_MANIFEST)
        platform = {"os": "linux", "architecture": architecture}
        entries.append(descriptor(manifest, OCI_MANIFEST) | {"platform": platform})
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return _put(repository, tag, json.dumps(document).encode(), OCI_INDEX)


def push_signature(repository: str, subject: Artifact) -> Artifact:
    """An accessory of the subject."""
    config = b"{}"
    layer = b"signature"
    for content in (config, layer):
        put_blob(repository, content)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(config, "application/vnd.cncf.notary.signature"),
        "layers": [descriptor(layer, "application/jose+json")],
        "subject": {
            "mediaType": subject.manifest_media_type,
            "digest": subject.digest,
            "size": len(bytes(subject.manifest)),
        },
    }
    manifest = json.dumps(document).encode()
    return _put(repository, digest_of(manifest), manifest, OCI_MANIFEST)


def push_chart(repository: str, tag: str) -> Artifact:
    config = json.dumps({"name": "app", "version": tag, "apiVersion": "v2"}).encode()
    layer = gzip.compress(b"chart" * 100, mtime=0)
    for content in (config, layer):
        put_blob(repository, content)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(config, "application/vnd.cncf.helm.config.v1+json"),
        "layers": [descriptor(layer, "application/vnd.cncf.helm.chart.content.v1.tar+gzip")],
    }
    return _put(repository, tag, json.dumps(document).encode(), OCI_MANIFEST)

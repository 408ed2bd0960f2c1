"""Manifests that belong to others: indexes and signatures."""

from auth.actor import Actor
from harbor_core.lib import media_types as mt
from projects.models import Artifact
from tests.cast import image, push_manifest


def _described(repository: str, digest: str) -> dict[str, str | int]:
    content = bytes(Artifact.objects.get(repository__name=repository, digest=digest).manifest)
    return {"mediaType": mt.OCI_MANIFEST, "digest": digest, "size": len(content)}


def push_index(actor: Actor, repository: str, tag: str, *children: str) -> str:
    """An index of these manifests of the repository. Returns its digest."""
    listed = [_described(repository, digest) for digest in children]
    return push_manifest(actor, repository, tag, {"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": listed})


def push_signature(actor: Actor, repository: str, subject: str) -> str:
    """A manifest with this one as its subject. Returns its digest."""
    return push_manifest(actor, repository, "", image(repository, subject=_described(repository, subject)))

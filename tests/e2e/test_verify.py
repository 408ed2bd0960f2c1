"""``manage.py verify`` finds what is wrong, and nothing where all is well."""

import subprocess
import uuid
from collections.abc import Iterator

import pytest

from tests.support import oci
from tests.support.stack import Stack


@pytest.fixture
def pushed(stack: Stack) -> Iterator[tuple[str, oci.Image]]:
    name, image = f"library/{uuid.uuid4().hex[:12]}", oci.image()
    with stack.api() as client:
        assert oci.push(client, name, "1.0", image).status_code == 201
        yield name, image
        client.delete(f"/v2/{name}/manifests/{image.digest}")


def violations(stack: Stack) -> str:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        stack.manage("verify", "--quiet-leftovers")
    return str(failed.value.output)


def test_clean_after_push_delete_and_retag(stack: Stack, pushed: tuple[str, oci.Image]) -> None:
    name, _ = pushed
    with stack.api() as client:
        other = oci.image()
        oci.push(client, name, "1.0", other)
        client.delete(f"/v2/{name}/manifests/{other.digest}")
    assert "0 violations" in stack.manage("verify", "--deep", "--quiet-leftovers")


def test_missing_layer_is_a_violation(stack: Stack, pushed: tuple[str, oci.Image]) -> None:
    _, image = pushed
    digest = oci.digest_of(image.layer)
    value = digest.removeprefix("sha256:")
    data = stack.storage_root / "docker/registry/v2/blobs/sha256" / value[:2] / value / "data"
    content = data.read_bytes()
    data.unlink()
    try:
        assert f"VIOLATION {digest}: it is named by an artifact but missing in storage" in violations(stack)
    finally:
        data.write_bytes(content)


def test_missing_revision_link_is_a_violation(stack: Stack, pushed: tuple[str, oci.Image]) -> None:
    name, image = pushed
    revisions = stack.storage_root / "docker/registry/v2/repositories" / name / "_manifests/revisions/sha256"
    link = revisions / image.digest.removeprefix("sha256:") / "link"
    content = link.read_bytes()
    link.unlink()
    try:
        assert f"VIOLATION {name}@{image.digest}: its revision link is missing" in violations(stack)
    finally:
        link.write_bytes(content)


def test_unknown_bytes_are_a_leftover(stack: Stack) -> None:
    value = oci.digest_of(uuid.uuid4().bytes).removeprefix("sha256:")
    data = stack.storage_root / "docker/registry/v2/blobs/sha256" / value[:2] / value / "data"
    data.parent.mkdir(parents=True)
    data.write_bytes(b"nobody's")
    assert f"leftover sha256:{value}: 8 bytes the database does not know" in stack.manage("verify")
    data.unlink()

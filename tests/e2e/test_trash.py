"""Deleting by mistake, and undoing it, through the front door: what comes back can be pulled byte for byte."""

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support import oci
from tests.support.stack import Stack

API = "/api/v2.0/projects"


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with stack.api() as found:
        yield found


@pytest.fixture
def project(client: httpx.Client) -> str:
    name = f"trash-{uuid.uuid4().hex[:8]}"
    assert client.post(API, json={"project_name": name}).status_code == 201
    return name


def trash(client: httpx.Client, project: str) -> list[dict[str, Any]]:
    answer = client.get(f"{API}/{project}/trash")
    assert answer.status_code == 200, answer.text
    return answer.json()


def pull(client: httpx.Client, repository: str, reference: str) -> list[bytes]:
    manifest = client.get(f"/v2/{repository}/manifests/{reference}", headers={"Accept": oci.OCI_MANIFEST})
    assert manifest.status_code == 200, manifest.text
    document = manifest.json()
    found = [manifest.content]
    for item in (document["config"], *document["layers"]):
        blob = client.get(f"/v2/{repository}/blobs/{item['digest']}")
        assert blob.status_code == 200, item
        found.append(blob.content)
    return found


def used(client: httpx.Client, project: str) -> int:
    return int(client.get(f"{API}/{project}/summary").json()["quota"]["used"]["storage"])


def test_an_image_deleted_by_digest(stack: Stack, client: httpx.Client, project: str) -> None:
    name, image = f"{project}/app", oci.image()
    assert oci.push(client, name, "1.0", image).status_code == 201
    before = used(client, project)
    assert client.delete(f"/v2/{name}/manifests/{image.digest}").status_code == 202
    assert client.get(f"/v2/{name}/manifests/1.0").status_code == 404
    assert used(client, project) == 0
    [row] = trash(client, project)
    assert client.post(f"{API}/{project}/trash/{row['id']}/restore").json()["tags"] == ["1.0"]
    assert pull(client, name, "1.0") == [image.manifest, image.config, image.layer]
    assert used(client, project) == before
    assert "0 violations" in stack.manage("verify", "--deep", "--quiet-leftovers")


def test_a_repository_deleted_as_a_whole(stack: Stack, client: httpx.Client, project: str) -> None:
    name, image, other = f"{project}/deep/app", oci.image(), oci.image()
    assert oci.push(client, name, "1.0", image).status_code == 201
    assert oci.push(client, name, "2.0", other).status_code == 201
    assert client.delete(f"{API}/{project}/repositories/deep%252Fapp").status_code == 200
    # The name is used for something else meanwhile; nothing of the old one is to be seen there.
    fresh = oci.image()
    assert oci.push(client, name, "1.0", fresh).status_code == 201
    layer = oci.digest_of(image.layer)
    assert client.get(f"/v2/{name}/blobs/{layer}").status_code == 404
    assert client.head(f"/v2/{name}/blobs/{layer}").status_code == 404
    assert client.get(f"/v2/{name}/manifests/{image.digest}").status_code == 404
    row = next(row for row in trash(client, project) if row["digest"] == image.digest)
    answer = client.post(f"{API}/{project}/trash/{row['id']}/restore").json()
    assert (answer["tags"], answer["taken_tags"]) == ([], ["1.0"])
    assert pull(client, name, "1.0") == [fresh.manifest, fresh.config, fresh.layer]
    assert pull(client, name, image.digest) == [image.manifest, image.config, image.layer]
    assert client.get(f"/v2/{name}/blobs/{oci.digest_of(other.layer)}").status_code == 404  # still in the trash
    assert "0 violations" in stack.manage("verify", "--deep", "--quiet-leftovers")


def test_a_tag_that_was_overwritten(client: httpx.Client, project: str) -> None:
    name, good, bad = f"{project}/app", oci.image(), oci.image()
    oci.push(client, name, "latest", good)
    oci.push(client, name, "latest", bad)
    tag = f"{API}/{project}/repositories/app/tags/latest"
    assert [row["operation"] for row in client.get(f"{tag}/history").json()] == ["move", "create"]
    assert client.post(f"{tag}/restore", json={}).json()["digest"] == good.digest
    assert pull(client, name, "latest") == [good.manifest, good.config, good.layer]


def test_a_project_does_not_inherit_the_trash_of_its_name(client: httpx.Client, project: str) -> None:
    name, image = f"{project}/app", oci.image()
    oci.push(client, name, "1.0", image)
    assert client.delete(f"{API}/{project}/repositories/app").status_code == 200
    assert client.delete(f"{API}/{project}").status_code == 200
    assert client.post(API, json={"project_name": project}).status_code == 201
    assert trash(client, project) == []
    assert client.get(f"/v2/{name}/blobs/{oci.digest_of(image.layer)}").status_code == 404

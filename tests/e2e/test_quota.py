"""The storage limit of a project, through the front door."""

import uuid
from collections.abc import Iterator

import pytest

from tests.support import oci
from tests.support.stack import Stack

LIMIT = 100_000


@pytest.fixture
def project(stack: Stack) -> Iterator[str]:
    name = f"quota-{uuid.uuid4().hex[:8]}"
    with stack.api() as client:
        created = client.post("/api/v2.0/projects", json={"project_name": name, "storage_limit": LIMIT})
        assert created.status_code == 201, created.text
        yield name


def used(client, project: str) -> int:
    return int(client.get(f"/api/v2.0/projects/{project}/summary").json()["quota"]["used"]["storage"])


def test_counts_each_blob_once_and_gives_it_back(stack: Stack, project: str) -> None:
    image = oci.image(20_000)
    total = len(image.manifest) + len(image.config) + len(image.layer)
    with stack.api() as client:
        for name in ("a", "b"):
            assert oci.push(client, f"{project}/{name}", "1.0", image).status_code == 201
        assert used(client, project) == total
        client.delete(f"/v2/{project}/a/manifests/{image.digest}")
        assert used(client, project) == total
        client.delete(f"/v2/{project}/b/manifests/{image.digest}")
        assert used(client, project) == 0


def test_refuses_what_does_not_fit_and_keeps_nothing(stack: Stack, project: str) -> None:
    with stack.api() as client:
        assert oci.push(client, f"{project}/a", "1.0", oci.image(60_000)).status_code == 201
        before = used(client, project)
        content = b"x" * 60_000
        refused = oci.push_blob(client, f"{project}/a", content)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, "DENIED")
        assert "will exceed the configured upper limit of 97.7 KiB" in refused.json()["errors"][0]["message"]
        assert client.head(f"/v2/{project}/a/blobs/{oci.digest_of(content)}").status_code == 404
        assert used(client, project) == before
        # What is there already can be pushed again, and a smaller image still fits.
        assert oci.push(client, f"{project}/b", "1.0", oci.image(1_000)).status_code == 201


def test_chunks_are_refused_when_they_outgrow_the_limit(stack: Stack, project: str) -> None:
    with stack.api() as client:
        opened = client.post(f"/v2/{project}/a/blobs/uploads/")
        first = client.patch(opened.headers["Location"], content=b"x" * 60_000)
        assert first.status_code == 202
        second = client.patch(first.headers["Location"], content=b"x" * 60_000)
        assert second.status_code == 403
        assert client.get(first.headers["Location"]).status_code == 404

"""Blobs and manifests in S3: the same pushes and pulls, with redirects and without."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clients import Containers
from tests.e2e.test_uploads import MEGABYTE, resume_after_cuts
from tests.support import oci
from tests.support.services import S3_BUCKET
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def stack_s3_streaming() -> Iterator[Stack]:
    with Stack() as running:
        yield running.start(database="sqlite", storage="s3", HARBOR_STORAGE_REDIRECT="false")


@pytest.fixture(params=["redirect", pytest.param("stream", marks=pytest.mark.slow)])
def site(request: pytest.FixtureRequest) -> Stack:
    return request.getfixturevalue("stack_s3" if request.param == "redirect" else "stack_s3_streaming")


def objects(site: Stack, part: str) -> list[str]:
    """Keys of the bucket that contain this part."""
    assert site.s3 is not None
    pages = site.s3.client().get_paginator("list_objects_v2").paginate(Bucket=S3_BUCKET)
    return [item["Key"] for page in pages for item in page.get("Contents", ()) if part in item["Key"]]


def test_push_pull_and_delete(site: Stack) -> None:
    name, image = f"library/{uuid.uuid4().hex[:12]}", oci.image(100_000)
    with site.api() as client:
        assert oci.push(client, name, "1.0", image).status_code == 201
        assert client.get(f"/v2/{name}/manifests/1.0").content == image.manifest
        path = f"/v2/{name}/blobs/{oci.digest_of(image.layer)}"
        answer = client.get(path)
        if site.environment.get("HARBOR_STORAGE_REDIRECT") == "false":
            assert answer.status_code == 200
        else:
            assert answer.status_code == 307
            assert site.s3 is not None and answer.headers["Location"].startswith(site.s3.url)
            assert "Authorization" not in answer.headers["Location"]
        assert client.get(path, follow_redirects=True).content == image.layer
        hexadecimal = image.digest.removeprefix("sha256:")
        assert len(objects(site, hexadecimal)) == 2  # the bytes and the repository's link
        assert client.delete(f"/v2/{name}/manifests/{image.digest}").status_code == 202
        assert client.get(f"/v2/{name}/manifests/1.0").status_code == 404
        assert client.delete(path).status_code == 202
        assert client.get(path).status_code == 404
    assert "0 violations" in site.manage("verify", "--deep", "--quiet-leftovers")


def test_chunks_below_and_above_the_part_size(site: Stack) -> None:
    name, content = f"library/{uuid.uuid4().hex[:12]}", os.urandom(12 * MEGABYTE)
    with site.api() as client:
        location = client.post(f"/v2/{name}/blobs/uploads/").headers["Location"]
        for start, end in ((0, 1000), (1000, 7 * MEGABYTE), (7 * MEGABYTE, 7 * MEGABYTE + 10), (7 * MEGABYTE + 10, 0)):
            chunk = content[start : end or len(content)]
            answer = client.patch(
                location, content=chunk, headers={"Content-Range": f"{start}-{start + len(chunk) - 1}"}
            )
            assert answer.status_code == 202, answer.text
            assert answer.headers["Range"] == f"0-{start + len(chunk) - 1}"
            location = answer.headers["Location"]
        done = client.put(f"{location}&digest={oci.digest_of(content)}")
        assert done.status_code == 201, done.text
        assert client.get(done.headers["Location"], follow_redirects=True).content == content
    assert objects(site, f"{name}/_uploads/") == []


def test_an_upload_cut_in_the_middle_of_a_chunk_is_resumed(site: Stack) -> None:
    resume_after_cuts(site, 16 * MEGABYTE)


def test_a_cancelled_upload_leaves_nothing(site: Stack) -> None:
    name = f"library/{uuid.uuid4().hex[:12]}"
    with site.api() as client:
        opened = client.post(f"/v2/{name}/blobs/uploads/")
        client.patch(opened.headers["Location"], content=os.urandom(6 * MEGABYTE))
        assert objects(site, f"{name}/_uploads/") != []
        assert client.delete(opened.headers["Location"]).status_code == 204
    assert objects(site, f"{name}/_uploads/") == []
    assert site.s3 is not None
    assert site.s3.client().list_multipart_uploads(Bucket=S3_BUCKET).get("Uploads", []) == []


def test_skopeo(site: Stack, containers: Containers, tmp_path: Path) -> None:
    image, name = oci.image(100_000), f"docker://{site.registry}/library/skopeo-{uuid.uuid4().hex[:8]}:1.0"
    source = oci.layout(tmp_path / "layout", image)
    to_there = ("--dest-tls-verify=false", "--dest-creds", ":".join(site.admin))
    containers.skopeo("copy", *to_there, f"oci:{source}:1.0", name).ok()
    containers.skopeo("copy", "--src-tls-verify=false", name, f"dir:{tmp_path}/pulled").ok()
    assert (tmp_path / "pulled" / oci.digest_of(image.layer).removeprefix("sha256:")).read_bytes() == image.layer

"""The distribution API through the gateway: what a client sees, and what hostile input gets."""

import json
import os
import uuid

import pytest

from tests.support import oci
from tests.support.stack import Stack


def repository() -> str:
    return f"library/{uuid.uuid4().hex[:12]}"


@pytest.fixture
def registry(stack: Stack):
    with stack.api() as client:
        yield client


def test_version_check_challenges_and_accepts(stack: Stack, registry) -> None:
    with stack.client() as anonymous:
        refused = anonymous.get("/v2/")
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == (
        f'Bearer realm="{stack.url}/service/token",service="harbor-registry"'
    )
    assert refused.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert refused.json()["errors"][0]["code"] == "UNAUTHORIZED"
    assert registry.get("/v2/").status_code == 200


def test_push_and_pull_by_tag_and_digest(registry) -> None:
    name, image = repository(), oci.image()
    pushed = oci.push(registry, name, "1.0", image)
    assert pushed.status_code == 201, pushed.text
    assert pushed.headers["Docker-Content-Digest"] == image.digest
    for reference in ("1.0", image.digest):
        pulled = registry.get(f"/v2/{name}/manifests/{reference}")
        assert (pulled.status_code, pulled.content) == (200, image.manifest)
        assert pulled.headers["Content-Type"] == oci.OCI_MANIFEST
        head = registry.head(f"/v2/{name}/manifests/{reference}")
        assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(image.manifest)))
    layer = registry.get(f"/v2/{name}/blobs/{oci.digest_of(image.layer)}")
    assert (layer.status_code, layer.content) == (200, image.layer)
    unchanged = registry.get(
        f"/v2/{name}/manifests/1.0", headers={"If-None-Match": pushed.headers["Docker-Content-Digest"].join('""')}
    )
    assert unchanged.status_code == 304
    assert registry.get(f"/v2/{name}/tags/list").json() == {"name": name, "tags": ["1.0"]}


def test_pushing_again_changes_nothing(registry) -> None:
    name, image = repository(), oci.image()
    assert oci.push(registry, name, "1.0", image).status_code == 201
    assert oci.push(registry, name, "1.0", image).status_code == 201
    assert registry.get(f"/v2/{name}/tags/list").json()["tags"] == ["1.0"]


def test_ranges_and_blob_headers(registry) -> None:
    name, image = repository(), oci.image(4096)
    oci.push(registry, name, "1.0", image)
    digest = oci.digest_of(image.layer)
    part = registry.get(f"/v2/{name}/blobs/{digest}", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, image.layer[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(image.layer)}"
    whole = registry.head(f"/v2/{name}/blobs/{digest}")
    assert whole.headers["Docker-Content-Digest"] == digest
    assert whole.headers["ETag"] == f'"{digest}"'
    outside = registry.get(f"/v2/{name}/blobs/{digest}", headers={"Range": f"bytes={10**9}-"})
    assert outside.status_code == 416
    assert outside.json()["errors"][0]["code"] == "RANGE_INVALID"


def test_chunked_upload_resumes_after_a_lost_answer(registry) -> None:
    name, content = repository(), os.urandom(200_000)
    opened = registry.post(f"/v2/{name}/blobs/uploads/")
    first = registry.patch(opened.headers["Location"], content=content[:120_000], headers={"Content-Range": "0-119999"})
    assert (first.status_code, first.headers["Range"]) == (202, "0-119999")
    # The client lost that answer and only knows the first Location.
    status = registry.get(opened.headers["Location"])
    assert (status.status_code, status.headers["Range"]) == (204, "0-119999")
    skipped = registry.patch(
        status.headers["Location"], content=content[150_000:], headers={"Content-Range": "150000-199999"}
    )
    assert skipped.status_code == 416
    second = registry.patch(
        status.headers["Location"], content=content[120_000:], headers={"Content-Range": "120000-199999"}
    )
    assert second.status_code == 202, second.text
    done = registry.put(f"{second.headers['Location']}&digest={oci.digest_of(content)}")
    assert done.status_code == 201, done.text
    assert registry.get(f"/v2/{name}/blobs/{oci.digest_of(content)}").content == content


def test_cancelled_upload_is_gone(registry) -> None:
    opened = registry.post(f"/v2/{repository()}/blobs/uploads/")
    assert registry.delete(opened.headers["Location"]).status_code == 204
    assert registry.get(opened.headers["Location"]).status_code == 404


def test_mount_links_without_bytes(registry) -> None:
    source, target, image = repository(), repository(), oci.image()
    oci.push(registry, source, "1.0", image)
    digest = oci.digest_of(image.layer)
    mounted = registry.post(f"/v2/{target}/blobs/uploads/?mount={digest}&from={source}")
    assert mounted.status_code == 201, mounted.text
    assert registry.get(f"/v2/{target}/blobs/{digest}").content == image.layer
    unknown = registry.post(f"/v2/{target}/blobs/uploads/?mount={oci.digest_of(b'x')}&from={source}")
    assert unknown.status_code == 202


def test_referrers_and_subject(registry) -> None:
    name, image = repository(), oci.image()
    oci.push(registry, name, "1.0", image)
    subject = oci.descriptor(image.manifest, oci.OCI_MANIFEST)
    attached = oci.image(subject=subject)
    pushed = oci.push(registry, name, attached.digest, attached)
    assert pushed.headers["OCI-Subject"] == image.digest
    listed = registry.get(f"/v2/{name}/referrers/{image.digest}")
    assert listed.headers["Content-Type"] == oci.OCI_INDEX
    assert [entry["digest"] for entry in listed.json()["manifests"]] == [attached.digest]
    filtered = registry.get(f"/v2/{name}/referrers/{image.digest}?artifactType=no/such")
    assert filtered.json()["manifests"] == []
    assert filtered.headers["OCI-Filters-Applied"] == "artifactType"


def test_index_needs_its_children_and_gives_amd64_to_old_clients(registry) -> None:
    name = repository()
    amd64, arm64 = oci.image(), oci.image(architecture="arm64")
    children = [
        oci.descriptor(child.manifest, oci.OCI_MANIFEST) | {"platform": {"os": "linux", "architecture": arch}}
        for child, arch in ((arm64, "arm64"), (amd64, "amd64"))
    ]
    index = json.dumps({"schemaVersion": 2, "mediaType": oci.OCI_INDEX, "manifests": children}).encode()
    early = oci.put_manifest(registry, name, "multi", index, oci.OCI_INDEX)
    assert (early.status_code, early.json()["errors"][0]["code"]) == (404, "MANIFEST_BLOB_UNKNOWN")
    for child in (amd64, arm64):
        assert oci.push(registry, name, child.digest, child).status_code == 201
    assert oci.put_manifest(registry, name, "multi", index, oci.OCI_INDEX).status_code == 201
    old = registry.get(f"/v2/{name}/manifests/multi", headers={"Accept": oci.OCI_MANIFEST})
    assert old.headers["Docker-Content-Digest"] == amd64.digest
    part = registry.delete(f"/v2/{name}/manifests/{amd64.digest}")
    assert part.status_code == 412


def test_delete_by_tag_untags_and_by_digest_deletes(registry) -> None:
    name, image = repository(), oci.image()
    oci.push(registry, name, "1.0", image)
    oci.put_manifest(registry, name, "1.1", image.manifest)
    assert registry.delete(f"/v2/{name}/manifests/1.0").status_code == 202
    assert registry.get(f"/v2/{name}/manifests/1.0").status_code == 404
    assert registry.get(f"/v2/{name}/manifests/1.1").status_code == 200
    assert registry.delete(f"/v2/{name}/blobs/{oci.digest_of(image.layer)}").status_code == 403
    assert registry.delete(f"/v2/{name}/manifests/{image.digest}").status_code == 202
    assert registry.get(f"/v2/{name}/manifests/{image.digest}").status_code == 404
    assert registry.delete(f"/v2/{name}/blobs/{oci.digest_of(image.layer)}").status_code == 202
    assert registry.get(f"/v2/{name}/blobs/{oci.digest_of(image.layer)}").status_code == 404


def test_tags_are_paged_in_byte_order(registry) -> None:
    name, image = repository(), oci.image()
    oci.push(registry, name, "b", image)
    for tag in ("A", "a", "_x", "10"):
        oci.put_manifest(registry, name, tag, image.manifest)
    first = registry.get(f"/v2/{name}/tags/list?n=2")
    assert first.json()["tags"] == ["10", "A"]
    assert first.headers["Link"] == f'</v2/{name}/tags/list?n=2&last=A>; rel="next"'
    assert registry.get(f"/v2/{name}/tags/list?n=10&last=A").json()["tags"] == ["_x", "a", "b"]
    assert registry.get(f"/v2/{name}/tags/list?n=0").json()["tags"] == []


@pytest.mark.parametrize(
    ("body", "media_type", "status", "code"),
    [
        (b"not json", oci.OCI_MANIFEST, 400, "MANIFEST_INVALID"),
        (b"[]", oci.OCI_MANIFEST, 400, "MANIFEST_INVALID"),
        (b'{"schemaVersion": 1}', oci.OCI_MANIFEST, 400, "MANIFEST_INVALID"),
        (b'{"schemaVersion": 2}', "text/plain", 400, "MANIFEST_INVALID"),
        (b'{"schemaVersion": 2}', oci.OCI_MANIFEST, 400, "MANIFEST_INVALID"),
        (b"{" * 100_000, oci.OCI_MANIFEST, 400, "MANIFEST_INVALID"),
        (b" " * (4 * 1024 * 1024 + 1), oci.OCI_MANIFEST, 413, "REQUEST_ENTITY_TOO_LARGE"),
    ],
)
def test_bad_manifests_are_refused(registry, body: bytes, media_type: str, status: int, code: str) -> None:
    name = repository()
    refused = oci.put_manifest(registry, name, "1.0", body, media_type)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (status, code)
    assert registry.get(f"/v2/{name}/tags/list").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/library/x/manifests/..%2f..%2fsecret", 404),
        ("GET", "/v2/library%2fx/manifests/1.0", 404),
        ("GET", "/v2/Library/X/manifests/1.0", 404),
        ("GET", "/v2/library//x/manifests/1.0", 404),
        ("GET", f"/v2/library/{'a' * 300}/manifests/1.0", 404),
        ("GET", "/v2/library/x/blobs/sha256:zz", 400),
        ("GET", "/v2/library/x/manifests/sha512:00", 400),
        ("GET", "/v2/library/x/tags/list?n=-1", 400),
        ("GET", "/v2/library/x/tags/list?n=1&n=2", 400),
        ("POST", "/v2/library/x/blobs/uploads/?mount=a&mount=b", 400),
        ("PATCH", "/v2/library/x/manifests/1.0", 405),
        ("GET", "/_authz/blob", 404),
        ("GET", "/_denied", 404),
    ],
)
def test_hostile_requests(registry, method: str, path: str, status: int) -> None:
    answer = registry.request(method, path)
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["message"]


def test_wrong_digest_stores_nothing(registry) -> None:
    name, content = repository(), b"content"
    opened = registry.post(f"/v2/{name}/blobs/uploads/")
    wrong = registry.put(f"{opened.headers['Location']}&digest={oci.digest_of(b'other')}", content=content)
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (400, "DIGEST_INVALID")
    assert registry.head(f"/v2/{name}/blobs/{oci.digest_of(b'other')}").status_code == 404


def test_tokens_grant_what_was_asked_and_is_allowed(stack: Stack, registry) -> None:
    name, image = repository(), oci.image()
    oci.push(registry, name, "1.0", image)
    with stack.client() as anonymous:
        granted = anonymous.get(
            "/service/token", params={"service": "harbor-registry", "scope": f"repository:{name}:pull,push"}
        ).json()["token"]
        bearer = {"Authorization": f"Bearer {granted}"}
        assert anonymous.get(f"/v2/{name}/manifests/1.0", headers=bearer).status_code == 200
        assert anonymous.get(f"/v2/{name}/blobs/{oci.digest_of(image.layer)}", headers=bearer).status_code == 200
        assert anonymous.post(f"/v2/{name}/blobs/uploads/", headers=bearer).status_code == 401
        other = anonymous.get(f"/v2/{repository()}/manifests/1.0", headers=bearer)
        assert other.status_code == 401
        assert "scope=" in other.headers["WWW-Authenticate"]
        forged = {"Authorization": f"Bearer {granted[:-4]}AAAA"}
        assert anonymous.get(f"/v2/{name}/manifests/1.0", headers=forged).status_code == 401
        assert anonymous.get("/service/token?service=harbor-registry").status_code == 401
        assert anonymous.post("/service/token").status_code == 405
        wrong = anonymous.get("/service/token?service=harbor-registry", auth=("admin", "wrong"))
        assert wrong.status_code == 401


def test_text_no_database_can_hold_is_still_pushed_and_pulled_as_it_came(registry) -> None:
    name, image = repository(), oci.image()
    for data in (image.config, image.layer):
        oci.push_blob(registry, name, data)
    document = json.loads(image.manifest) | {"annotations": {"nul\u0000": "half \ud800 \u0000"}}
    manifest = json.dumps(document).encode()
    pushed = oci.put_manifest(registry, name, "odd", manifest)
    assert pushed.status_code == 201, pushed.text
    assert registry.get(f"/v2/{name}/manifests/odd").content == manifest

"""Uploads through the gateway: core decides each request, registry:2 takes the bytes, and nothing is stored between."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harbor_core.registry_config import RegistryConfig, render
from tests.gateway.wire import bearer, push_blob
from tests.support.oci import digest_of
from tests.support.services import Registry
from tests.support.stack import Stack

REPOSITORY = "library/gateway-uploads"
SOME_ID = "00000000-0000-4000-8000-000000000000"
BIG = 64 * 1024 * 1024


@pytest.fixture(scope="module")
def push(stack: Stack) -> dict[str, str]:
    return bearer(stack, f"repository:{REPOSITORY}:pull,push")


def written_by_gateway(stack: Stack) -> int:
    """Bytes that the gateway's processes sent to disk."""
    master = stack.pid("gateway")
    workers = Path(f"/proc/{master}/task/{master}/children").read_text(encoding="ascii").split()
    total = 0
    for pid in (str(master), *workers):
        fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines())
        total += int(fields["wchar"])
    return total


def chunks(total: int) -> Iterator[bytes]:
    block = bytes(1 << 20)
    for _ in range(total // len(block)):
        yield block


def test_chunks_then_commit(stack: Stack, push: dict[str, str]) -> None:
    parts = [b"a" * 70_000, b"b" * 70_000, b"c"]
    with stack.client() as client:
        location = client.post(f"/v2/{REPOSITORY}/blobs/uploads/", headers=push).headers["Location"]
        offset = 0
        for part in parts:
            spelled = {"Content-Range": f"{offset}-{offset + len(part) - 1}"}
            answer = client.patch(location, headers=push | spelled, content=part)
            assert answer.status_code == 202, answer.text
            location = answer.headers["Location"]
            offset += len(part)
            assert answer.headers["Range"] == f"0-{offset - 1}"
        digest = digest_of(b"".join(parts))
        done = client.put(f"{location}&digest={digest}", headers=push)
        assert done.status_code == 201, done.text
        assert client.get(f"/v2/{REPOSITORY}/blobs/{digest}", headers=push).content == b"".join(parts)


def test_a_chunk_in_the_wrong_place_is_416(stack: Stack, push: dict[str, str]) -> None:
    with stack.client() as client:
        location = client.post(f"/v2/{REPOSITORY}/blobs/uploads/", headers=push).headers["Location"]
        answer = client.patch(location, headers=push | {"Content-Range": "5-9"}, content=b"12345")
    assert answer.status_code == 416
    assert answer.json()["errors"]


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("sized", [True, False], ids=["sized", "chunked"])
def test_the_body_of_a_refused_upload_is_neither_stored_nor_waited_for(stack: Stack, method: str, sized: bool) -> None:
    before = written_by_gateway(stack)
    forged = {"Authorization": "Bearer forged"}
    body = bytes(BIG) if sized else chunks(BIG)
    with stack.client() as client:
        answer = client.request(method, f"/v2/{REPOSITORY}/blobs/uploads/{SOME_ID}", headers=forged, content=body)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["code"] == "UNAUTHORIZED"
    assert len(answer.headers.get_list("WWW-Authenticate")) == 1
    assert written_by_gateway(stack) - before < BIG // 8


@pytest.mark.parametrize("sized", [True, False], ids=["sized", "chunked"])
def test_a_post_with_a_body_opens_a_session_and_drops_the_body(stack: Stack, push: dict[str, str], sized: bool) -> None:
    body = bytes(BIG) if sized else chunks(BIG)
    before = written_by_gateway(stack)
    with stack.client() as client:
        answer = client.post(
            f"/v2/{REPOSITORY}/blobs/uploads/?digest={digest_of(bytes(BIG))}", headers=push, content=body
        )
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"]
    assert written_by_gateway(stack) - before < BIG // 8


def test_an_upload_is_bound_to_its_repository(stack: Stack, push: dict[str, str]) -> None:
    other = bearer(stack, "repository:library/gateway-other:pull,push")
    with stack.client() as client:
        location = client.post(f"/v2/{REPOSITORY}/blobs/uploads/", headers=push).headers["Location"]
        moved = location.replace(REPOSITORY, "library/gateway-other")
        answer = client.patch(moved, headers=other, content=b"x")
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == "BLOB_UPLOAD_UNKNOWN"


def test_status_and_cancel(stack: Stack, push: dict[str, str]) -> None:
    with stack.client() as client:
        location = client.post(f"/v2/{REPOSITORY}/blobs/uploads/", headers=push).headers["Location"]
        assert client.get(location, headers=push).status_code == 204
        assert client.delete(location, headers=push).status_code == 204
        assert client.get(location, headers=push).status_code == 404


def test_two_digests_in_one_request_are_refused(stack: Stack, push: dict[str, str]) -> None:
    data = b"one of two"
    with stack.client() as client:
        location = client.post(f"/v2/{REPOSITORY}/blobs/uploads/", headers=push).headers["Location"]
        query = f"&digest={digest_of(data)}&digest={digest_of(b'the other')}"
        answer = client.put(location + query, headers=push, content=data)
    assert answer.status_code == 400


def test_other_methods_reach_core(stack: Stack, push: dict[str, str]) -> None:
    with stack.client() as client:
        for method in ("POST", "HEAD", "PROPFIND"):
            answer = client.request(method, f"/v2/{REPOSITORY}/blobs/uploads/{SOME_ID}", headers=push)
            assert answer.status_code in (404, 405)
            assert method == "HEAD" or answer.json()["errors"]


def test_a_registry_that_refuses_core_is_unavailable_not_unauthorized(stack: Stack, push: dict[str, str]) -> None:
    """The registry's own 401 would send clients to fetch tokens that cannot help."""
    from harbor_core.standalone import tls

    with stack.client() as client:
        location = client.post(f"/v2/{REPOSITORY}/blobs/uploads/", headers=push).headers["Location"]

        def stranger(socket: Path, storage: Path) -> str:
            tls.ensure_certificate(storage.parent / "other", ())
            return render(
                RegistryConfig(
                    address=f"unix:{socket}",
                    http_secret="another",
                    driver="filesystem",
                    options={"rootdirectory": str(storage)},
                    redirect=False,
                    external_url=stack.url,
                    trusted_certificate=storage.parent / "other" / "ca.crt",
                )
            )

        server = Registry(stranger)
        os.chmod(server.socket, 0o777)
        address = stack.run_dir / "registry.sock"
        address.rename(address.with_suffix(".away"))
        address.symlink_to(server.socket)
        try:
            stack.kill("gateway")  # and its kept connections
            answer = client.patch(location, headers=push, content=b"x")
        finally:
            address.unlink()
            address.with_suffix(".away").rename(address)
            server.stop()
            stack.kill("gateway")
    assert answer.status_code == 503
    assert "WWW-Authenticate" not in answer.headers
    assert answer.headers["Retry-After"]


def test_a_push_after_all_of_this_works(stack: Stack, push: dict[str, str]) -> None:
    with stack.client() as client:
        assert push_blob(client, REPOSITORY, b"still fine", push) == digest_of(b"still fine")

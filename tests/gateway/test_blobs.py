"""Blobs through the gateway: the same answers as registry:2, for those who may read, and nothing for the others."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.gateway.wire import DirectRegistry, bearer, push_blob, raw_get
from tests.support.oci import digest_of
from tests.support.stack import Stack

REPOSITORY = "library/gateway-blobs"
DATA = bytes(range(256)) * 40
# What belongs to the connection or the request, not to the blob.
OWN_HEADERS = {"date", "server", "connection", "x-request-id", "keep-alive"}

# A 206 says by itself that ranges work; a 304 has no content to describe.
UNSAID = {206: ("accept-ranges",), 304: ("content-type", "content-length", "accept-ranges")}


@pytest.fixture(scope="module")
def pull(stack: Stack) -> dict[str, str]:
    return bearer(stack, f"repository:{REPOSITORY}:pull,push")


@pytest.fixture(scope="module")
def digest(stack: Stack, pull: dict[str, str]) -> str:
    with stack.client() as client:
        return push_blob(client, REPOSITORY, DATA, pull)


def blob_file(stack: Stack, digest: str) -> Path:
    name = digest.removeprefix("sha256:")
    return stack.storage_root / "docker/registry/v2/blobs/sha256" / name[:2] / name / "data"


def link_file(stack: Stack, repository: str, digest: str) -> Path:
    name = digest.removeprefix("sha256:")
    return stack.storage_root / "docker/registry/v2/repositories" / repository / "_layers/sha256" / name / "link"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "conditions",
    [
        {},
        {"Range": "bytes=10-99"},
        {"Range": "bytes=-7"},
        {"Range": "bytes=10000-"},
        {"Range": "bytes=5-5", "If-Range": "the-digest"},
        {"Range": "bytes=5-5", "If-Range": '"something else"'},
        {"If-None-Match": "the-digest"},
        {"If-None-Match": 'W/"other", the-digest'},
        {"If-None-Match": '"other"'},
        {"If-Modified-Since": "Fri, 01 Jan 2038 00:00:00 GMT"},
        {"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
    ],
    ids=lambda conditions: ",".join(f"{name}={value}" for name, value in conditions.items()) or "plain",
)
def test_answers_equal_the_registrys(
    stack: Stack, pull: dict[str, str], digest: str, method: str, conditions: dict[str, str]
) -> None:
    headers = {name: value.replace("the-digest", f'"{digest}"') for name, value in conditions.items()}
    path = f"/v2/{REPOSITORY}/blobs/{digest}"
    status, expected, body = DirectRegistry(stack).request(method, path, REPOSITORY, headers)
    with stack.client() as client:
        answer = client.request(method, path, headers=pull | headers | {"Accept-Encoding": "identity"})
    assert answer.status_code == status
    if status >= 400:  # ours have the spec's body where registry:2 has plain text
        assert answer.headers.get("Content-Range") == expected.get("content-range")
        return
    assert answer.content == body
    ours = {name: value for name, value in answer.headers.items() if name not in OWN_HEADERS}
    theirs = {name: value for name, value in expected.items() if name not in OWN_HEADERS}
    for name in UNSAID.get(status, ()):
        ours.pop(name, None)
        theirs.pop(name, None)
    assert ours == theirs


def test_a_range_outside_is_416_in_the_specs_shape(stack: Stack, pull: dict[str, str], digest: str) -> None:
    with stack.client() as client:
        answer = client.get(f"/v2/{REPOSITORY}/blobs/{digest}", headers=pull | {"Range": f"bytes={len(DATA)}-"})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(DATA)}"
    assert answer.json()["errors"][0]["code"] == "RANGE_INVALID"
    assert len(answer.headers.get_list("Docker-Distribution-Api-Version")) == 1


def test_a_failed_if_match_is_412_without_a_body(stack: Stack, pull: dict[str, str], digest: str) -> None:
    """registry:2 announces the blob's length here and sends nothing; that would hang a client."""
    with stack.client(timeout=10) as client:
        for method in ("GET", "HEAD"):
            answer = client.request(method, f"/v2/{REPOSITORY}/blobs/{digest}", headers=pull | {"If-Match": '"other"'})
            assert (answer.status_code, answer.content) == (412, b"")
        same = client.get(f"/v2/{REPOSITORY}/blobs/{digest}", headers=pull | {"If-Match": f'"{digest}"'})
    assert (same.status_code, same.content) == (200, DATA)


def test_many_ranges_are_answered_whole(stack: Stack, pull: dict[str, str], digest: str) -> None:
    with stack.client() as client:
        answer = client.get(f"/v2/{REPOSITORY}/blobs/{digest}", headers=pull | {"Range": "bytes=0-1,5-6,9-10"})
    assert (answer.status_code, answer.content) == (200, DATA)


def test_bytes_come_without_the_registry(stack: Stack, pull: dict[str, str], digest: str) -> None:
    registry = stack.pid("registry")
    os.kill(registry, signal.SIGSTOP)
    try:
        with stack.client(timeout=5) as client:
            answer = client.get(f"/v2/{REPOSITORY}/blobs/{digest}", headers=pull)
    finally:
        os.kill(registry, signal.SIGCONT)
    assert answer.content == DATA


def test_without_a_credential_core_challenges_once_and_cookies_stay_out(stack: Stack, digest: str) -> None:
    with stack.client() as client:
        signed_in = client.post("/c/login", data={"principal": stack.admin[0], "password": stack.admin[1]})
        answer = client.get(
            f"/v2/{REPOSITORY}/blobs/{digest}", headers={"Cookie": signed_in.headers.get("Set-Cookie", "sid=1")}
        )
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["code"] == "UNAUTHORIZED"
    assert len(answer.headers.get_list("WWW-Authenticate")) == 1


def test_a_bad_token_is_refused_with_the_same_words_for_what_is_and_what_is_not(stack: Stack, digest: str) -> None:
    absent = digest_of(b"never pushed")
    answers = []
    for name in (digest, absent):
        status, headers, body = raw_get(stack, f"/v2/{REPOSITORY}/blobs/{name}", "GET", "Authorization: Bearer forged")
        headers = {key: value for key, value in headers.items() if key not in OWN_HEADERS}
        answers.append((status, headers, body.replace(name.encode(), b"")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 401


def test_a_blob_of_another_repository_is_unknown_here(stack: Stack, digest: str) -> None:
    other = "library/gateway-other"
    headers = bearer(stack, f"repository:{other}:pull,push")
    with stack.client() as client:
        push_blob(client, other, b"so that the repository exists", headers)
        answer = client.get(f"/v2/{other}/blobs/{digest}", headers=headers)
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == "BLOB_UNKNOWN"


def test_a_token_for_another_repository_opens_nothing(stack: Stack, digest: str) -> None:
    headers = bearer(stack, "repository:library/gateway-elsewhere:pull")
    with stack.client() as client:
        answer = client.get(f"/v2/{REPOSITORY}/blobs/{digest}", headers=headers)
    assert answer.status_code in (401, 403)


def test_without_the_link_nothing_is_served(stack: Stack, pull: dict[str, str]) -> None:
    with stack.client() as client:
        digest = push_blob(client, REPOSITORY, b"the link of this one goes", pull)
        path = f"/v2/{REPOSITORY}/blobs/{digest}"
        assert client.get(path, headers=pull).status_code == 200
        link = link_file(stack, REPOSITORY, digest)
        kept = link.read_bytes()
        link.unlink()
        try:
            assert client.get(path, headers=pull).status_code == 404
        finally:
            link.write_bytes(kept)


def test_a_collected_blob_is_gone_at_once(stack: Stack, pull: dict[str, str]) -> None:
    with stack.client() as client:
        digest = push_blob(client, REPOSITORY, b"the data of this one goes", pull)
        path = f"/v2/{REPOSITORY}/blobs/{digest}"
        assert client.get(path, headers=pull).status_code == 200
        shutil.rmtree(blob_file(stack, digest).parent)
        assert client.get(path, headers=pull).status_code == 404


def test_a_file_the_gateway_cannot_read_still_comes_through_the_registry(stack: Stack, pull: dict[str, str]) -> None:
    with stack.client() as client:
        digest = push_blob(client, REPOSITORY, b"not for the gateway's account", pull)
        blob_file(stack, digest).chmod(0o600)
        answer = client.get(f"/v2/{REPOSITORY}/blobs/{digest}", headers=pull)
    assert (answer.status_code, answer.content) == (200, b"not for the gateway's account")


def test_decisions_are_kept_only_for_tokens_and_without_the_token(stack: Stack, digest: str) -> None:
    cache = stack.run_dir / "authz"
    assert cache.stat().st_mode & 0o077 == 0
    path = f"/v2/{REPOSITORY}/blobs/{digest}"

    def kept() -> list[Path]:
        return [file for file in cache.rglob("*") if file.is_file()]

    with stack.client(auth=stack.admin) as client:
        before = len(kept())
        assert client.get(path).status_code == 200
        assert len(kept()) == before
    token = stack.token(f"repository:{REPOSITORY}:pull")
    with stack.client() as client:
        assert client.get(path, headers={"Authorization": f"Bearer {token}"}).status_code == 200
        assert client.get(path, headers={"Authorization": f"Bearer {token[:-4]}AAAA"}).status_code == 401
    files = kept()
    assert len(files) > before
    secret = token.rsplit(".", 1)[1].encode()
    assert not [file for file in files if secret in file.read_bytes() or b"Bearer" in file.read_bytes()]


def test_deleting_goes_to_core(stack: Stack, pull: dict[str, str]) -> None:
    headers = bearer(stack, f"repository:{REPOSITORY}:pull,push,delete")
    with stack.client() as client:
        digest = push_blob(client, REPOSITORY, b"delete me", headers)
        assert client.delete(f"/v2/{REPOSITORY}/blobs/{digest}", headers=headers).status_code == 202
        assert client.get(f"/v2/{REPOSITORY}/blobs/{digest}", headers=headers).status_code == 404


@pytest.mark.parametrize("redirect", [pytest.param("true", marks=pytest.mark.slow), "false"])
def test_object_storage_is_reached_by_redirect_or_by_stream(redirect: str) -> None:
    with Stack() as stack:
        stack.start(database="sqlite", storage="s3", HARBOR_STORAGE_REDIRECT=redirect)
        headers = bearer(stack, f"repository:{REPOSITORY}:pull,push")
        with stack.client() as client:
            digest = push_blob(client, REPOSITORY, DATA, headers)
            path = f"/v2/{REPOSITORY}/blobs/{digest}"
            answer = client.get(path, headers=headers)
            assert answer.status_code == (307 if redirect == "true" else 200)
            whole = client.get(path, headers=headers, follow_redirects=True)
            part = client.get(path, headers=headers | {"Range": "bytes=3-9"}, follow_redirects=True)
            head = client.head(path, headers=headers, follow_redirects=False)
    assert whole.content == DATA
    assert (part.status_code, part.content) == (206, DATA[3:10])
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(DATA)))

"""Uploads that do not go smoothly: cut off, resumed, slow, very large, two at once."""

import hashlib
import json
import os
import socket
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e import people, tokens
from tests.e2e.clients import Containers, run
from tests.support import oci
from tests.support.services import wait_until
from tests.support.stack import Stack

MEGABYTE = 1024 * 1024


def repository() -> str:
    return f"library/{uuid.uuid4().hex[:12]}"


def cut(stack: Stack, method: str, path: str, announced: int, sent: bytes, token: str) -> None:
    """A request whose connection breaks in the middle of the body."""
    kind = oci.OCI_MANIFEST if "/manifests/" in path else "application/octet-stream"
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {stack.registry}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {announced}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", stack.port)) as connection:
        connection.sendall(head.encode() + sent)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(30)
        while connection.recv(65536):
            pass


def received(client: httpx.Client, location: str) -> tuple[int, str]:
    """Bytes the session holds, and where to go on."""
    status = client.get(location)
    assert status.status_code == 204, status.text
    last = int(status.headers["Range"].partition("-")[2])
    return (last + 1 if last else 0), status.headers["Location"]


def received_after_cut(client: httpx.Client, location: str, before: int) -> tuple[int, str]:
    """As ``received``, once the bytes on their way have arrived: more than before, and twice the same."""
    seen = [before]

    def settled() -> bool:
        seen.append(received(client, location)[0])
        return before < seen[-2] == seen[-1]

    wait_until(settled, 30, "the cut upload to show what arrived")
    return received(client, location)


def resume_after_cuts(stack: Stack, size: int) -> None:
    """Cut an upload twice, go on each time from what the registry says it has, and read back the whole."""
    name, content = repository(), os.urandom(size)
    token = stack.token(f"repository:{name}:pull,push")
    with stack.client() as client:
        client.headers["Authorization"] = f"Bearer {token}"
        location = client.post(f"/v2/{name}/blobs/uploads/").headers["Location"]
        offset = 0
        for upto in (size // 2, size * 3 // 4):
            cut(stack, "PATCH", location, size - offset, content[offset:upto], token)
            offset, location = received_after_cut(client, location, offset)
            assert offset <= upto
        rest = client.patch(location, content=content[offset:], headers={"Content-Range": f"{offset}-{size - 1}"})
        assert (rest.status_code, rest.headers["Range"]) == (202, f"0-{size - 1}")
        done = client.put(f"{rest.headers['Location']}&digest={oci.digest_of(content)}")
        assert done.status_code == 201, done.text
        assert client.get(done.headers["Location"], follow_redirects=True).content == content


def test_an_upload_cut_in_the_middle_of_a_chunk_is_resumed(stack: Stack) -> None:
    resume_after_cuts(stack, 8 * MEGABYTE)


def test_a_request_cut_in_the_middle_stores_nothing(stack: Stack) -> None:
    name, image = repository(), oci.image(2 * MEGABYTE)
    token, blob = stack.token(f"repository:{name}:pull,push"), f"/v2/{name}/blobs/{oci.digest_of(image.layer)}"
    with stack.client() as client:
        client.headers["Authorization"] = f"Bearer {token}"
        assert oci.push_blob(client, name, image.config).status_code == 201
        location = client.post(f"/v2/{name}/blobs/uploads/").headers["Location"]
        commit = f"{location}&digest={oci.digest_of(image.layer)}"
        cut(stack, "PUT", commit, len(image.layer), image.layer[:MEGABYTE], token)
        assert client.head(blob).status_code == 404
        refused = oci.put_manifest(client, name, "1.0", image.manifest)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (404, "MANIFEST_BLOB_UNKNOWN")
        offset, location = received_after_cut(client, location, 0)
        commit = f"{location}&digest={oci.digest_of(image.layer)}"
        assert client.put(commit, content=image.layer[offset:]).status_code == 201
        half = image.manifest[: len(image.manifest) // 2]
        cut(stack, "PUT", f"/v2/{name}/manifests/1.0", len(image.manifest), half, token)
        assert client.get(f"/v2/{name}/manifests/1.0").status_code == 404
        assert client.get(f"/v2/{name}/tags/list").status_code == 404
        assert oci.put_manifest(client, name, "1.0", image.manifest).status_code == 201


def test_two_clients_push_the_same_layer_at_once(stack: Stack, containers: Containers, tmp_path: Path) -> None:
    image = oci.image(8 * MEGABYTE)
    source, name = oci.layout(tmp_path / "layout", image), repository()
    start = threading.Barrier(4)

    def push(target: str) -> None:
        start.wait()
        to_there = ("--dest-tls-verify=false", "--dest-creds", ":".join(stack.admin))
        containers.skopeo("copy", *to_there, f"oci:{source}:1.0", f"docker://{stack.registry}/{target}").ok()

    targets = [f"{name}:1.0", f"{name}:1.0", f"{name}:2.0", f"{name}-other:1.0"]
    with ThreadPoolExecutor(len(targets)) as pool:
        list(pool.map(push, targets))
    with stack.api() as client:
        for target in (name, f"{name}-other"):
            assert client.get(f"/v2/{target}/manifests/1.0").content == image.manifest
            assert client.get(f"/v2/{target}/blobs/{oci.digest_of(image.layer)}").content == image.layer
    assert "0 violations" in stack.manage("verify", "--quiet-leftovers")


def test_a_session_outlives_the_token_that_opened_it(stack: Stack) -> None:
    """Only that session, only for that account, and only while the account may push."""
    name, content = repository(), os.urandom(3000)
    token = stack.token(f"repository:{name}:pull,push")
    stranger = people.account(stack)
    with stack.client() as client:
        location = client.post(f"/v2/{name}/blobs/uploads/", headers={"Authorization": f"Bearer {token}"}).headers[
            "Location"
        ]
        ended = {"Authorization": f"Bearer {tokens.ending_in(stack, -5, token)}"}
        assert client.post(f"/v2/{name}/blobs/uploads/", headers=ended).status_code == 401
        assert client.get(f"/v2/{name}/tags/list", headers=ended).status_code == 401
        foreign = tokens.claims_of(stack.token(f"repository:{name}:pull,push", auth=stranger)) | {
            "exp": int(time.time()) - 65
        }
        signed = tokens.sign(foreign, tokens.signing_key(stack))
        assert client.patch(location, content=content, headers={"Authorization": f"Bearer {signed}"}).status_code == 401
        chunk = client.patch(location, content=content, headers=ended)
        assert chunk.status_code == 202, chunk.text
        done = client.put(f"{chunk.headers['Location']}&digest={oci.digest_of(content)}", headers=ended)
        assert done.status_code == 201, done.text
        again = client.put(f"{chunk.headers['Location']}&digest={oci.digest_of(content)}", headers=ended)
        assert again.status_code in (401, 404), again.text


@pytest.mark.slow
def test_a_slow_push_is_not_ended_by_its_token(stack: Stack) -> None:
    """30 seconds of upload with a token of five."""
    name, content = repository(), os.urandom(3 * MEGABYTE)
    token = tokens.ending_in(stack, 5, stack.token(f"repository:{name}:pull,push"))

    def curl(*argv: str | Path, stdin: bytes = b"") -> dict[str, str]:
        lines = run(
            *("curl", "--silent", "--show-error", "--output", "/dev/null", "--dump-header", "-"),
            *("--header", f"Authorization: Bearer {token}", *argv),
            stdin=stdin,
        ).ok()
        headers = dict(line.split(": ", 1) for line in lines.splitlines() if ": " in line)
        return headers | {"status": lines.split()[1]}

    def throttled(method: str, location: str, body: bytes) -> dict[str, str]:
        started = time.monotonic()
        url = location if location.startswith("http") else stack.url + location
        options = ("--request", method, "--limit-rate", "100k", "--header", "Expect:", "--data-binary", "@-")
        headers = curl(*options, "--header", "Content-Type: application/octet-stream", url, stdin=body)
        assert time.monotonic() - started > 8
        return headers

    opened = curl("--request", "POST", f"{stack.url}/v2/{name}/blobs/uploads/")
    first = throttled("PATCH", opened["Location"], content[:MEGABYTE])
    assert first["status"] == "202"
    assert curl("--request", "POST", f"{stack.url}/v2/{name}/blobs/uploads/")["status"] == "401"
    second = throttled("PATCH", first["Location"], content[MEGABYTE : 2 * MEGABYTE])
    assert second["status"] == "202"
    separator = "&" if urlsplit(second["Location"]).query else "?"
    done = throttled("PUT", f"{second['Location']}{separator}digest={oci.digest_of(content)}", content[2 * MEGABYTE :])
    assert done["status"] == "201"
    with stack.api() as client:
        assert client.get(f"/v2/{name}/blobs/{oci.digest_of(content)}").content == content


@pytest.mark.slow
def test_a_layer_of_one_gigabyte(stack: Stack, tmp_path: Path) -> None:
    name, file, digest = repository(), tmp_path / "layer", hashlib.sha256()
    with file.open("wb") as output:
        for _ in range(64):
            block = os.urandom(16 * MEGABYTE)
            digest.update(block)
            output.write(block)
    wanted = f"sha256:{digest.hexdigest()}"
    bearer = f"Authorization: Bearer {stack.token(f'repository:{name}:pull,push')}"
    with stack.api() as client:
        location = client.post(f"/v2/{name}/blobs/uploads/").headers["Location"]
    curl = ("curl", "--silent", "--show-error", "--fail", "--header", bearer)
    url = location if location.startswith("http") else stack.url + location
    run(*curl, "--upload-file", file, f"{url}&digest={wanted}", seconds=240).ok()
    file.unlink()
    run(*curl, "--output", file, f"{stack.url}/v2/{name}/blobs/{wanted}", seconds=240).ok()
    with file.open("rb") as pulled:
        assert hashlib.file_digest(pulled, "sha256").hexdigest() == digest.hexdigest()


def push_one_tag_at_once(stack: Stack, pushes: int) -> None:
    """Different manifests under one tag: all are taken, one wins, and the history is one unbroken chain."""
    name, image = repository(), oci.image()
    with stack.api() as client:
        assert oci.push(client, name, "other", image).status_code == 201
    manifests = [
        json.dumps(json.loads(image.manifest) | {"annotations": {"push": str(number)}}).encode()
        for number in range(pushes)
    ]
    start = threading.Barrier(pushes)

    def push(manifest: bytes) -> httpx.Response:
        with stack.api() as client:
            client.get("/v2/")
            start.wait()
            return oci.put_manifest(client, name, "1.0", manifest)

    with ThreadPoolExecutor(pushes) as pool:
        answers = list(pool.map(push, manifests))
    assert [answer.status_code for answer in answers if answer.status_code != 201] == []
    with stack.api() as client:
        winner = client.head(f"/v2/{name}/manifests/1.0").headers["Docker-Content-Digest"]
        assert client.get(f"/v2/{name}/tags/list").json()["tags"] == ["1.0", "other"]
        for manifest in manifests:
            assert client.get(f"/v2/{name}/manifests/{oci.digest_of(manifest)}").content == manifest
    history = json.loads(
        stack.manage(
            "shell",
            "--no-imports",
            "--command",
            "import json; from projects.models import TagEvent; print(json.dumps(list(TagEvent.objects.filter("
            f"repository__name='{name}', name='1.0').order_by('id')"
            ".values_list('operation', 'old_digest', 'new_digest', 'operator'))))",
        )
    )
    assert [operation for operation, *_ in history] == ["create"] + ["move"] * (pushes - 1)
    assert [old for _, old, _, _ in history] == ["", *(new for _, _, new, _ in history[:-1])]
    assert {new for _, _, new, _ in history} == {oci.digest_of(manifest) for manifest in manifests}
    assert history[-1][2] == winner
    assert {operator for *_, operator in history} == {stack.admin[0]}


def test_fifty_pushes_of_one_tag_at_once(stack: Stack) -> None:
    push_one_tag_at_once(stack, 50)
    assert "0 violations" in stack.manage("verify", "--quiet-leftovers")


@pytest.mark.slow
def test_fifty_pushes_of_one_tag_at_once_on_sqlite(stack_sqlite: Stack) -> None:
    push_one_tag_at_once(stack_sqlite, 50)
    assert "0 violations" in stack_sqlite.manage("verify", "--quiet-leftovers")

"""kill -9 in the middle of a push. Pushing again succeeds, and nothing that was promised is missing."""

import os
import random
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator

import pytest

from tests.faults.breaking import Gone, assert_whole, attempt, push_until_it_works
from tests.support import oci
from tests.support.services import wait_until
from tests.support.stack import Stack

MEGABYTE = 1024 * 1024
ROLES = ("core", "worker", "registry", "redis", "gateway")
# What moves the bytes; without it a chunk on its way is lost. Without the others it arrives.
CARRIERS = ("registry", "gateway")
slow = pytest.mark.slow


def assert_clean(stack: Stack) -> None:
    try:
        assert "0 violations" in stack.manage("verify", "--deep", "--quiet-leftovers")
    except subprocess.CalledProcessError as error:
        pytest.fail(error.output)


def repository() -> str:
    return f"library/{uuid.uuid4().hex[:12]}"


@pytest.mark.parametrize(("role", "kills"), [("core", 2), *(pytest.param(role, 4, marks=slow) for role in ROLES)])
def test_pushes_go_on_through_kills(victim: Stack, role: str, kills: int) -> None:
    """Three clients push image after image while the role is killed at moments of chance."""
    chance, over, name = random.Random(f"kill {role} {kills}"), threading.Event(), repository()
    pushed: list[tuple[str, oci.Image]] = []
    failed: list[BaseException] = []

    def pusher(number: int) -> None:
        try:
            for count in range(10_000):
                if over.is_set():
                    return
                tag, image = f"{number}-{count}", oci.image(50_000)
                push_until_it_works(victim, name, tag, image)
                pushed.append((tag, image))
        except BaseException as error:
            failed.append(error)

    clients = [threading.Thread(target=pusher, args=(number,)) for number in range(3)]
    for client in clients:
        client.start()
    try:
        for _ in range(kills):
            time.sleep(chance.uniform(0.3, 1.2))
            victim.kill(role)
    finally:
        over.set()
        for client in clients:
            client.join()
    assert failed == []
    assert len(pushed) > 5
    for tag, image in pushed:
        assert_whole(victim, name, tag, image)
    with victim.api() as client:
        assert client.get(f"/v2/{name}/tags/list").json()["tags"] == sorted(tag for tag, _ in pushed)
    assert_clean(victim)


@slow
@pytest.mark.parametrize("role", ROLES)
def test_killed_in_the_middle_of_a_chunk(victim: Stack, role: str) -> None:
    kill_in_the_middle_of_a_chunk(victim, role)


@slow
@pytest.mark.parametrize("role", ["core", *CARRIERS])
def test_killed_in_the_middle_of_a_chunk_on_s3(role: str) -> None:
    with Stack() as stack:
        kill_in_the_middle_of_a_chunk(stack.start(database="sqlite", storage="s3"), role)


def kill_in_the_middle_of_a_chunk(victim: Stack, role: str) -> None:
    """The chunk arrives, or the session says how much of it did; either way the upload goes on from there."""
    name, image = repository(), oci.image(24 * MEGABYTE)
    half = len(image.layer) // 2

    def body() -> Iterator[bytes]:
        yield image.layer[:half]
        victim.kill(role, wait=False)
        yield image.layer[half:]

    with victim.api() as client:
        assert oci.push_blob(client, name, image.config).status_code == 201
        location = client.post(f"/v2/{name}/blobs/uploads/").headers["Location"]
        headers = {"Content-Length": str(len(image.layer)), "Content-Type": "application/octet-stream"}
        try:
            chunk = attempt(lambda: client.patch(location, content=body(), headers=headers))
            assert chunk.status_code == 202, chunk.text
            arrived = True
        except Gone:
            arrived = False
        assert arrived or role in CARRIERS
        wait_until(victim.is_ready, 60, "the stack to answer again")
        status = client.get(location)
        assert status.status_code == 204, status.text
        last = int(status.headers["Range"].partition("-")[2])
        offset = last + 1 if last else 0
        assert offset == len(image.layer) if arrived else offset <= len(image.layer)
        done = client.put(
            f"{status.headers['Location']}&digest={oci.digest_of(image.layer)}", content=image.layer[offset:]
        )
        assert done.status_code == 201, done.text
        assert oci.put_manifest(client, name, "1.0", image.manifest).status_code == 201
    assert_whole(victim, name, "1.0", image)
    assert_clean(victim)


@slow
def test_everything_killed_at_once(victim: Stack) -> None:
    """As when the machine loses power, as far as a process can: what was answered is kept."""
    name, images = repository(), [oci.image(50_000) for _ in range(20)]
    pushed = 0

    def pusher() -> None:
        nonlocal pushed
        for number, image in enumerate(images):
            push_until_it_works(victim, name, str(number), image)
            pushed = number + 1

    client = threading.Thread(target=pusher)
    client.start()
    wait_until(lambda: pushed >= 5, 30, "some pushes")
    victim.terminate(number=9)
    before = pushed
    victim.launch()
    for number in range(before):
        assert_whole(victim, name, str(number), images[number])
    client.join()
    assert pushed == len(images)
    for number, image in enumerate(images):
        assert_whole(victim, name, str(number), image)
    assert_clean(victim)


@slow
def test_a_client_that_vanishes_leaves_nothing_half_done(victim: Stack) -> None:
    """Blobs without their manifest: nothing to see, and the next push of the same image needs no bytes again."""
    name, image = repository(), oci.image(os.getpid())
    with victim.api() as client:
        for content in (image.config, image.layer):
            assert oci.push_blob(client, name, content).status_code == 201
    victim.kill("core")
    with victim.api() as client:
        assert client.get(f"/v2/{name}/tags/list").status_code == 404
        assert client.head(f"/v2/{name}/blobs/{oci.digest_of(image.layer)}").status_code == 200
        assert oci.put_manifest(client, name, "1.0", image.manifest).status_code == 201
    assert_whole(victim, name, "1.0", image)
    assert_clean(victim)

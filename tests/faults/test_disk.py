"""A storage volume that fills up: clear refusals, no broken artifact, pulls go on, and with room again so do pushes."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faults.breaking import assert_whole
from tests.support import oci
from tests.support.services import wait_until
from tests.support.stack import Stack

MEGABYTE = 1024 * 1024
pytestmark = pytest.mark.slow


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """64 MB that end."""
    if os.geteuid() != 0:
        pytest.skip("mounting a volume needs root")
    folder = tmp_path / "volume"
    folder.mkdir()
    for parent in tmp_path.parents:
        if parent.owner() == "root" and parent.name.startswith("pytest-"):
            parent.chmod(0o711)  # the gateway's workers have to reach it
    tmp_path.chmod(0o711)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=0755", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def grow(volume: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=192m", volume], check=True)


def push_once(client: httpx.Client, name: str, tag: str, image: oci.Image) -> httpx.Response:
    """The answer that says how it ended: the first that refuses, or the manifest's."""
    for content in (image.config, image.layer):
        opened = client.post(f"/v2/{name}/blobs/uploads/")
        if opened.status_code != 202:
            return opened
        done = client.put(f"{opened.headers['Location']}&digest={oci.digest_of(content)}", content=content)
        if done.status_code != 201:
            return done
    return oci.put_manifest(client, name, tag, image.manifest)


def push_until_refused(stack: Stack, name: str, size: int) -> tuple[dict[str, oci.Image], oci.Image, int, str]:
    """What was taken, the image that was not, and the refusal's status and message."""
    taken: dict[str, oci.Image] = {}
    with stack.api() as client:
        for number in range(64 * MEGABYTE // size + 1):
            image = oci.image(size)
            answer = push_once(client, name, str(number), image)
            if answer.status_code != 201:
                return taken, image, answer.status_code, answer.json()["errors"][0]["message"]
            taken[str(number)] = image
    raise AssertionError("more was taken than the volume holds")


def assert_sound(stack: Stack, name: str, taken: dict[str, oci.Image]) -> None:
    for tag, image in taken.items():
        assert_whole(stack, name, tag, image)
    with stack.api() as client:
        assert client.get(f"/v2/{name}/tags/list").json()["tags"] == sorted(taken)
    assert "0 violations" in stack.manage("verify", "--deep", "--quiet-leftovers")


@pytest.mark.parametrize("size", [9 * MEGABYTE, 400_000])
def test_full_to_the_last_byte(volume: Path, size: int) -> None:
    name = f"library/{uuid.uuid4().hex[:12]}"
    with Stack() as stack:
        stack.start(database="sqlite", HARBOR_STORAGE_FILESYSTEM_ROOTDIRECTORY=str(volume), HARBOR_LOW_SPACE_BYTES="0")
        taken, refused, status, _ = push_until_refused(stack, name, size)
        assert len(taken) > 3
        assert status == 503
        assert_sound(stack, name, taken)
        grow(volume)
        with stack.api() as client:
            assert oci.push(client, name, "again", refused).status_code == 201
        assert_sound(stack, name, taken | {"again": refused})


def test_nearly_full_is_read_only(volume: Path) -> None:
    name, image, other = f"library/{uuid.uuid4().hex[:12]}", oci.image(), oci.image()
    with Stack() as stack:
        stack.start(
            database="sqlite",
            HARBOR_STORAGE_FILESYSTEM_ROOTDIRECTORY=str(volume),
            HARBOR_LOW_SPACE_BYTES=str(24 * MEGABYTE),
        )
        ballast = volume / "ballast"
        with stack.api() as client:

            def opened() -> httpx.Response:
                return client.post(f"/v2/{name}/blobs/uploads/")

            def always(status: int) -> bool:
                """Each process of core finds out by itself."""
                return all(opened().status_code == status for _ in range(10))

            assert oci.push(client, name, "1.0", image).status_code == 201
            ballast.write_bytes(bytes(48 * MEGABYTE))
            wait_until(lambda: always(403), 20, "pushes to be refused")
            refusal = opened().json()["errors"][0]
            assert refusal["code"] == "DENIED"
            assert "nearly full" in refusal["message"]
            assert oci.put_manifest(client, name, "2.0", image.manifest).status_code == 403
            assert_sound(stack, name, {"1.0": image})
            ballast.unlink()
            wait_until(lambda: always(202), 20, "pushes to be taken again")
            assert oci.push(client, name, "2.0", other).status_code == 201
        assert_sound(stack, name, {"1.0": image, "2.0": other})

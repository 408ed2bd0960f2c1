"""The chart's backup by the clock, as it is rendered, against a running registry: its storage and its database."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harbor_core.standalone.tls import ensure_certificate
from tests.packaging import pod
from tests.packaging.helm import render
from tests.support import oci
from tests.support.services import Postgres, temp_folder
from tests.support.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.geteuid() != 0, reason="mounting volumes needs root")]


@pytest.fixture
def folder() -> Iterator[Path]:
    made = temp_folder("harbor-pod")
    yield made
    shutil.rmtree(made)


@pytest.fixture
def database(folder: Path) -> Iterator[Postgres]:
    ensure_certificate(folder, [])
    made = Postgres(certificates=folder)
    yield made
    made.stop()


@pytest.fixture
def stack(database: Postgres) -> Iterator[Stack]:
    with Stack() as made:
        yield made.start(database="sqlite", HARBOR_DATABASE_URL=database.url("harbor"))


def rendered(database: Postgres, *more: str) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """The pod, and the Secrets that come with the chart."""
    objects = render(
        "backup.enabled=true",
        "backup.keep=1",
        "database.type=external",
        "database.external.host=127.0.0.1",
        f"database.external.port={database.port}",
        "database.external.username=harbor",
        "database.external.password=any",
        "database.external.coreDatabase=harbor",
        *more,
    )
    (job,) = [one for one in objects if one["kind"] == "CronJob"]
    secrets = {one["metadata"]["name"]: one.get("stringData", {}) for one in objects if one["kind"] == "Secret"}
    return job["spec"]["jobTemplate"]["spec"]["template"]["spec"], secrets


def volumes(stack: Stack, folder: Path) -> dict[str, Path]:
    """As the cluster gives them to the account of the pod: what the chart projects, by the names it has there."""
    found = {name: folder / name for name in ("tmp", "run", "secrets", "token-keys", "storage", "backups", "root")}
    for name in ("tmp", "run", "secrets", "token-keys", "backups"):
        found[name].mkdir()
    for name in ("secret_key", "registry_http_secret"):
        shutil.copy(stack.data_dir / "secrets" / name, found["secrets"] / name)
    internal = found["secrets"] / "keys" / "internal"
    internal.mkdir(parents=True)
    for name in ("registry.key", "registry.crt"):
        shutil.copy(stack.data_dir / "keys" / "internal" / name, internal / name)
    for key in (stack.data_dir / "keys" / "token").glob("*.pem"):
        shutil.copy(key, found["token-keys"] / key.name)
    shutil.copytree(stack.storage_root, found["storage"])
    for path in (folder, *folder.rglob("*")):
        os.chown(path, pod.ACCOUNT, pod.ACCOUNT)
    return found


def push(stack: Stack, tag: str) -> oci.Image:
    image = oci.image(50_000)
    with stack.api() as client:
        assert oci.push(client, "library/app", tag, image).status_code == 201
    return image


def test_as_it_is_rendered(stack: Stack, database: Postgres, folder: Path) -> None:
    image = push(stack, "1.0")
    spec, secrets = rendered(database)
    (folder / "volumes").mkdir()
    mounted = volumes(stack, folder / "volumes")
    done = pod.run(spec, secrets, mounted)
    assert done.returncode == 0, done.stdout + done.stderr
    (first,) = made(mounted["backups"])
    blob = oci.digest_of(image.layer).removeprefix("sha256:")
    assert (mounted["backups"] / "blobs" / "sha256" / blob[:2] / blob).read_bytes() == image.layer
    # It is proven where it was made, and is as good outside of the pod.
    verified = pod.run(spec, secrets, mounted, ["manage", "restore", "/backups", "--verify"])
    assert verified.returncode == 0, verified.stdout + verified.stderr
    stack.manage("restore", str(mounted["backups"]), "--verify")
    # The next one replaces it, since one is to be kept.
    assert pod.run(spec, secrets, mounted).returncode == 0
    (second,) = made(mounted["backups"])
    assert second > first


def test_without_content_and_secrets(stack: Stack, database: Postgres, folder: Path) -> None:
    push(stack, "1.0")
    spec, secrets = rendered(database, "backup.content=false", "backup.secrets=false")
    (folder / "volumes").mkdir()
    mounted = volumes(stack, folder / "volumes")
    done = pod.run(spec, secrets, mounted)
    assert done.returncode == 0, done.stdout + done.stderr
    (one,) = made(mounted["backups"])
    assert not (one / "secrets").exists() and not list((mounted["backups"]).glob("blobs/sha256/*/*"))


def test_a_volume_that_is_full_leaves_no_backup(stack: Stack, database: Postgres, folder: Path) -> None:
    push(stack, "1.0")
    spec, secrets = rendered(database)
    (folder / "volumes").mkdir()
    mounted = volumes(stack, folder / "volumes")
    size = f"size=64k,uid={pod.ACCOUNT},gid={pod.ACCOUNT}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", mounted["backups"]], check=True)
    try:
        done = pod.run(spec, secrets, mounted)
        assert done.returncode != 0 and "No space left" in done.stderr and "Traceback" not in done.stderr, done.stderr
        assert made(mounted["backups"]) == []
    finally:
        subprocess.run(["umount", mounted["backups"]], check=True)


def made(backups: Path) -> list[Path]:
    """Backups that are whole."""
    return sorted(path.parent for path in backups.glob("*/backup.json"))

"""Backups from and into object storage, and a journal that is kept there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harbor_core.lib import storage, storage_backends
from harbor_core.lib.dump import DumpError
from projects.models import Artifact
from projects.services import backup, rebuild, restoring, tag_journal
from projects.services.verify import verify
from tests.cast import World
from tests.operations.test_rebuild import lose
from tests.support.services import S3

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("token_keys")]


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    running = S3()
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def store(server: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    made = storage_backends._s3()
    monkeypatch.setattr(storage, "backend", lambda: made)
    yield made
    made.storage.bucket.objects.all().delete()


def quiet(text: str) -> None:
    """What the commands would print."""


def test_a_lost_bucket_comes_back(world: World, store: Any, tmp_path: Path) -> None:
    digest = world.artifact.digest
    made = backup.create(tmp_path / "backups", quiet)
    restoring.verify(made)
    store.storage.bucket.objects.all().delete()
    lose()
    restoring.restore(made, quiet, replace=True)
    assert Artifact.objects.get().digest == digest
    assert [found.message for found in verify(deep=True) if found.violation] == []


def test_nothing_damaged_gets_into_the_bucket(world: World, store: Any, tmp_path: Path) -> None:
    made = backup.create(tmp_path / "backups", quiet)
    path = backup.blob_file(tmp_path / "backups", world.artifact.digest)
    path.write_bytes(b"x" * path.stat().st_size)
    store.storage.bucket.objects.all().delete()
    with pytest.raises(DumpError, match="damaged"):
        restoring.restore(made, quiet, replace=True)
    assert store.size(storage.blob_path(world.artifact.digest)) is None
    assert Artifact.objects.exists()


def test_a_server_that_is_gone_is_told(world: World, store: Any, server: S3, tmp_path: Path, settings: Any) -> None:
    gone = storage_backends.S3Backend(
        bucket_name="nowhere", access_key="a", secret_key="b", endpoint_url=server.url, addressing_style="path"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "backend", lambda: gone)
        with pytest.raises((DumpError, OSError)):
            backup.create(tmp_path / "backups", quiet)
    assert backup.backups(tmp_path / "backups") == []


def test_the_journal(world: World, store: Any) -> None:
    digest = world.artifact.digest
    tag_journal.keep()
    lose()
    told = rebuild.rebuild(quiet)
    assert (told.manifests, told.tags, told.refused) == (1, 1, [])
    assert Artifact.objects.get().digest == digest

"""The storage audit: whatever differs is found and can be settled, and what a push just wrote is never touched."""

import hashlib
import os
import secrets
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from harbor_core.lib import storage, storage_backends
from harbor_core.lib.errors import HarborError
from jobservice.models import Execution, StorageFinding
from projects.models import Artifact, ArtifactBlob, Blob, ProjectBlob, RepositoryBlob, Upload
from projects.services import artifacts, blobs, collection, storage_audit, storage_mend
from projects.services.storage_audit import Found, Kind
from projects.services.storage_mend import Outcome
from tests.cast import World, configure, image, push_manifest
from tests.support.services import S3

pytestmark = pytest.mark.django_db
State = StorageFinding.State
LATER = timedelta(days=1)


@pytest.fixture(scope="module")
def server() -> S3:
    return S3()


@pytest.fixture(autouse=True, params=["filesystem", "s3"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """An empty storage of each kind."""
    if request.param == "filesystem":
        made: Any = storage_backends.FilesystemBackend(str(tmp_path))
    else:
        server = request.getfixturevalue("server")
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        made = storage_backends._s3()
    monkeypatch.setattr(storage, "backend", lambda: made)
    yield made
    if request.param == "s3":
        made.storage.bucket.objects.all().delete()


def look(before: datetime | None = None) -> list[Found]:
    """Everything, however young."""
    return [found for batch in storage_audit.compare(before or timezone.now() + LATER) for found in batch]


def reported(found: Found) -> StorageFinding:
    report = Execution.objects.get_or_create(vendor_type="STORAGE_AUDIT")[0]
    columns = {name: getattr(found, name) for name in Found.__slots__}
    return StorageFinding.objects.create(execution=report, **columns)


def delete(found: Found) -> Outcome:
    return storage_mend.delete(reported(found), timezone.now() + LATER)


def adopt(found: Found) -> Outcome:
    return storage_mend.adopt(reported(found))


def lose() -> None:
    """The database forgets all content."""
    Artifact.objects.all().delete()
    ProjectBlob.objects.all().delete()
    Blob.objects.all().delete()


def stray(store: Any, content: bytes = b"nobody's") -> str:
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    store.put(storage.blob_path(digest), content)
    return digest


def exists(path: str) -> bool:
    return storage.backend().size(path) is not None


def test_nothing_is_found_where_all_is_well(world: World) -> None:
    assert look() == []


def test_unknown_bytes_are_adopted_when_they_are_what_they_say(store: Any, world: World) -> None:
    digest = stray(store)
    (found,) = look()
    assert (found.kind, found.digest, found.size) == (Kind.BLOB, digest, 8)
    assert adopt(found).state == State.ADOPTED
    blob = Blob.objects.get(digest=digest)
    assert (blob.size, blob.state) == (8, Blob.State.LIVE) and look() == []
    wrong = "sha256:" + "0" * 64
    store.put(storage.blob_path(wrong), b"something else")
    (found,) = look()
    assert adopt(found).state == State.REFUSED and not Blob.objects.filter(digest=wrong).exists()
    assert delete(found) == Outcome(State.DELETED, freed=14) and look() == []


def test_unknown_bytes_are_deleted_with_the_links_to_them(store: Any, world: World) -> None:
    digest = stray(store)
    links = storage.layer_link("team/app", digest), storage.revision_link("team/other", digest)
    for link in links:
        store.put(link, digest.encode())
    found = {item.kind: item for item in look()}
    assert set(found) == {Kind.BLOB, Kind.LINK, Kind.MANIFEST}
    refused = delete(found[Kind.LINK])
    assert refused.state == State.REFUSED and "bytes are not known" in refused.message
    reported(found[Kind.MANIFEST])
    assert delete(found[Kind.BLOB]) == Outcome(State.DELETED, freed=8)
    assert not any(map(exists, (*links, storage.blob_path(digest)))) and look() == []
    assert not Blob.objects.filter(digest=digest).exists()


def test_a_link_to_a_blob_that_lives_elsewhere(store: Any, world: World) -> None:
    digest = Blob.objects.exclude(digest=world.artifact.digest).order_by("pk").values_list("digest", flat=True)[0]
    store.put(storage.layer_link("team/other", digest), digest.encode())
    (found,) = look()
    assert (found.kind, found.repository_name, found.digest) == (Kind.LINK, "team/other", digest)
    assert delete(found).state == State.DELETED and not exists(found.path)
    assert (
        exists(storage.blob_path(digest)) and not RepositoryBlob.objects.filter(repository_name="team/other").exists()
    )
    store.put(found.path, digest.encode())
    assert adopt(found).state == State.ADOPTED and look() == []
    assert delete(found).state == State.GONE and exists(found.path), "the database knows it now"


def test_what_the_database_lost_comes_back_as_artifacts(store: Any, world: World) -> None:
    lost = world.artifact.digest
    lose()
    found = look()
    assert sorted(item.kind for item in found) == [Kind.BLOB] * 3 + [Kind.LINK] * 2 + [Kind.MANIFEST]
    order = storage_mend.ADOPTABLE
    for item in sorted(found, key=lambda item: order.index(Kind(item.kind))):
        assert adopt(item).state == State.ADOPTED
    artifact = Artifact.objects.get()
    assert (artifact.digest, artifact.repository.name) == (lost, "team/app") and look() == []


def test_links_of_projects_that_are_not_there_are_not_adopted(store: Any, world: World) -> None:
    digest = stray(store)
    store.put(storage.layer_link("nobody/app", digest), digest.encode())
    found = next(item for item in look() if item.kind == Kind.LINK)
    outcome = adopt(found)
    assert outcome.state == State.REFUSED and "no such project" in outcome.message


def test_an_upload_that_nobody_recorded(store: Any, world: World) -> None:
    upload = str(uuid.uuid4())
    prefix = storage.upload_prefix("team/app", upload)
    for name in ("data", "hashstates/sha256/0", "startedat"):
        store.put(f"{prefix}/{name}", b"2026-01-01T00:00:00Z")
    (found,) = look()
    assert (found.kind, found.path, found.repository_name) == (Kind.UPLOAD, prefix, "team/app")
    assert delete(found).state == State.DELETED and not list(store.walk(prefix)) and look() == []
    store.put(f"{prefix}/startedat", b"2026-01-01T00:00:00Z")
    until = timezone.now() + LATER
    Upload.objects.create(pk=upload, project=world.project, repository_name="team/app", granted_until=until)
    assert look() == [] and delete(found).state == State.GONE and exists(f"{prefix}/startedat")


def test_writes_that_were_cut_off(store: Any, world: World) -> None:
    for folder in (f"{storage.ROOT}/blobs/sha256/aa", storage.tree("team/app")):
        store.put(f"{folder}/.data.cut", b"half")
    found = look()
    assert [item.kind for item in found] == [Kind.FILE, Kind.FILE]
    assert [delete(item).state for item in found] == [State.DELETED, State.DELETED] and look() == []


def test_links_of_tags_are_for_a_bare_registry(store: Any, world: World) -> None:
    store.put(f"{storage.tree('team/app')}/_manifests/tags/1.0/current/link", world.artifact.digest.encode())
    assert look() == []


def test_rows_without_their_bytes_or_with_others(store: Any, world: World) -> None:
    first, second = Blob.objects.exclude(digest=world.artifact.digest).order_by("digest")
    storage.delete(storage.blob_path(first.digest))
    store.put(storage.blob_path(second.digest), b"short")
    found = {item.kind: item for item in look()}
    assert set(found) == {Kind.MISSING, Kind.SIZE}
    assert (found[Kind.MISSING].digest, found[Kind.MISSING].recorded) == (first.digest, first.size)
    assert (found[Kind.SIZE].digest, found[Kind.SIZE].size, found[Kind.SIZE].recorded) == (
        second.digest,
        5,
        second.size,
    )
    Blob.objects.create(digest="sha256:" + "f" * 64)
    assert len(look()) == 2, "what nothing names may be on its way"


def test_many_are_compared_in_batches(store: Any, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the batches of either side end."""
    strays = {stray(store, secrets.token_bytes(8)) for _ in range(7)}
    gone = [put.digest for put in Blob.objects.order_by("?")[:2]]
    for digest in gone:
        storage.delete(storage.blob_path(digest))
    for size in (1, 2, 3, 500):
        monkeypatch.setattr(storage_audit, "ROWS", size)
        monkeypatch.setattr(storage_audit.batched, "__defaults__", (size,))
        found = look()
        assert {item.digest for item in found if item.kind == Kind.BLOB} == strays
        assert {item.digest for item in found if item.kind == Kind.MISSING} == set(gone)
        assert len(found) == 9


def test_what_is_young_is_left_alone(store: Any, world: World) -> None:
    digest = stray(store)
    assert look(timezone.now() - timedelta(hours=1)) == []
    (found,) = look()
    assert storage_mend.delete(reported(found), timezone.now() - timedelta(hours=1)).state == State.GONE
    assert exists(storage.blob_path(digest))


def test_a_push_that_comes_first_keeps_what_was_found(store: Any, world: World) -> None:
    digest = stray(store)
    (found,) = look()
    blobs.lease("team/app", digest)
    assert delete(found).state == State.GONE and exists(storage.blob_path(digest))


def test_empty_trees(store: Any, world: World) -> None:
    if not storage.has_folders():
        assert list(storage.empty_trees()) == []
        return
    root: Path = store.root / storage.ROOT / "repositories"
    (root / "team/old/_layers/sha256/aa").mkdir(parents=True)
    (root / "team/old/_uploads").mkdir()
    (root / "gone/deep/below").mkdir(parents=True)
    found = look()
    assert {item.repository_name for item in found} == {"team/old", "gone/deep/below", "gone/deep", "gone"}
    assert {item.kind for item in found} == {Kind.TREE}
    assert delete(next(item for item in found if item.repository_name == "team/old")).state == State.DELETED
    assert not (root / "team/old").exists() and (root / "team/app/_layers").is_dir()
    blobs.lease("gone/deep/below", world.artifact.digest)
    assert delete(next(item for item in found if item.repository_name == "gone/deep/below")).state == State.GONE
    assert (root / "gone/deep/below").is_dir()


def test_collection_leaves_no_empty_tree(store: Any, world: World) -> None:
    configure(trash_retention_days=0)
    artifacts.delete(world.actor("maintainer"), world.artifact)
    removed = sum(batch.blobs for batch in collection.collect(timezone.now() + LATER))
    assert removed == 3 and look() == []
    if storage.has_folders():
        assert not os.listdir(store.root / storage.ROOT / "repositories")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_an_audit_while_pushes_and_collection_go_on(store: Any, world: World) -> None:
    """What is found is deleted at once, without any grace beyond the moment the look began: whatever was pushed
    meanwhile is whole."""
    configure(trash_retention_days=0)
    actor = world.actor("sysadmin")
    stop = threading.Event()
    pushed: list[str] = []
    wrong: list[str] = []

    def push(number: int) -> None:
        try:
            for turn in range(1000):
                if stop.is_set():
                    return
                repository = f"team/r{number}-{turn % 3}"
                try:
                    digest = push_manifest(actor, repository, "t", image(repository))
                except HarborError as error:
                    assert error.code in ("MANIFEST_BLOB_UNKNOWN", "SERVICE_UNAVAILABLE"), error
                    continue
                pushed.append(digest)
                if turn % 2:
                    artifacts.delete(actor, Artifact.objects.get(digest=digest, repository__name=repository))
        except BaseException as error:
            wrong.append(repr(error))
            raise
        finally:
            connections.close_all()

    threads = [threading.Thread(target=push, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    strays, end = 0, time.monotonic() + 120
    while (len(pushed) < 30 or strays < 3) and not wrong and time.monotonic() < end:
        mine = stray(store, secrets.token_bytes(16))
        for found in look(timezone.now()):
            if found.kind == Kind.TREE:
                delete(found)
                continue
            assert found.digest == mine, found
            strays += delete(found).state == State.DELETED
        for _ in collection.collect(timezone.now() - timedelta(seconds=1)):
            pass
    stop.set()
    for thread in threads:
        thread.join(60)
    assert not wrong and len(pushed) >= 30 and strays >= 3
    for digest, repository in ArtifactBlob.objects.values_list("blob__digest", "artifact__repository__name"):
        assert exists(storage.blob_path(digest))
        assert exists(storage.layer_link(repository, digest)) or exists(storage.revision_link(repository, digest))

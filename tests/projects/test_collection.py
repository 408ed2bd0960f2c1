"""Garbage collection: what nothing names goes, what anything names stays, whatever happens meanwhile."""

import random
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from harbor_core.lib import storage
from harbor_core.lib.errors import HarborError
from projects.models import Artifact, ArtifactBlob, Blob, RepositoryBlob, TrashedBlob, Upload
from projects.selectors import collection as selectors
from projects.services import artifacts, blobs, collection, trash
from tests.cast import World, configure, image, push_manifest, put_blob
from tests.projects.test_quota_property import Accounting

pytestmark = pytest.mark.django_db


def collect(**options: Any) -> collection.Totals:
    """A run with no window: nothing is too young."""
    total = collection.Totals()
    for batch in collection.collect(timezone.now() + timedelta(days=1), **options):
        total.add(batch)
    return total


def stored(digest: str) -> bool:
    return storage.backend().size(storage.blob_path(digest)) is not None


def linked(repository: str, digest: str) -> bool:
    return storage.backend().size(storage.layer_link(repository, digest)) is not None


def gone(world: World, tag: str = "1.0") -> None:
    """Delete the world's image for good."""
    configure(trash_retention_days=0)
    artifacts.delete(world.actor("maintainer"), Artifact.objects.get(tags__name=tag))


def test_what_an_artifact_names_stays(world: World) -> None:
    assert collect().blobs == 0
    assert all(stored(digest) for digest in Blob.objects.values_list("digest", flat=True))


def test_a_deleted_artifact_takes_its_blobs_and_their_links_along(world: World) -> None:
    before = list(Blob.objects.values_list("digest", "size"))
    gone(world)
    total = collect(workers=4)
    assert (total.blobs, total.manifests, total.failed) == (len(before), 1, 0)
    assert total.freed == sum(size for _, size in before)
    assert not Blob.objects.exists() and not RepositoryBlob.objects.exists()
    for digest, _ in before:
        assert not stored(digest) and not linked("team/app", digest)
    assert storage.backend().size(storage.revision_link("team/app", world.artifact.digest)) is None


def test_the_window_and_leases_are_kept_to(world: World) -> None:
    gone(world)
    assert sum(batch.blobs for batch in collection.collect(timezone.now() - timedelta(hours=1))) == 0
    digest = put_blob("team/app", b"uploaded, not named yet")["digest"]
    Upload.objects.create(
        project=world.project,
        repository_name="team/app",
        subject="u:1",
        digest=digest,
        granted_until=timezone.now() + timedelta(hours=1),
    )
    collect()
    assert stored(digest) and linked("team/app", digest)


def test_the_trash_holds_what_can_be_restored(world: World) -> None:
    artifacts.delete(world.actor("maintainer"), world.artifact)
    assert collect().blobs == 0 and selectors.state().trash.number == 3
    trash.remove_all()
    assert collect().blobs == 3


def test_a_link_goes_where_the_repository_does_not_name_the_blob_any_more(world: World) -> None:
    actor = world.actor("developer")
    shared = image("team/app")
    layer = shared["layers"][0]["digest"]
    push_manifest(actor, "team/app", "shared", shared)
    for blob in (shared["config"], *shared["layers"]):
        blobs.lease("team/other", blob["digest"])
        storage.link_layer("team/other", blob["digest"])
    push_manifest(actor, "team/other", "1", shared)
    gone(world, "shared") if Artifact.objects.filter(tags__name="shared").count() == 1 else None
    total = collect()
    assert stored(layer) and linked("team/other", layer) and not linked("team/app", layer)
    assert total.links == 3  # config, layer, and the manifest


def test_what_storage_refuses_is_parked_and_lives(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    gone(world)
    victim = world.artifact.digest
    store = storage.backend()
    whole = type(store).delete_many

    def refusing(self: Any, paths: list[str], workers: int) -> dict[str, str]:
        refused = {path: "the disk says no" for path in paths if path == storage.blob_path(victim)}
        return refused | whole(self, [path for path in paths if path not in refused], workers)

    monkeypatch.setattr(type(store), "delete_many", refusing)
    total = collect()
    assert (total.blobs, total.failed) == (2, 1)
    blob = Blob.objects.get()
    assert (blob.digest, blob.state, blob.delete_error) == (victim, Blob.State.LIVE, "the disk says no")
    assert selectors.state().parked.number == 1 and collect().failed == 0  # it is left alone for a while
    monkeypatch.setattr(type(store), "delete_many", whole)
    assert collection.retry_parked() == 1 and collect().blobs == 1


def test_a_run_that_died_is_finished_by_the_next(world: World) -> None:
    gone(world)
    old = timezone.now() - timedelta(seconds=collection.STALE_SECONDS + 1)
    Blob.objects.update(state=Blob.State.DELETING, touched_at=old)
    assert collect().blobs == 3 and not Blob.objects.exists()


def test_a_condemned_blob_is_not_there_for_clients(world: World) -> None:
    gone(world)
    digest = Blob.objects.order_by("pk").values_list("digest", flat=True)[0]
    Blob.objects.update(state=Blob.State.DELETING)
    assert not blobs.touch("team/app", digest)
    with pytest.raises(HarborError, match="being collected"):
        blobs.lease("team/app", digest)


def test_why_a_blob_is_kept(world: World) -> None:
    found = selectors.why(world.artifact.digest)
    assert found.artifacts == [("team/app", world.artifact.digest)] and found.due_at is None
    gone(world)
    assert selectors.why(world.artifact.digest).due_at is not None
    with pytest.raises(HarborError, match="not here"):
        selectors.why("sha256:" + "0" * 64)


class Collecting(Accounting):
    """Whatever the accounting machine does, with garbage collected in between."""

    @rule()
    def collect_garbage(self) -> None:
        collect()

    @invariant()
    def nothing_named_is_missing(self) -> None:
        for model, repository in ((ArtifactBlob, "artifact__repository__name"), (TrashedBlob, "")):
            names = ("blob__digest", "blob__state", *([repository] if repository else []))
            for digest, state, *where in model.objects.values_list(*names):
                assert state == Blob.State.LIVE and stored(digest)
                if where and not Artifact.objects.filter(digest=digest, repository__name=where[0]).exists():
                    assert linked(where[0], digest)


@pytest.mark.parametrize("examples", [8, pytest.param(80, marks=pytest.mark.slow)])
def test_any_order_of_everything_leaves_what_is_named(examples: int) -> None:
    run_state_machine_as_test(
        Collecting,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_pushes_and_collection_at_once(world: World) -> None:
    """With no window at all: pushes may be told to send again, but what was accepted is whole."""
    configure(trash_retention_days=0)
    actor = world.actor("sysadmin")
    stop = threading.Event()
    pushed: list[str] = []

    def work(number: int) -> None:
        try:
            while not stop.is_set():
                repository = f"team/r{number % 2}"
                for _ in range(20):
                    try:
                        digest = push_manifest(actor, repository, f"t{number}", _same(repository, number))
                        break
                    except HarborError as error:
                        assert error.code in ("MANIFEST_BLOB_UNKNOWN", "SERVICE_UNAVAILABLE"), error
                else:
                    continue
                pushed.append(digest)
                with transaction.atomic():
                    artifact = Artifact.objects.filter(digest=digest, repository__name=repository).first()
                if artifact is not None and number % 3 == 0:
                    try:
                        artifacts.delete(actor, artifact)
                    except HarborError as error:
                        assert error.code == "NOT_FOUND", error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    removed, end = 0, time.monotonic() + 200
    try:
        while (len(pushed) < 40 or removed < 40) and time.monotonic() < end:
            totals = collect()
            removed += totals.blobs + totals.links
            time.sleep(random.uniform(0, 0.1))  # without a window, a collector that never rests leaves pushes no chance
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert len(pushed) >= 40 and removed >= 40
    for digest, repository in ArtifactBlob.objects.values_list("blob__digest", "artifact__repository__name"):
        assert stored(digest)
        if not Artifact.objects.filter(digest=digest, repository__name=repository).exists():
            assert linked(repository, digest)
    assert not Blob.objects.filter(artifacts__isnull=False, state=Blob.State.DELETING).exists()


def _same(repository: str, number: int) -> dict[str, Any]:
    """An image of layers that come again and again, so that they are collected and pushed at once."""
    manifest = image(repository, layers=0)
    layer = put_blob(repository, bytes([number % 2]) * 50)
    return manifest | {"layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"} | layer]}

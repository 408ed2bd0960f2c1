"""Garbage collection on object storage: many objects per call, and nothing left of uploads that were given up."""

import hashlib
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.utils import timezone

from harbor_core.lib import storage, storage_backends
from projects.models import Blob, RepositoryBlob
from projects.services import collection
from tests.support.services import S3

pytestmark = pytest.mark.django_db
REPOSITORY = "team/app"


@pytest.fixture(scope="module")
def server() -> S3:
    return S3()


@pytest.fixture
def store(server: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[storage_backends.S3Backend]:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    made = storage_backends._s3()
    monkeypatch.setattr(storage, "backend", lambda: made)
    yield made
    made.storage.bucket.objects.all().delete()


def _loose(store: storage_backends.S3Backend, number: int) -> None:
    """Blobs with a link each that nothing names, old enough to go."""
    old = timezone.now() - timedelta(days=3)
    digests = ["sha256:" + hashlib.sha256(str(item).encode()).hexdigest() for item in range(number)]
    blobs = Blob.objects.bulk_create([Blob(digest=digest, size=3, touched_at=old) for digest in digests])
    RepositoryBlob.objects.bulk_create(
        [RepositoryBlob(repository_name=REPOSITORY, blob=blob, touched_at=old) for blob in blobs]
    )
    paths = [path for digest in digests for path in (storage.blob_path(digest), storage.layer_link(REPOSITORY, digest))]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda path: store.put(path, b"abc"), paths))


def test_a_batch_is_two_calls(store: storage_backends.S3Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links first, then data: one DeleteObjects each, however many there are in a batch."""
    monkeypatch.setattr(collection, "BATCH", 50)
    _loose(store, 60)
    calls: list[str] = []
    store.storage.bucket.meta.client.meta.events.register("before-call.s3", lambda model, **_: calls.append(model.name))
    total = collection.Totals()
    for batch in collection.collect(timezone.now(), workers=4):
        total.add(batch)
    assert (total.blobs, total.freed, total.failed) == (60, 180, 0)
    assert calls == ["DeleteObjects"] * 4, "two batches of at most 50"
    assert not list(store.walk(storage.ROOT)) and not Blob.objects.exists() and not RepositoryBlob.objects.exists()


def test_what_the_server_refuses_is_parked_and_the_rest_goes(
    store: storage_backends.S3Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    _loose(store, 3)
    kept = Blob.objects.order_by("pk")[1]
    real = store.delete_many

    def delete_many(paths: list[str], workers: int) -> dict[str, str]:
        refused = [path for path in paths if path == storage.blob_path(kept.digest)]
        return real([path for path in paths if path not in refused], workers) | dict.fromkeys(refused, "AccessDenied")

    monkeypatch.setattr(store, "delete_many", delete_many)
    totals = list(collection.collect(timezone.now()))
    assert sum(batch.blobs for batch in totals) == 2 and sum(batch.failed for batch in totals) == 1
    kept.refresh_from_db()
    assert (kept.state, kept.delete_error) == (Blob.State.LIVE, "AccessDenied")
    assert kept.parked_until is not None and kept.parked_until > timezone.now()


def test_an_upload_that_was_given_up_leaves_no_parts(store: storage_backends.S3Backend) -> None:
    upload = str(uuid.uuid4())
    prefix = storage.upload_prefix(REPOSITORY, upload)
    store.put(f"{prefix}/startedat", b"2026-01-01T00:00:00Z")
    client, bucket = store.storage.connection.meta.client, store.storage.bucket
    key = store.storage._normalize_name(f"{prefix}/data")
    begun = client.create_multipart_upload(Bucket=bucket.name, Key=key)
    client.upload_part(Bucket=bucket.name, Key=key, PartNumber=1, UploadId=begun["UploadId"], Body=b"x" * 1024)
    assert store.upload_offset(prefix) == 1024
    storage.delete_upload(REPOSITORY, upload)
    assert not list(store.walk(prefix)) and not client.list_multipart_uploads(Bucket=bucket.name).get("Uploads")

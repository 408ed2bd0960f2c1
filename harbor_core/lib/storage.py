"""The content store in registry:2's layout, through Django's Storage API.

``docker/registry/v2/blobs/sha256/<aa>/<hex>/data`` holds bytes; links in a repository's tree
(``_layers/sha256/<hex>/link``, ``_manifests/revisions/sha256/<hex>/link``) hold the digest they point to. registry:2
writes layers, core writes manifests; a bare registry:2 can serve the result.
"""

import functools
import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage

from harbor_core.env import env_bool, env_str

ROOT = "docker/registry/v2"


def blob_path(digest: str) -> str:
    algorithm, _, value = digest.partition(":")
    return f"{ROOT}/blobs/{algorithm}/{value[:2]}/{value}/data"


def layer_link(repository: str, digest: str) -> str:
    return f"{ROOT}/repositories/{repository}/_layers/{digest.replace(':', '/')}/link"


def revision_link(repository: str, digest: str) -> str:
    return f"{ROOT}/repositories/{repository}/_manifests/revisions/{digest.replace(':', '/')}/link"


class Backend(Protocol):
    """What a driver must offer beyond Django's Storage: an atomic overwrite, and a walk."""

    @property
    def storage(self) -> Storage: ...

    def read(self, path: str) -> bytes: ...

    def put(self, path: str, data: bytes) -> None: ...

    def size(self, path: str) -> int | None: ...

    def walk(self, prefix: str) -> Iterator[tuple[str, int]]: ...

    def remove_tree(self, prefix: str) -> None: ...

    def upload_offset(self, prefix: str) -> int | None: ...

    def free_bytes(self) -> int | None: ...

    def total_bytes(self) -> int | None: ...

    def presigned_url(self, path: str, seconds: int) -> str | None: ...


def _only_missing(function: Any, path: Any, error: Any) -> None:
    if not isinstance(error[1], FileNotFoundError):
        raise error[1]


class FilesystemBackend:
    def __init__(self, root: str) -> None:
        self.storage = FileSystemStorage(location=root)
        self.root = Path(root)

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def put(self, path: str, data: bytes) -> None:
        """Write under a temporary name, flush to disk, rename: readers see all of it or nothing."""
        target = self.root / path
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        try:
            file = temporary.open("wb")
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True)
            file = temporary.open("wb")
        try:
            with file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(target)
        except OSError:
            with suppress(FileNotFoundError):
                temporary.unlink()
            raise

    def size(self, path: str) -> int | None:
        try:
            return (self.root / path).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def walk(self, prefix: str) -> Iterator[tuple[str, int]]:
        base = self.root / prefix
        for folder, _, files in os.walk(base):
            for name in files:
                full = Path(folder) / name
                with suppress(FileNotFoundError):
                    yield str(full.relative_to(self.root)), full.stat().st_size

    def remove_tree(self, prefix: str) -> None:
        shutil.rmtree(self.root / prefix, ignore_errors=False, onerror=_only_missing)

    def upload_offset(self, prefix: str) -> int | None:
        if self.size(f"{prefix}/startedat") is None:
            return None
        return self.size(f"{prefix}/data") or 0

    def open_upload(self, prefix: str) -> None:
        """As registry:2 does, but not flushed to disk: what a client loses with the machine's power is a beginning."""
        folder = self.root / prefix
        folder.mkdir(parents=True)
        (folder / "startedat").write_text(datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), encoding="ascii")

    def free_bytes(self) -> int | None:
        try:
            stats = os.statvfs(self.root)
        except FileNotFoundError:
            return None
        return stats.f_bavail * stats.f_frsize

    def total_bytes(self) -> int | None:
        try:
            stats = os.statvfs(self.root)
        except FileNotFoundError:
            return None
        return stats.f_blocks * stats.f_frsize

    def presigned_url(self, path: str, seconds: int) -> str | None:
        return None


def _as_os_error(method: Callable[..., Any]) -> Callable[..., Any]:
    """What a provider's library raises becomes OSError, as from a file system; a missing object stays what it is."""

    @functools.wraps(method)
    def wrapper(self: Any, *args: Any) -> Any:
        try:
            return method(self, *args)
        except OSError:
            raise
        except Exception as exc:
            if type(exc).__module__.partition(".")[0] not in ("botocore", "boto3", "s3transfer", "google", "azure"):
                raise
            raise OSError(f"object storage: {exc}") from exc

    return wrapper


class S3Backend:
    """Any S3: objects appear whole, so a plain put is atomic."""

    def __init__(self, **options: Any) -> None:
        from storages.backends.s3 import S3Storage

        self.storage = S3Storage(**options)

    @_as_os_error
    def read(self, path: str) -> bytes:
        with self.storage.open(path, "rb") as file:
            return bytes(file.read())

    @_as_os_error
    def put(self, path: str, data: bytes) -> None:
        key = self.storage._normalize_name(path)
        self.storage.bucket.Object(key).put(Body=data, ContentType="application/octet-stream")

    @_as_os_error
    def size(self, path: str) -> int | None:
        try:
            return self.storage.size(path)
        except FileNotFoundError:
            return None

    def walk(self, prefix: str) -> Iterator[tuple[str, int]]:
        root = self.storage._normalize_name("")
        root = f"{root.rstrip('/')}/" if root else ""
        for item in self.storage.bucket.objects.filter(Prefix=f"{root}{prefix}"):
            yield item.key[len(root) :], item.size

    @_as_os_error
    def remove_tree(self, prefix: str) -> None:
        key = self.storage._normalize_name(prefix) + "/"
        self.storage.bucket.objects.filter(Prefix=key).delete()
        for upload in self._multiparts(key):
            upload.abort()

    def _multiparts(self, key: str) -> Iterator[Any]:
        for upload in self.storage.bucket.multipart_uploads.filter(Prefix=key):
            yield upload.Object().MultipartUpload(upload.id)

    @_as_os_error
    def upload_offset(self, prefix: str) -> int | None:
        if self.size(f"{prefix}/startedat") is None:
            return None
        data = self.storage._normalize_name(f"{prefix}/data")
        parts = sum(part.size for upload in self._multiparts(data) for part in upload.parts.all())
        return parts or self.size(f"{prefix}/data") or 0

    def free_bytes(self) -> int | None:
        return None

    def total_bytes(self) -> int | None:
        return None

    def presigned_url(self, path: str, seconds: int) -> str | None:
        return self.storage.url(path, expire=seconds)


class GenericBackend:
    """Google Cloud Storage and Azure through django-storages: objects appear whole."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    @_as_os_error
    def read(self, path: str) -> bytes:
        with self.storage.open(path, "rb") as file:
            return bytes(file.read())

    @_as_os_error
    def put(self, path: str, data: bytes) -> None:
        self.storage.save(path, ContentFile(data))

    @_as_os_error
    def size(self, path: str) -> int | None:
        return self.storage.size(path) if self.storage.exists(path) else None

    def walk(self, prefix: str) -> Iterator[tuple[str, int]]:
        folders, files = self.storage.listdir(prefix)
        for name in files:
            path = f"{prefix.rstrip('/')}/{name}"
            yield path, self.storage.size(path)
        for name in folders:
            yield from self.walk(f"{prefix.rstrip('/')}/{name}")

    @_as_os_error
    def remove_tree(self, prefix: str) -> None:
        for path, _ in list(self.walk(prefix)):
            self.storage.delete(path)

    @_as_os_error
    def upload_offset(self, prefix: str) -> int | None:
        if self.size(f"{prefix}/startedat") is None:
            return None
        return self.size(f"{prefix}/data") or 0

    def free_bytes(self) -> int | None:
        return None

    def total_bytes(self) -> int | None:
        return None

    def presigned_url(self, path: str, seconds: int) -> str | None:
        return self.storage.url(path)


def _s3() -> S3Backend:
    secure = env_bool("HARBOR_STORAGE_S3_SECURE", True)
    endpoint = env_str("HARBOR_STORAGE_S3_REGIONENDPOINT")
    if endpoint and "://" not in endpoint:
        endpoint = f"{'https' if secure else 'http'}://{endpoint}"
    return S3Backend(
        bucket_name=env_str("HARBOR_STORAGE_S3_BUCKET"),
        access_key=env_str("HARBOR_STORAGE_S3_ACCESSKEY") or None,
        secret_key=env_str("HARBOR_STORAGE_S3_SECRETKEY") or None,
        region_name=env_str("HARBOR_STORAGE_S3_REGION") or None,
        endpoint_url=endpoint or None,
        location=env_str("HARBOR_STORAGE_S3_ROOTDIRECTORY").strip("/"),
        addressing_style="path" if endpoint else None,
        signature_version="s3v4",
        file_overwrite=True,
        querystring_auth=True,
    )


def _gcs() -> GenericBackend:
    from storages.backends.gcloud import GoogleCloudStorage

    return GenericBackend(
        GoogleCloudStorage(
            bucket_name=env_str("HARBOR_STORAGE_GCS_BUCKET"),
            location=env_str("HARBOR_STORAGE_GCS_ROOTDIRECTORY").strip("/"),
            file_overwrite=True,
        )
    )


def _azure() -> GenericBackend:
    from storages.backends.azure_storage import AzureStorage

    return GenericBackend(
        AzureStorage(
            account_name=env_str("HARBOR_STORAGE_AZURE_ACCOUNTNAME"),
            account_key=env_str("HARBOR_STORAGE_AZURE_ACCOUNTKEY"),
            azure_container=env_str("HARBOR_STORAGE_AZURE_CONTAINER"),
            overwrite_files=True,
        )
    )


@cache
def backend() -> Backend:
    """The configured driver. swift and oss are refused by a system check (harbor.E002)."""
    if settings.STORAGE_DRIVER == "filesystem":
        return FilesystemBackend(settings.STORAGE_FILESYSTEM_ROOT)
    drivers: dict[str, Callable[[], Backend]] = {"s3": _s3, "gcs": _gcs, "azure": _azure}
    return drivers[settings.STORAGE_DRIVER]()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=16, thread_name_prefix="storage")


def linked_sizes(repository: str, digests: list[str]) -> dict[str, int | None]:
    """digest -> size in bytes of each blob that is linked into the repository and in storage, else None."""
    store = backend()

    def probe(digest: str) -> int | None:
        if store.size(layer_link(repository, digest)) is None:
            return None
        return store.size(blob_path(digest))

    if isinstance(store, FilesystemBackend) or len(digests) < 2:
        return {digest: probe(digest) for digest in digests}
    return dict(zip(digests, _pool().map(probe, digests), strict=True))


def put_manifest(repository: str, digest: str, content: bytes) -> None:
    """Store a manifest: bytes first, then the link that makes the repository own it. Raises OSError."""
    if hashlib.sha256(content).hexdigest() != digest.removeprefix("sha256:"):
        raise ValueError(f"content does not have the digest {digest}")
    store = backend()
    if store.size(blob_path(digest)) != len(content):
        store.put(blob_path(digest), content)
    store.put(revision_link(repository, digest), digest.encode())


def read_blob(digest: str) -> bytes:
    """The whole content of a small blob. Raises OSError (FileNotFoundError when it is not there)."""
    return backend().read(blob_path(digest))


def upload_prefix(repository: str, upload: str) -> str:
    return f"{ROOT}/repositories/{repository}/_uploads/{upload}"


def opens_uploads() -> bool:
    """Can :func:`open_upload` be used? Elsewhere a session begins with a multipart that only the registry can make."""
    return isinstance(backend(), FilesystemBackend)


def open_upload(repository: str, upload: str) -> None:
    """Make an empty upload session the registry can go on with. Raises OSError."""
    store = backend()
    assert isinstance(store, FilesystemBackend)
    store.open_upload(upload_prefix(repository, upload))


def upload_offset(repository: str, upload: str) -> int | None:
    """Bytes of the upload session that are safe in storage; None when there is no such session."""
    return backend().upload_offset(upload_prefix(repository, upload))


def delete_upload(repository: str, upload: str) -> None:
    """Drop a session and what it holds, unfinished multiparts included."""
    backend().remove_tree(upload_prefix(repository, upload))


def delete_tree(repository: str) -> None:
    """Remove what belongs to the repository itself; repositories below its name keep theirs."""
    for part in ("_layers", "_manifests", "_uploads"):
        backend().remove_tree(f"{ROOT}/repositories/{repository}/{part}")


def delete(path: str) -> None:
    """Remove one object; it being gone already is success."""
    with suppress(FileNotFoundError):
        backend().storage.delete(path)


def link_layer(repository: str, digest: str) -> None:
    """Make the repository own a blob that is in storage."""
    backend().put(layer_link(repository, digest), digest.encode())

"""Where content is: a file system, S3, Google Cloud Storage or Azure, each through Django's Storage API."""

import errno
import functools
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage

from harbor_core.env import env_bool, env_str


class Backend(Protocol):
    """What a driver must offer beyond Django's Storage: an atomic overwrite, and a walk in the order of names."""

    @property
    def storage(self) -> Storage: ...

    def read(self, path: str) -> bytes: ...

    def put(self, path: str, data: bytes) -> None: ...

    def size(self, path: str) -> int | None: ...

    def modified(self, path: str) -> datetime | None: ...

    def walk(self, prefix: str) -> Iterator[tuple[str, int]]: ...

    def remove_tree(self, prefix: str) -> None: ...

    def delete_many(self, paths: list[str], workers: int) -> dict[str, str]:
        """Delete objects; what is gone already counts as deleted. Returns path -> error for those that failed."""
        ...

    def upload_offset(self, prefix: str) -> int | None: ...

    def free_bytes(self) -> int | None: ...

    def total_bytes(self) -> int | None: ...

    def presigned_url(self, path: str, seconds: int) -> str | None: ...


def _only_missing(function: Any, path: Any, error: Any) -> None:
    """What is gone already is fine; a folder that somebody filled again meanwhile is emptied once more."""
    if getattr(error[1], "errno", None) == errno.ENOTEMPTY:
        shutil.rmtree(path, onerror=_only_missing)
    elif not isinstance(error[1], FileNotFoundError):
        raise error[1]


def _each(paths: list[str], delete: Callable[[str], None], workers: int) -> dict[str, str]:
    """path -> error of those that ``delete`` did not delete."""

    def attempt(path: str) -> tuple[str, str] | None:
        try:
            delete(path)
        except OSError as exc:
            return path, str(exc)[:300]
        return None

    if workers < 2 or len(paths) < 2:
        return dict(filter(None, map(attempt, paths)))
    with ThreadPoolExecutor(max_workers=workers) as pool:
        return dict(filter(None, pool.map(attempt, paths)))


_ATTEMPTS = 100  # each loses to somebody who removes the folder: a collector that saw it empty, or with all in it


class FilesystemBackend:
    def __init__(self, root: str) -> None:
        self.storage = FileSystemStorage(location=root)
        self.root = Path(root)

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def put(self, path: str, data: bytes) -> None:
        """Write under a temporary name, flush to disk, rename: readers see all of it or nothing. When the tree it goes
        into is removed meanwhile, the temporary file with it, it is written again: the last to come wins."""
        target = self.root / path
        for attempt in range(_ATTEMPTS - 1):
            with suppress(FileNotFoundError):
                return self._put(target, data)
            time.sleep(attempt / 1000)  # seconds; it empties again what is filled under its hands
        return self._put(target, data)

    def _put(self, target: Path, data: bytes) -> None:
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        file = self._create(temporary)
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

    @staticmethod
    def _create(path: Path) -> BinaryIO:
        """A new file and the folders above it, which a collector may remove as empty until the file is in them."""
        for _ in range(_ATTEMPTS):
            with suppress(FileNotFoundError):
                return path.open("wb")
            with suppress(FileNotFoundError):
                path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("wb")

    def size(self, path: str) -> int | None:
        try:
            return (self.root / path).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def modified(self, path: str) -> datetime | None:
        try:
            return datetime.fromtimestamp((self.root / path).stat().st_mtime, UTC)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def walk(self, prefix: str) -> Iterator[tuple[str, int]]:
        for folder, folders, files in os.walk(self.root / prefix):
            folders.sort()
            for name in sorted(files):
                full = Path(folder) / name
                with suppress(FileNotFoundError):
                    yield str(full.relative_to(self.root)), full.stat().st_size

    def empty_folders(self, prefix: str) -> Iterator[str]:
        """Folders without a file at any depth, each before the one it is in."""
        filled: set[str] = set()
        for folder, folders, files in os.walk(self.root / prefix, topdown=False):
            inside = {os.path.join(folder, name) for name in folders}
            if files or filled & inside:
                filled.add(folder)
            else:
                yield str(Path(folder).relative_to(self.root))
            filled -= inside

    def remove_folder(self, path: str) -> bool:
        """Remove an empty folder. Returns whether it is gone: somebody may have begun to write into it."""
        try:
            (self.root / path).rmdir()
        except FileNotFoundError:
            return True
        except OSError as exc:
            if exc.errno != errno.ENOTEMPTY:
                raise
            return False
        return True

    def remove_tree(self, prefix: str) -> None:
        shutil.rmtree(self.root / prefix, ignore_errors=False, onerror=_only_missing)

    def delete_many(self, paths: list[str], workers: int) -> dict[str, str]:
        return _each(paths, self._unlink, workers)

    def _unlink(self, path: str) -> None:
        target = self.root / path
        with suppress(FileNotFoundError, NotADirectoryError):
            target.unlink()
        with suppress(OSError):  # its folder was there for this file alone, or somebody is writing into it
            target.parent.rmdir()

    def upload_offset(self, prefix: str) -> int | None:
        return None if self.size(f"{prefix}/startedat") is None else self.size(f"{prefix}/data") or 0

    def open_upload(self, prefix: str) -> None:
        """As registry:2 does, but not flushed to disk: what a client loses with the machine's power is a beginning."""
        with self._create(self.root / prefix / "startedat") as file:
            file.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}".encode())

    def _volume(self) -> os.statvfs_result | None:
        try:
            return os.statvfs(self.root)
        except FileNotFoundError:
            return None

    def free_bytes(self) -> int | None:
        volume = self._volume()
        return volume.f_bavail * volume.f_frsize if volume else None

    def total_bytes(self) -> int | None:
        volume = self._volume()
        return volume.f_blocks * volume.f_frsize if volume else None

    def presigned_url(self, path: str, seconds: int) -> str | None:
        return None


def as_os_error(method: Callable[..., Any]) -> Callable[..., Any]:
    """What a provider's library raises becomes OSError, as from a file system; a missing object stays what it is."""

    @functools.wraps(method)
    def wrapper(*args: Any) -> Any:
        try:
            return method(*args)
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

    @as_os_error
    def read(self, path: str) -> bytes:
        with self.storage.open(path, "rb") as file:
            return bytes(file.read())

    @as_os_error
    def put(self, path: str, data: bytes) -> None:
        key = self.storage._normalize_name(path)
        self.storage.bucket.Object(key).put(Body=data, ContentType="application/octet-stream")

    @as_os_error
    def size(self, path: str) -> int | None:
        try:
            return self.storage.size(path)
        except FileNotFoundError:
            return None

    @as_os_error
    def modified(self, path: str) -> datetime | None:
        return self.storage.get_modified_time(path) if self.storage.exists(path) else None

    def walk(self, prefix: str) -> Iterator[tuple[str, int]]:
        root = self.storage._normalize_name("")
        root = f"{root.rstrip('/')}/" if root else ""
        for item in self.storage.bucket.objects.filter(Prefix=f"{root}{prefix}"):
            yield item.key[len(root) :], item.size

    @as_os_error
    def remove_tree(self, prefix: str) -> None:
        key = self.storage._normalize_name(prefix) + "/"
        self.storage.bucket.objects.filter(Prefix=key).delete()
        for upload in self._multiparts(key):
            upload.abort()

    def delete_many(self, paths: list[str], workers: int) -> dict[str, str]:
        """DeleteObjects, which takes a thousand at a time."""
        names = {self.storage._normalize_name(path): path for path in paths}
        keys = sorted(names)
        chunks = [keys[start : start + 1000] for start in range(0, len(keys), 1000)]

        def delete(chunk: list[str]) -> dict[str, str]:
            try:
                answer = self.storage.bucket.delete_objects(
                    Delete={"Objects": [{"Key": key} for key in chunk], "Quiet": True}
                )
            except Exception as exc:  # of whatever kind the provider's library raises: none of the chunk is known gone
                return {names[key]: str(exc)[:300] for key in chunk}
            return {names[item["Key"]]: str(item.get("Message")) for item in answer.get("Errors", ())}

        failed: dict[str, str] = {}
        with ThreadPoolExecutor(max_workers=max(1, min(workers, len(chunks) or 1))) as pool:
            for errors in pool.map(delete, chunks):
                failed |= errors
        return failed

    def _multiparts(self, key: str) -> Iterator[Any]:
        for upload in self.storage.bucket.multipart_uploads.filter(Prefix=key):
            yield upload.Object().MultipartUpload(upload.id)

    @as_os_error
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

    @as_os_error
    def read(self, path: str) -> bytes:
        with self.storage.open(path, "rb") as file:
            return bytes(file.read())

    @as_os_error
    def put(self, path: str, data: bytes) -> None:
        self.storage.save(path, ContentFile(data))

    @as_os_error
    def size(self, path: str) -> int | None:
        return self.storage.size(path) if self.storage.exists(path) else None

    @as_os_error
    def modified(self, path: str) -> datetime | None:
        return self.storage.get_modified_time(path) if self.storage.exists(path) else None

    def walk(self, prefix: str) -> Iterator[tuple[str, int]]:
        folders, files = self.storage.listdir(prefix)
        for name in sorted(files):
            path = f"{prefix.rstrip('/')}/{name}"
            yield path, self.storage.size(path)
        for name in sorted(folders):
            yield from self.walk(f"{prefix.rstrip('/')}/{name}")

    @as_os_error
    def remove_tree(self, prefix: str) -> None:
        for path, _ in list(self.walk(prefix)):
            self.storage.delete(path)

    def delete_many(self, paths: list[str], workers: int) -> dict[str, str]:
        return _each(paths, self._delete, workers)

    @as_os_error
    def _delete(self, path: str) -> None:
        if self.storage.exists(path):
            self.storage.delete(path)

    @as_os_error
    def upload_offset(self, prefix: str) -> int | None:
        return None if self.size(f"{prefix}/startedat") is None else self.size(f"{prefix}/data") or 0

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

"""The content store in registry:2's layout, through Django's Storage API.

``docker/registry/v2/blobs/sha256/<aa>/<hex>/data`` holds bytes; links in a repository's tree
(``_layers/sha256/<hex>/link``, ``_manifests/revisions/sha256/<hex>/link``) hold the digest they point to. registry:2
writes layers, core writes manifests; a bare registry:2 can serve the result.
"""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache

from harbor_core.lib import tracing
from harbor_core.lib.storage_backends import FilesystemBackend, backend

ROOT = "docker/registry/v2"
_CHUNK = 1024 * 1024
_PARTS = ("_layers", "_manifests", "_uploads")  # of a repository's tree


def blob_path(digest: str) -> str:
    algorithm, _, value = digest.partition(":")
    return f"{ROOT}/blobs/{algorithm}/{value[:2]}/{value}/data"


def layer_link(repository: str, digest: str) -> str:
    return f"{ROOT}/repositories/{repository}/_layers/{digest.replace(':', '/')}/link"


def revision_link(repository: str, digest: str) -> str:
    return f"{ROOT}/repositories/{repository}/_manifests/revisions/{digest.replace(':', '/')}/link"


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=16, thread_name_prefix="storage")


@tracing.spanned("storage linked_sizes")
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


@tracing.spanned("storage put_manifest")
def put_manifest(repository: str, digest: str, content: bytes) -> None:
    """Store a manifest: bytes first, then the link that makes the repository own it. Raises OSError."""
    if hashlib.sha256(content).hexdigest() != digest.removeprefix("sha256:"):
        raise ValueError(f"content does not have the digest {digest}")
    store = backend()
    if store.size(blob_path(digest)) != len(content):
        store.put(blob_path(digest), content)
    store.put(revision_link(repository, digest), digest.encode())


@tracing.spanned("storage read_blob")
def read_blob(digest: str) -> bytes:
    """The whole content of a small blob. Raises OSError (FileNotFoundError when it is not there)."""
    return backend().read(blob_path(digest))


def has_digest(digest: str) -> bool:
    """Is the content in storage what the digest says? Reads all of it. Raises OSError."""
    algorithm, _, value = digest.partition(":")
    with backend().storage.open(blob_path(digest), "rb") as file:
        hasher = hashlib.new(algorithm)
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest() == value


def upload_prefix(repository: str, upload: str) -> str:
    return f"{ROOT}/repositories/{repository}/_uploads/{upload}"


def opens_uploads() -> bool:
    """Can :func:`open_upload` be used? Elsewhere a session begins with a multipart that only the registry can make."""
    return isinstance(backend(), FilesystemBackend)


@tracing.spanned("storage open_upload")
def open_upload(repository: str, upload: str) -> None:
    """Make an empty upload session the registry can go on with. Raises OSError."""
    store = backend()
    assert isinstance(store, FilesystemBackend)
    store.open_upload(upload_prefix(repository, upload))


@tracing.spanned("storage upload_offset")
def upload_offset(repository: str, upload: str) -> int | None:
    """Bytes of the upload session that are safe in storage; None when there is no such session."""
    return backend().upload_offset(upload_prefix(repository, upload))


@tracing.spanned("storage delete_upload")
def delete_upload(repository: str, upload: str) -> None:
    """Drop a session and what it holds, unfinished multiparts included."""
    backend().remove_tree(upload_prefix(repository, upload))


def tree(repository: str) -> str:
    return f"{ROOT}/repositories/{repository}"


@tracing.spanned("storage delete_tree")
def delete_tree(repository: str) -> None:
    """Remove what belongs to the repository itself; repositories below its name keep theirs."""
    for part in _PARTS:
        backend().remove_tree(f"{tree(repository)}/{part}")
    prune_tree(repository)


def has_folders() -> bool:
    """Does a repository whose content is gone leave empty folders behind?"""
    return isinstance(backend(), FilesystemBackend)


def empty_trees() -> Iterator[str]:
    """Names of repositories whose trees hold no file."""
    store = backend()
    if not isinstance(store, FilesystemBackend):
        return
    root = f"{ROOT}/repositories/"
    for folder in store.empty_folders(root):
        name = folder.removeprefix(root)
        if name != folder and "/_" not in f"/{name}":
            yield name


def prune_tree(repository: str) -> None:
    """Remove the repository's folders as far as they are empty, then those above it that are."""
    store = backend()
    if not isinstance(store, FilesystemBackend):
        return
    for part in _PARTS:
        for folder in list(store.empty_folders(f"{tree(repository)}/{part}")):
            store.remove_folder(folder)
    while repository and store.remove_folder(tree(repository)):
        repository = repository.rpartition("/")[0]


def delete(path: str) -> None:
    """Remove one object; it being gone already is success."""
    with suppress(FileNotFoundError):
        backend().storage.delete(path)


def link_layer(repository: str, digest: str) -> None:
    """Make the repository own a blob that is in storage."""
    backend().put(layer_link(repository, digest), digest.encode())

"""A client of a registry that speaks the distribution spec: manifests, blobs by ranges, upload sessions, referrers."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from harbor_core.lib.media_types import MANIFESTS, OCI_INDEX
from projects.manifests.platforms import HEADER
from replication.adapters.base import NEXT_PAGE, PAGES_MAX
from replication.adapters.docker_registry import DockerRegistry
from replication.calls import (
    STALL_SECONDS,
    Calls,
    RemoteError,
    as_remote_error,
    body,
    json_object,
    media_type,
    whole,
)

__all__ = ["ACCEPT", "COSIGN", "PIECE", "STALL_SECONDS", "Client", "Described", "RemoteError", "referrers_tag"]
MANIFEST_MAX, LISTING_MAX = 4 * 1024 * 1024, 16 * 1024 * 1024
PIECE = 256 * 1024
ACCEPT = ", ".join(sorted(MANIFESTS))
COSIGN = (".sig", ".att", ".sbom")  # after the digest of what they are about, in the names of cosign's tags
NO_REFERRERS = (400, 404, 405, 501)  # what registries answer that do not know the list


@dataclass(frozen=True, slots=True)
class Described:
    """A manifest without its bytes, as far as the registry tells; ``size`` -1 when it does not."""

    digest: str
    media_type: str
    size: int


class Client(Calls):
    """Of one registry, as replication.calls.Calls."""

    def __init__(self, adapter: DockerRegistry, *args: Any, **kwargs: Any) -> None:
        super().__init__(adapter, *args, **kwargs)
        self._prepared: set[str] = set()
        self._preparing = threading.Lock()

    # ------------------------------------------------------------------ reading
    def repositories(self) -> Iterator[str]:
        """All the account may see: the kind's own list, or the catalog. Raises RemoteError."""
        with as_remote_error():
            listed = self.adapter.repositories()
            yield from self._pages("/v2/_catalog?n=1000", "", "repositories") if listed is None else listed

    def tags(self, repository: str) -> Iterator[str]:
        """None where the repository is not there. Raises RemoteError."""
        yield from self._pages(f"/v2/{repository}/tags/list?n=1000", repository, "tags")

    def _pages(self, path: str, repository: str, key: str) -> Iterator[str]:
        url = self.base + path
        for _ in range(PAGES_MAX):
            with self.stream("GET", url, repository) as answer:
                if answer.status_code == 404:
                    return
                self._expect(answer, 200)
                names = json_object(body(answer, LISTING_MAX)).get(key) or []
                following = NEXT_PAGE.search(answer.headers.get("link", ""))
            yield from (name for name in names if isinstance(name, str))
            if following is None:
                return
            url = self._within(url, following[1])
        raise RemoteError(f"{self.base} has more than {PAGES_MAX} pages of {key}")

    def digest(self, repository: str, reference: str) -> str:
        """Of the manifest, empty when it is not there. Raises RemoteError."""
        found = self.describe(repository, reference)
        return found.digest if found else ""

    def describe(self, repository: str, reference: str) -> Described | None:
        """None when the manifest is not there. Raises RemoteError."""
        with self.stream(
            "HEAD", self._manifest(repository, reference), repository, headers={"Accept": ACCEPT}
        ) as answer:
            if answer.status_code == 404:
                return None
            self._expect(answer, 200)
            return Described(
                answer.headers.get("docker-content-digest", ""), media_type(answer), whole(answer, "content-length")
            )

    def manifest(self, repository: str, reference: str) -> tuple[bytes, str]:
        """Its bytes as they are, and its media type. Raises RemoteError."""
        with self.stream(
            "GET", self._manifest(repository, reference), repository, headers={"Accept": ACCEPT}
        ) as answer:
            self._expect(answer, 200)
            return body(answer, MANIFEST_MAX), media_type(answer)

    def referrers(self, repository: str, digest: str) -> list[str]:
        """Digests of the manifests whose subject this is. Raises RemoteError."""
        found = [row.get("digest") for row in self.referrer_rows(repository, digest)]
        return [name for name in found if isinstance(name, str)]

    def referrer_rows(self, repository: str, digest: str) -> list[dict[str, Any]]:
        """As :meth:`referrers`, the descriptors as the registry gives them, or as those who pushed them left them under
        a tag where it has no such list (distribution spec, "Referrers Tag Schema")."""
        found: list[dict[str, Any]] = []
        url = f"{self.base}/v2/{repository}/referrers/{digest}"
        for _ in range(PAGES_MAX):
            with self.stream("GET", url, repository) as answer:
                if answer.status_code in NO_REFERRERS:
                    return self._referrers_by_tag(repository, digest)
                self._expect(answer, 200)
                rows = json_object(body(answer, LISTING_MAX)).get("manifests") or []
                following = NEXT_PAGE.search(answer.headers.get("link", ""))
            found += [row for row in rows if isinstance(row, dict)]
            if following is None:
                return found
            url = self._within(url, following[1])
        raise RemoteError(f"{self.base} has more than {PAGES_MAX} pages of referrers")

    def _referrers_by_tag(self, repository: str, digest: str) -> list[dict[str, Any]]:
        try:
            content, kind = self.manifest(repository, referrers_tag(digest))
        except RemoteError as exc:
            if exc.status == 404:
                return []
            raise
        rows = json_object(content).get("manifests") if kind == OCI_INDEX else None
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

    def referrer_tags(self, repository: str, digest: str) -> list[str]:
        """Tags by which cosign finds what it signed. Raises RemoteError."""
        names = [referrers_tag(digest) + suffix for suffix in COSIGN]
        return [name for name in names if self.digest(repository, name)]

    def has_blob(self, repository: str, digest: str) -> bool:
        with self.stream("HEAD", f"{self.base}/v2/{repository}/blobs/{digest}", repository) as answer:
            if answer.status_code == 404:
                return False
            self._expect(answer, 200)
            return True

    @contextmanager
    def blob(self, repository: str, digest: str, start: int = 0, length: int = 0) -> Iterator[Iterator[bytes]]:
        """Its bytes from an offset; not many more than ``length``, 0 for all. Raises RemoteError, httpx.HTTPError while
        they are read."""
        with self.opened_blob("GET", repository, digest, start, length) as answer:
            yield answer.iter_raw(PIECE)

    @contextmanager
    def opened_blob(
        self, method: str, repository: str, digest: str, start: int = 0, length: int = 0
    ) -> Iterator[httpx.Response]:
        """GET or HEAD, before its bytes are read. Raises RemoteError."""
        last = start + length - 1 if length else ""
        headers = {"Range": f"bytes={start}-{last}"} if start or length else {}
        with self.stream(method, f"{self.base}/v2/{repository}/blobs/{digest}", repository, headers=headers) as answer:
            self._expect(answer, *((206,) if start else (200, 206) if length else (200,)))
            yield answer

    # ------------------------------------------------------------------ writing
    def prepare(self, repository: str) -> None:
        """Make the repository, where a push alone does not. Raises RemoteError."""
        with self._preparing, as_remote_error():
            if repository not in self._prepared:
                self.adapter.make_repository(repository)
                self._prepared.add(repository)

    def open_upload(self, repository: str, digest: str = "", origin: str = "") -> str:
        """The address of a new session; empty when there is nothing to send, because the registry could link the blob
        of this digest from the repository ``origin``. Raises RemoteError."""
        self.prepare(repository)
        url = f"{self.base}/v2/{repository}/blobs/uploads/"
        if origin:
            with self.stream("POST", f"{url}?{urlencode({'mount': digest, 'from': origin})}", repository) as answer:
                if answer.status_code == 201:
                    return ""
                if answer.status_code == 202:
                    return self._location(answer)
        # Some refuse what they cannot link instead of opening a session.
        with self.stream("POST", url, repository) as answer:
            self._expect(answer, 202)
            return self._location(answer)

    def upload_offset(self, repository: str, location: str) -> tuple[int, str] | None:
        """How many bytes the session has, and the address to go on at; None when it cannot be gone on with."""
        with self.stream("GET", location, repository) as answer:
            if answer.status_code not in (202, 204) or "location" not in answer.headers:
                return None
            last = answer.headers.get("range", "").rpartition("-")[2]
            return (int(last) + 1 if last.isdigit() and last != "0" else 0), self._location(answer)

    def append(self, repository: str, location: str, offset: int, content: Iterator[bytes], length: int) -> str:
        """Send a part of exactly this length. Returns the address for the next. Raises RemoteError."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(length),
            "Content-Range": f"{offset}-{offset + length - 1}",
        }
        with self.stream("PATCH", location, repository, headers=headers, content=content) as answer:
            self._expect(answer, 202)
            return self._location(answer)

    def commit(self, repository: str, location: str, digest: str) -> None:
        """End the session: the registry verifies the digest. Raises RemoteError."""
        self._end(repository, location, digest, {}, None)

    def put_blob(self, repository: str, location: str, digest: str, content: Iterator[bytes], length: int) -> None:
        """All of a blob in the request that ends its session (distribution spec, "POST then PUT"). Raises
        RemoteError."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(length)}
        self._end(repository, location, digest, headers, content)

    def _end(
        self, repository: str, location: str, digest: str, headers: dict[str, str], content: Iterator[bytes] | None
    ) -> None:
        joint = "&" if "?" in location else "?"
        url = f"{location}{joint}digest={quote(digest)}"
        with self.stream("PUT", url, repository, headers=headers, content=content) as answer:
            self._expect(answer, 201, 204)

    def put_manifest(
        self, repository: str, reference: str, content: bytes, media_type: str, platforms: Sequence[str] = ()
    ) -> bool:
        """``platforms``: of an index only the children of these were copied, which registries of this project may take.
        Returns whether the registry will list it with its subject by itself. Raises RemoteError."""
        self.prepare(repository)
        headers = {"Content-Type": media_type} | ({HEADER: ",".join(platforms)} if platforms else {})
        url = self._manifest(repository, reference)
        with self.stream("PUT", url, repository, headers=headers, content=content) as answer:
            self._expect(answer, 201)
            return "oci-subject" in answer.headers

    def add_referrer(self, repository: str, subject: str, row: dict[str, Any]) -> None:
        """List a manifest with its subject, under the tag that stands for the list. Raises RemoteError."""
        rows = self._referrers_by_tag(repository, subject)
        if any(known.get("digest") == row["digest"] for known in rows):
            return
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*rows, row]}
        self.put_manifest(repository, referrers_tag(subject), json.dumps(index).encode(), OCI_INDEX)

    def delete_manifest(self, repository: str, reference: str) -> bool:
        """Returns whether it was there. Raises RemoteError."""
        with self.stream("DELETE", self._manifest(repository, reference), repository) as answer:
            if answer.status_code == 404:
                return False
            self._expect(answer, 202, 200)
            return True

    # ------------------------------------------------------------------ addresses
    def _location(self, answer: httpx.Response) -> str:
        return self._within(str(answer.url), answer.headers.get("location", ""))

    def _manifest(self, repository: str, reference: str) -> str:
        return f"{self.base}/v2/{repository}/manifests/{reference}"


def referrers_tag(digest: str) -> str:
    return digest.replace(":", "-")

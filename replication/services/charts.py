"""A repository of Helm charts as the source of a replication, with the methods of replication.client.Client that a
source needs: each version of a chart becomes the OCI artifact that ``helm push`` would make of it."""

import gzip
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from harbor_core.lib.errors import HarborError
from projects.manifests.parse import parse
from replication.adapters.base import UnhealthyError
from replication.adapters.helm_hub import HelmRepository, Release
from replication.client import RemoteError

CONFIG = "application/vnd.cncf.helm.config.v1+json"
LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CHART_YAML_MAX = 1024 * 1024
UNPACKED_MAX = 64 * 1024 * 1024  # of an archive, as far as it is looked through
_OCI = "org.opencontainers.image."


@dataclass(frozen=True, slots=True)
class _Artifact:
    manifest: bytes
    blobs: dict[str, bytes]


class Charts:
    """Holds the artifact that is being copied, no other."""

    def __init__(self, adapter: HelmRepository) -> None:
        self.adapter = adapter
        self._key = ("", "")
        self._made: _Artifact | None = None

    def close(self) -> None:
        self._made = None

    def repositories(self) -> Iterator[str]:
        """Names of the charts. Raises RemoteError."""
        with _as_remote_error():
            yield from sorted(self.adapter.charts())

    def tags(self, repository: str) -> Iterator[str]:
        """Raises RemoteError."""
        with _as_remote_error():
            yield from sorted(self.adapter.charts().get(repository, {}))

    def digest(self, repository: str, reference: str) -> str:
        """Of the manifest it would be, empty when it is not there. Raises RemoteError."""
        try:
            content, _ = self.manifest(repository, reference)
        except RemoteError as exc:
            if exc.status == 404:
                return ""
            raise
        return _digest(content)

    def manifest(self, repository: str, reference: str) -> tuple[bytes, str]:
        """Its bytes, and its media type. Raises RemoteError."""
        return self._artifact(repository, reference).manifest, MANIFEST

    def has_made(self, repository: str, tag: str, content: bytes, media_type: str) -> bool:
        """Is this manifest made of the archive that the index names? Raises RemoteError."""
        with _as_remote_error():
            release = self.adapter.charts().get(repository, {}).get(tag)
        try:
            layers = parse(content, media_type).layers
        except HarborError:
            return False
        return bool(release and release.digest and [each.digest for each in layers] == [f"sha256:{release.digest}"])

    def referrers(self, repository: str, digest: str) -> list[str]:
        return []

    def referrer_tags(self, repository: str, digest: str) -> list[str]:
        return []

    @contextmanager
    def blob(self, repository: str, digest: str, start: int = 0, length: int = 0) -> Iterator[Iterator[bytes]]:
        """Of the manifest that was asked for last. Raises RemoteError."""
        content = self._made.blobs.get(digest) if self._made else None
        if content is None:
            raise RemoteError(f"{repository} has no {digest} any more", 404)
        yield iter([content[start:]])

    def _artifact(self, repository: str, reference: str) -> _Artifact:
        if self._made is None or self._key != (repository, reference):
            with _as_remote_error():
                release = self.adapter.charts().get(repository, {}).get(reference)
                if release is None:
                    raise RemoteError(f"{repository} has no {reference} any more", 404)
                self._made = _made(release, self.adapter.archive(release))
                self._key = (repository, reference)
        return self._made


def _made(release: Release, archive: bytes) -> _Artifact:
    """The same bytes each time, so that what was copied is known again. Raises UnhealthyError."""
    found = hashlib.sha256(archive).hexdigest()
    if release.digest and found != release.digest:
        raise UnhealthyError(f"the archive of {release.name} {release.version} is not what the index says", 200)
    chart = _chart(release, archive)
    config = json.dumps(chart, separators=(",", ":"), sort_keys=True, default=str).encode()
    annotations = _annotations(release, chart)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _descriptor(CONFIG, config),
        "layers": [_descriptor(LAYER, archive)],
        "annotations": dict(sorted(annotations.items())),
    }
    content = json.dumps(manifest, separators=(",", ":")).encode()
    return _Artifact(content, {_digest(part): part for part in (config, archive)})


def _annotations(release: Release, chart: dict[str, Any]) -> dict[str, str]:
    """As ``helm push`` makes them: of what the chart says about itself, and those of its own, which do not change what
    it is called."""
    sources, maintainers = chart.get("sources"), chart.get("maintainers")
    found = {
        "description": chart.get("description"),
        "url": chart.get("home"),
        "source": sources[0] if isinstance(sources, list) and sources else "",
        "authors": ", ".join(_author(row) for row in maintainers if isinstance(row, dict))
        if isinstance(maintainers, list)
        else "",
        "created": release.created,
    }
    annotations = {f"{_OCI}{name}": str(value) for name, value in found.items() if value}
    own = chart.get("annotations")
    annotations |= {str(key): str(value) for key, value in own.items()} if isinstance(own, dict) else {}
    return annotations | {f"{_OCI}title": release.name, f"{_OCI}version": release.version}


def _author(maintainer: dict[str, Any]) -> str:
    name, mail = maintainer.get("name", ""), maintainer.get("email")
    return f"{name} ({mail})" if mail else str(name)


def _chart(release: Release, archive: bytes) -> dict[str, Any]:
    """``Chart.yaml`` of the archive. Raises UnhealthyError."""
    try:
        bounded: Any = _Bounded(gzip.GzipFile(fileobj=io.BytesIO(archive)))
        with tarfile.open(fileobj=bounded, mode="r|") as entries:
            for entry in entries:
                if entry.isreg() and entry.name.count("/") == 1 and entry.name.endswith("/Chart.yaml"):
                    file = entries.extractfile(entry)
                    content = file.read(CHART_YAML_MAX + 1) if file else b""
                    chart = yaml.safe_load(content) if len(content) <= CHART_YAML_MAX else None
                    if isinstance(chart, dict):
                        return chart
                    break
    except (tarfile.TarError, yaml.YAMLError, OSError, EOFError, zlib.error, RecursionError, ValueError) as exc:
        raise UnhealthyError(f"the archive of {release.name} {release.version} cannot be read", 200) from exc
    raise UnhealthyError(f"the archive of {release.name} {release.version} has no Chart.yaml", 200)


class _Bounded:
    """What is unpacked of an archive ends somewhere, however small it came."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = UNPACKED_MAX

    def read(self, size: int) -> bytes:
        content = bytes(self._file.read(size))
        self._left -= len(content)
        if self._left < 0:
            raise ValueError("too much")
        return content


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


@contextmanager
def _as_remote_error() -> Iterator[None]:
    try:
        yield
    except UnhealthyError as exc:
        raise RemoteError(str(exc), exc.status) from exc

"""What an artifact holds besides its layers, read from storage when somebody asks (contract 1.8)."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harbor_core.lib import storage
from harbor_core.lib.archives import BadArchive
from harbor_core.lib.errors import HarborError
from projects.manifests import modelpack
from projects.manifests.chart import read_chart
from projects.manifests.parse import Descriptor, Manifest
from projects.models import Artifact
from projects.selectors.contents import image_config, manifest_of

TEXT, MARKDOWN, JSON = "text/plain", "text/markdown", "application/json"
LAYER_MAX = 20 * 1024 * 1024
_PROVENANCE = "application/vnd.cncf.helm.chart.provenance.v1.prov"
# Reports that may be there for an artifact of any kind.
REPORTS = ("vulnerabilities", "sbom")
_SBOM_ACCESSORY = "sbom.harbor"


@dataclass(frozen=True, slots=True)
class Content:
    media_type: str
    body: bytes


def additions_of(artifact: Artifact) -> list[str]:
    """Names of the additions artifacts of its kind have."""
    if artifact.type == "IMAGE" and artifact.media_type == artifact.manifest_media_type:
        return []  # an index is built of images, and not by steps of its own
    return list(_READERS.get(artifact.type, {}))


def addition(artifact: Artifact, name: str) -> Content:
    """Raises BAD_REQUEST for one that artifacts of this kind do not have, NOT_FOUND where this artifact lacks it or its
    layer cannot be read, REQUEST_ENTITY_TOO_LARGE for a layer too large to look into, SERVICE_UNAVAILABLE."""
    if name in additions_of(artifact):
        try:
            return _READERS[artifact.type][name](manifest_of(artifact))
        except BadArchive as exc:
            raise HarborError("NOT_FOUND", f"{name} cannot be shown: {exc}") from None
    if name not in REPORTS:
        raise HarborError("BAD_REQUEST", f"{name} is not an addition of an artifact of type {artifact.type}")
    report = _attached_sbom(artifact) if name == "sbom" else None
    if report is None:
        raise HarborError("NOT_FOUND", f"there is no {name} report of {artifact.digest}")
    return report


def _attached_sbom(artifact: Artifact) -> Content | None:
    attached = Artifact.objects.filter(accessory__subject=artifact, accessory__type=_SBOM_ACCESSORY)
    found = attached.order_by("-pk").first()
    return _sbom(manifest_of(found)) if found else None


def _read(layer: Descriptor) -> bytes:
    if layer.size > LAYER_MAX:
        raise HarborError("REQUEST_ENTITY_TOO_LARGE", f"a layer of {layer.size} bytes is too large to look into")
    try:
        return storage.read_blob(layer.digest)
    except OSError as exc:
        raise HarborError("SERVICE_UNAVAILABLE", "the storage cannot be read", headers={"Retry-After": "5"}) from exc


def _json(value: Any) -> Content:
    return Content(JSON, json.dumps(value, ensure_ascii=False).encode())


def _build_history(manifest: Manifest) -> Content:
    return _json(image_config(manifest).get("history") or [])


def _chart_layer(manifest: Manifest) -> bytes:
    layer = next((item for item in manifest.layers if item.media_type != _PROVENANCE), None)
    if layer is None:
        raise BadArchive("the chart has no layer")
    return _read(layer)


def _chart_file(name: str, media_type: str) -> Callable[[Manifest], Content]:
    """Empty for a chart without the file."""
    return lambda manifest: Content(media_type, read_chart(_chart_layer(manifest)).files.get(name, b""))


def _dependencies(manifest: Manifest) -> Content:
    return _json(read_chart(_chart_layer(manifest)).dependencies)


def _document(names: tuple[str, ...], media_type: str) -> Callable[[Manifest], Content]:
    def read(manifest: Manifest) -> Content:
        layer = modelpack.document_layer(manifest, names)
        if layer is None:
            raise HarborError("NOT_FOUND", f"the model has no {names[0]}")
        return Content(media_type, modelpack.document(layer, _read(layer)))

    return read


def _files(manifest: Manifest) -> Content:
    return _json(modelpack.file_tree(manifest))


def _sbom(manifest: Manifest) -> Content:
    if len(manifest.layers) != 1:
        raise HarborError("NOT_FOUND", "the artifact does not hold one document")
    return Content(JSON, _read(manifest.layers[0]))


_READERS: dict[str, dict[str, Callable[[Manifest], Content]]] = {
    "IMAGE": {"build_history": _build_history},
    "CHART": {
        "values.yaml": _chart_file("values.yaml", TEXT),
        "readme.md": _chart_file("readme.md", MARKDOWN),
        "dependencies": _dependencies,
    },
    "CNAI": {
        "readme.md": _document(modelpack.READMES, MARKDOWN),
        "license": _document(modelpack.LICENSES, TEXT),
        "files": _files,
    },
    "SBOM": {"sbom": _sbom},
}

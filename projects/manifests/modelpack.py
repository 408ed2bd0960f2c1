"""Model artifacts (CNCF ModelPack, model-spec v1, and its name before that): a layer per file, whose path in the model
is an annotation."""

from typing import Any

from harbor_core.lib import archives
from harbor_core.lib.archives import BadArchive
from projects.manifests.parse import Descriptor, Manifest

_DOCUMENTS = ("application/vnd.cncf.model.doc.v1.", "application/vnd.cnai.model.doc.v1.")
_PATHS = ("org.cncf.model.filepath", "org.cnai.model.filepath")
FILE_MAX = 4 * 1024 * 1024
_DEPTH = 64
READMES = ("readme.md", "readme")
LICENSES = ("license", "license.txt")


def document_layer(manifest: Manifest, names: tuple[str, ...]) -> Descriptor | None:
    """The layer with documentation whose path is one of these names, in whatever case."""
    documents = (item for item in manifest.layers if item.media_type.startswith(_DOCUMENTS))
    return next((item for item in documents if _path(item).lower() in names), None)


def document(layer: Descriptor, content: bytes) -> bytes:
    """The file in a layer, which is packed unless its media type says it is raw. Raises BadArchive."""
    if layer.media_type.endswith(".raw"):
        return content
    found = archives.files(content, lambda path: True, limit=FILE_MAX)
    name = _path(layer).lower()
    for path, file in found.items():
        if name in (path.lower(), path.lower().rpartition("/")[2]):
            return file
    raise BadArchive(f"{_path(layer)[:100]} is not in its layer")


def file_tree(manifest: Manifest) -> list[dict[str, Any]]:
    """The files of the model with their layers' sizes in bytes, in folders; folders first, then by name."""
    root: dict[str, Any] = {}
    for layer in manifest.layers:
        path = _path(layer)
        parts = [part for part in path.split("/") if part not in ("", ".", "..")]
        if not 0 < len(parts) <= _DEPTH:
            continue
        folder = root
        for part in parts[:-1]:
            inner = folder.setdefault(part, {})
            folder = inner if isinstance(inner, dict) else {}  # a file is in the way: what is below it is not shown
        folder.setdefault(parts[-1], {} if path.endswith("/") else layer.size)
    return _rows(root)


def _rows(folder: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for name, content in sorted(folder.items(), key=lambda item: (not isinstance(item[1], dict), item[0])):
        if isinstance(content, dict):
            rows.append({"name": name, "type": "directory"} | ({"children": _rows(content)} if content else {}))
        else:
            rows.append({"name": name, "type": "file"} | ({"size": content} if content else {}))
    return rows


def _path(layer: Descriptor) -> str:
    return next((layer.annotations[key] for key in _PATHS if layer.annotations.get(key)), "")

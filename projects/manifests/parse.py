"""From the bytes of a manifest to what it names (OCI image spec 1.1: manifest, image index; Docker schema 2).

Nothing here touches the database or storage. Every error is MANIFEST_INVALID with a sentence that says what is wrong.
"""

import json
import math
from dataclasses import dataclass, field
from typing import Any

from harbor_core.lib import media_types as mt
from harbor_core.lib import names
from harbor_core.lib.errors import HarborError
from harbor_core.lib.text import storable

MAX_DESCRIPTORS = 10_000
CONFIG_DEPTH = 64
SKIP_LIST = "io.goharbor.artifact.v1alpha1.skip-list"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """``digest`` and ``size`` in bytes of something a manifest names; ``foreign``: its bytes live elsewhere."""

    media_type: str
    digest: str
    size: int
    annotations: dict[str, str]
    urls: list[str]
    platform: dict[str, Any]
    artifact_type: str = ""

    @property
    def foreign(self) -> bool:
        return bool(self.urls) and self.media_type in mt.FOREIGN_LAYERS


@dataclass(frozen=True, slots=True)
class Manifest:
    media_type: str
    artifact_type: str
    config: Descriptor | None
    layers: list[Descriptor]
    children: list[Descriptor]
    subject: Descriptor | None
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def is_index(self) -> bool:
        return self.media_type in mt.INDEXES

    @property
    def blobs(self) -> list[Descriptor]:
        """Config and layers whose bytes must be here, each digest once."""
        every = ([self.config] if self.config else []) + [layer for layer in self.layers if not layer.foreign]
        return list({item.digest: item for item in every}.values())


def _invalid(message: str, detail: Any = None) -> HarborError:
    return HarborError("MANIFEST_INVALID", message, detail=detail)


def parse(content: bytes, content_type: str) -> Manifest:
    """Read a manifest pushed with this Content-Type. Raises MANIFEST_INVALID."""
    given = content_type.partition(";")[0].strip().lower()
    if given in mt.SCHEMA1 - {"application/json"}:
        raise _invalid("Docker image manifest schema 1 is not supported; push the image with a current client")
    document = _document(content)
    declared = document.get("mediaType")
    if declared is not None and not isinstance(declared, str):
        raise _invalid("mediaType must be a string")
    if document.get("schemaVersion") == 1:
        raise _invalid("Docker image manifest schema 1 is not supported; push the image with a current client")
    media_type = given if given in mt.MANIFESTS else (declared or given)
    if media_type not in mt.MANIFESTS:
        raise _invalid(f"unknown manifest media type {media_type[:200]!r}")
    if declared and declared != media_type:
        raise _invalid(f"Content-Type {media_type} and mediaType {declared[:200]} differ")
    if media_type != mt.OCI_ARTIFACT and document.get("schemaVersion") != 2:
        raise _invalid("schemaVersion must be 2")
    return _index(document, media_type) if media_type in mt.INDEXES else _image(document, media_type)


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise _invalid("the manifest is not valid JSON") from exc
    if not isinstance(document, dict):
        raise _invalid("the manifest is not a JSON object")
    return storable(document)


def _image(document: dict[str, Any], media_type: str) -> Manifest:
    if "manifests" in document:
        raise _invalid("an image manifest must not have a manifests list")
    layers_key = "blobs" if media_type == mt.OCI_ARTIFACT else "layers"
    config = None if media_type == mt.OCI_ARTIFACT else _descriptor(document.get("config"), "config")
    layers = _descriptors(document.get(layers_key, []), layers_key)
    artifact_type = _text(document, "artifactType") or (config.media_type if config else "")
    return Manifest(
        media_type, artifact_type, config, layers, [], _subject(document), _annotations(document, "the manifest")
    )


def _index(document: dict[str, Any], media_type: str) -> Manifest:
    if "config" in document or "layers" in document:
        raise _invalid("an index must not have a config or layers")
    children = _descriptors(document.get("manifests", []), "manifests")
    artifact_type = _text(document, "artifactType") or media_type
    return Manifest(
        media_type, artifact_type, None, [], children, _subject(document), _annotations(document, "the manifest")
    )


def _subject(document: dict[str, Any]) -> Descriptor | None:
    subject = document.get("subject")
    return None if subject is None else _descriptor(subject, "subject")


def _text(document: dict[str, Any], key: str) -> str:
    value = document.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 255:
        raise _invalid(f"{key} must be a string of at most 255 characters")
    return value


def _descriptors(value: Any, where: str) -> list[Descriptor]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MAX_DESCRIPTORS:
        raise _invalid(f"{where} must be a list of at most {MAX_DESCRIPTORS} descriptors")
    return [_descriptor(item, f"{where}[{position}]") for position, item in enumerate(value)]


def _descriptor(value: Any, where: str) -> Descriptor:
    if not isinstance(value, dict):
        raise _invalid(f"{where} is missing or not a descriptor")
    digest, size = value.get("digest"), value.get("size")
    if not isinstance(digest, str) or not names.is_digest(digest):
        raise _invalid(f"{where}.digest must be sha256: followed by 64 hexadecimal digits", detail=str(digest)[:200])
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < 2**62:
        raise _invalid(f"{where}.size must be a whole number of bytes")
    urls = value.get("urls") or []
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
        raise _invalid(f"{where}.urls must be a list of strings")
    platform = value.get("platform") or {}
    if not isinstance(platform, dict):
        raise _invalid(f"{where}.platform must be an object")
    return Descriptor(
        _text(value, "mediaType"),
        digest,
        size,
        _annotations(value, where),
        urls,
        platform,
        _text(value, "artifactType"),
    )


def _annotations(document: dict[str, Any], where: str) -> dict[str, str]:
    annotations = document.get("annotations") or {}
    if not isinstance(annotations, dict) or not all(isinstance(value, str) for value in annotations.values()):
        raise _invalid(f"annotations of {where} must map strings to strings")
    return annotations


def config_extract(config: bytes) -> dict[str, Any]:
    """What listings show of an image config: architecture, os, author, created, config. Empty for anything else."""
    document = _config(config)
    kept = ("architecture", "os", "author", "created", "config")
    return {key: document[key] for key in kept if key in document}


def custom_config(config: bytes, descriptor: Descriptor) -> dict[str, Any]:
    """A config of any other kind, without the keys its descriptor lists under ``...v1alpha1.skip-list``. Empty when it
    is no JSON object."""
    skipped = descriptor.annotations.get(SKIP_LIST, "").split(",")
    return {key: value for key, value in _config(config).items() if key not in skipped}


def _config(content: bytes) -> dict[str, Any]:
    """As a database can keep it."""
    try:
        document = json.loads(content, parse_constant=lambda _: None, parse_float=_finite)
    except (ValueError, RecursionError):
        return {}
    return storable(document) if isinstance(document, dict) and not _is_deep(document, CONFIG_DEPTH) else {}


def _is_deep(value: Any, levels: int) -> bool:
    """Is it nested deeper? What is too deep cannot be written as JSON again."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deep(item, levels - 1) for item in inner)


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None

"""What kind of artifact a manifest is, and what kind of accessory it makes (features of the artifact model)."""

import re

from harbor_core.lib import media_types as mt
from projects.manifests.parse import Manifest

_IMAGE_CONFIGS = {
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.oci.image.config.v1+json",
}
_CONFIG_TYPES = {
    "application/vnd.cncf.helm.config.v1+json": "CHART",
    "application/vnd.wasm.config.v1+json": "WASM",
    "application/vnd.goharbor.harbor.sbom.v1": "SBOM",
    "application/vnd.cnai.model.config.v1+json": "CNAI",
    "application/vnd.cncf.model.config.v1+json": "CNAI",
}
_CUSTOM = re.compile(r"application/vnd\.[^.]+\.([^.]+)\.config\.[^+]+\+json")
_COSIGN_SIGNATURE = "application/vnd.dev.cosign.simplesigning.v1+json"
_COSIGN_ARTIFACT = "application/vnd.dev.cosign.artifact.sig.v1+json"
_NOTATION = "application/vnd.cncf.notary.signature"
_COSIGN_TAG = re.compile(r"sha256-([a-f0-9]{64})\.sig")


def artifact_kind(manifest: Manifest) -> str:
    """IMAGE, CHART, WASM, SBOM ..., the upper-cased token of a vendor config type, or UNKNOWN."""
    if manifest.is_index:
        return "CNAB" if "org.opencontainers.artifactType" in manifest.annotations else "IMAGE"
    config = manifest.config.media_type if manifest.config else ""
    if config in _IMAGE_CONFIGS:
        return "IMAGE"
    if config in _CONFIG_TYPES:
        return _CONFIG_TYPES[config]
    custom = _CUSTOM.fullmatch(config)
    return custom[1].upper()[:64] if custom else "UNKNOWN"


def is_image(manifest: Manifest) -> bool:
    """Is the config one of a container image?"""
    return manifest.config is not None and manifest.config.media_type in _IMAGE_CONFIGS


def accessory_of(manifest: Manifest, tag: str) -> tuple[str, str] | None:
    """(type, subject digest) when the manifest belongs to another one: by its ``subject``, or by cosign's tag."""
    config = manifest.config.media_type if manifest.config else ""
    kinds = {config, manifest.artifact_type}
    if manifest.subject is not None:
        if _NOTATION in kinds:
            return "signature.notation", manifest.subject.digest
        if kinds & {_COSIGN_SIGNATURE, _COSIGN_ARTIFACT} or _has_cosign_layer(manifest):
            return "signature.cosign", manifest.subject.digest
        if "application/vnd.goharbor.harbor.sbom.v1" in kinds:
            return "sbom.harbor", manifest.subject.digest
        return "subject.accessory", manifest.subject.digest
    by_tag = _COSIGN_TAG.fullmatch(tag)
    if by_tag and _has_cosign_layer(manifest):
        return "signature.cosign", f"sha256:{by_tag[1]}"
    return None


def _has_cosign_layer(manifest: Manifest) -> bool:
    return any(layer.media_type == _COSIGN_SIGNATURE for layer in manifest.layers)


def media_type_of(manifest: Manifest) -> str:
    """``Artifact.media_type``: of the config, or of the manifest itself where there is none."""
    return manifest.config.media_type if manifest.config and manifest.config.media_type else manifest.media_type


def is_empty_config(manifest: Manifest) -> bool:
    return manifest.config is not None and manifest.config.media_type == mt.OCI_EMPTY

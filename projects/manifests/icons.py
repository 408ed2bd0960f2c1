"""The icons of artifacts: drawn for the kinds this registry knows, or a layer the artifact brings along.

A layer is the icon of its artifact when it bears the annotation ``io.goharbor.artifact.v1alpha1.icon`` and is a small
PNG, JPEG or GIF (contract 1.8).
"""

import hashlib
from dataclasses import dataclass
from functools import cache

from harbor_core.lib import png
from projects.manifests.parse import Descriptor, Manifest

ANNOTATION = "io.goharbor.artifact.v1alpha1.icon"
MAX_BYTES = 1024 * 1024
_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


@dataclass(frozen=True, slots=True)
class Drawing:
    colour: png.Colour
    strokes: tuple[tuple[png.Point, ...], ...] = ()
    circles: tuple[tuple[png.Point, float], ...] = ()

    @property
    def digest(self) -> str:
        """Of what is drawn: the bytes of its PNG depend on the compressor at hand."""
        return "sha256:" + hashlib.sha256(repr(self).encode()).hexdigest()


_HEXAGON = ((12, 2), (20.5, 7), (20.5, 17), (12, 22), (3.5, 17), (3.5, 7), (12, 2))
_SHEET = ((5, 2), (14, 2), (19, 7), (19, 22), (5, 22), (5, 2))
_SEAL = ((12, 2), (20, 5), (20, 12), (17, 18), (12, 22), (7, 18), (4, 12), (4, 5), (12, 2))
_DEFAULT = Drawing((100, 116, 139), (_HEXAGON, ((3.5, 7), (12, 12), (20.5, 7)), ((12, 12), (12, 22))))
_ARTIFACTS = {
    "IMAGE": Drawing(
        (37, 99, 235),
        (
            ((12, 3), (21, 8), (12, 13), (3, 8), (12, 3)),
            ((3, 12.5), (12, 17.5), (21, 12.5)),
            ((3, 17), (12, 22), (21, 17)),
        ),
    ),
    "CHART": Drawing(
        (14, 116, 144),
        (
            ((12, 1.5), (12, 22.5)),
            ((1.5, 12), (22.5, 12)),
            ((4.6, 4.6), (19.4, 19.4)),
            ((19.4, 4.6), (4.6, 19.4)),
        ),
        (((12, 12), 7), ((12, 12), 2)),
    ),
    "CNAB": Drawing(
        (180, 83, 9),
        (((3, 7), (21, 7), (21, 21), (3, 21), (3, 7)), ((3, 7), (6, 3), (18, 3), (21, 7)), ((12, 3), (12, 12))),
    ),
    "WASM": Drawing(
        (109, 40, 217),
        (
            ((3, 3), (9, 3), (9, 5), (15, 5), (15, 3), (21, 3), (21, 21), (3, 21), (3, 3)),
            ((6, 11), (8, 17), (10, 12), (12, 17), (14, 11)),
        ),
    ),
    "CNAI": Drawing(
        (190, 24, 93),
        (((6.5, 7.5), (11, 16)), ((17.5, 7.5), (13, 16)), ((8, 6), (16, 6))),
        (((5.5, 6), 2.5), ((18.5, 6), 2.5), ((12, 18.5), 2.5)),
    ),
    "SBOM": Drawing((4, 120, 87), (_SHEET, ((8, 11), (16, 11)), ((8, 14.5), (16, 14.5)), ((8, 18), (13, 18)))),
}
_ACCESSORIES = {
    "signature.cosign": Drawing((21, 128, 61), (_SEAL, ((8.5, 12), (11, 14.5), (16, 9)))),
    "signature.notation": Drawing((67, 56, 202), (_SEAL, ((8.5, 12), (11, 14.5), (16, 9)))),
    "sbom.harbor": _ARTIFACTS["SBOM"],
    "accelerator.nydus": Drawing((202, 138, 4), (((13, 2), (4, 14), (12, 14), (11, 22), (20, 10), (12, 10), (13, 2)),)),
}
_OTHER_ACCESSORY = Drawing(
    (100, 116, 139),
    (
        (
            (16, 6),
            (8, 14),
            (8, 16),
            (10, 16),
            (19, 7),
            (19, 4.5),
            (16.5, 4),
            (7, 13),
            (5, 16),
            (7, 19),
            (10, 19),
            (18, 11),
        ),
    ),
)
_DRAWINGS = {
    drawing.digest: drawing for drawing in (_DEFAULT, _OTHER_ACCESSORY, *_ARTIFACTS.values(), *_ACCESSORIES.values())
}
_ARTIFACT_DIGESTS = {kind: drawing.digest for kind, drawing in _ARTIFACTS.items()}
_ACCESSORY_DIGESTS = {kind: drawing.digest for kind, drawing in _ACCESSORIES.items()}
_DEFAULT_DIGEST, _OTHER_ACCESSORY_DIGEST = _DEFAULT.digest, _OTHER_ACCESSORY.digest


def of_artifact(kind: str) -> str:
    """Digest of the drawing for artifacts of a type."""
    return _ARTIFACT_DIGESTS.get(kind, _DEFAULT_DIGEST)


def of_accessory(kind: str) -> str:
    return _ACCESSORY_DIGESTS.get(kind, _OTHER_ACCESSORY_DIGEST)


@cache
def drawn(digest: str) -> bytes | None:
    """The drawing with this digest as PNG of 48 by 48 pixels, if there is one."""
    drawing = _DRAWINGS.get(digest)
    return png.drawing(drawing.strokes, drawing.circles, drawing.colour) if drawing else None


def layer_of(manifest: Manifest) -> Descriptor | None:
    """The layer that says it is the icon, if it is small enough; images have none."""
    return next(
        (item for item in manifest.layers if ANNOTATION in item.annotations and 0 < item.size <= MAX_BYTES), None
    )


def image_type(content: bytes) -> str:
    """``image/png``, ``image/jpeg`` or ``image/gif`` by the first bytes, empty for anything else."""
    return next((kind for magic, kind in _MAGIC.items() if content.startswith(magic)), "")

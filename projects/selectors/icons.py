"""Icons of artifacts by their digest (contract 1.8)."""

from dataclasses import dataclass

from harbor_core.lib import names, storage
from harbor_core.lib.errors import HarborError
from projects.manifests import icons
from projects.models import Artifact


@dataclass(frozen=True, slots=True)
class Icon:
    media_type: str
    content: bytes


def icon_get(digest: str) -> Icon:
    """One that was drawn for a kind of artifact, or the layer of an artifact that is its icon; no other blob.

    Raises BAD_REQUEST for what is no digest, NOT_FOUND, SERVICE_UNAVAILABLE.
    """
    if not names.is_digest(digest):
        raise HarborError("BAD_REQUEST", "an icon is named by its digest, sha256: and 64 hexadecimal digits")
    drawn = icons.drawn(digest)
    if drawn is not None:
        return Icon("image/png", drawn)
    if not Artifact.objects.filter(icon=digest).exclude(icon="").exists():
        raise HarborError("NOT_FOUND", f"icon {digest} not found")
    try:
        content = storage.read_blob(digest)
    except OSError as exc:
        raise HarborError("SERVICE_UNAVAILABLE", "the storage cannot be read", headers={"Retry-After": "5"}) from exc
    return Icon(icons.image_type(content), content)

"""Which children of an index belong to some platforms, where it is kept without the others. The index itself stays as
it is, so its digest and signatures do, too. Pure functions."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from harbor_core.lib.errors import HarborError
from projects.manifests.parse import Descriptor

PLATFORMS_MAX = 20
HEADER = "X-Harbor-Platforms"  # of the push of an index: only the children of these were copied
_FORM = re.compile(r"[a-z0-9_.-]{1,32}(/[a-z0-9_.-]{1,32}){1,2}")
ATTESTED = "vnd.docker.reference.digest"  # BuildKit's attestations name what they are about; their platform is unknown


def checked(names: Sequence[str]) -> list[str]:
    """``os/architecture`` or ``os/architecture/variant``, each once; none for all of them. Raises BAD_REQUEST."""
    for name in names:
        if not _FORM.fullmatch(name):
            raise HarborError("BAD_REQUEST", f"{name[:100]!r} is not a platform such as linux/amd64 or linux/arm/v7")
    if len(names) > PLATFORMS_MAX:
        raise HarborError("BAD_REQUEST", f"at most {PLATFORMS_MAX} platforms can be chosen")
    return list(dict.fromkeys(names))


def _is_named(platform: Mapping[str, Any], names: Sequence[str]) -> bool:
    short = f"{platform.get('os')}/{platform.get('architecture')}"
    return short in names or f"{short}/{platform.get('variant')}" in names


def chosen(children: Sequence[Descriptor], names: Sequence[str]) -> list[Descriptor]:
    """Of the children of an index those of these platforms, with the attestations about them, and what has no platform
    at all. Without names all of them."""
    if not names:
        return list(children)
    own = {child.digest for child in children if not child.platform or _is_named(child.platform, names)}
    return [child for child in children if child.digest in own or child.annotations.get(ATTESTED) in own]


def needed(children: Sequence[Descriptor], names: Sequence[str]) -> set[str]:
    """Digests of what an index has to have once it was copied for these platforms: children of theirs, and attestations
    about those. Of a child without a platform (an index in the index) that cannot be told."""
    return {child.digest for child in chosen(children, names) if child.platform}

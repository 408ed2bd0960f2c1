"""Low-space guard: stop accepting content before the database next to it stops."""

from django.conf import settings

from harbor_core.lib import storage
from harbor_core.lib.ttl import TTLCache

_answer: TTLCache[tuple[bool]] = TTLCache(1)
CACHE_SECONDS = 5


def is_low() -> bool:
    """Is less than LOW_SPACE_BYTES free where blobs are stored? At most a few seconds old; object storage never is."""
    known = _answer.get("low")
    if known is None:
        free = storage.backend().free_bytes()
        known = (free is not None and free < settings.LOW_SPACE_BYTES,)
        _answer.put("low", known, CACHE_SECONDS)
    return known[0]

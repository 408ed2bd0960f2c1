"""How much registries still let us have, as their answers say: ``ratelimit-limit: 100;w=21600`` with
``ratelimit-remaining: 76;w=21600`` (Docker Hub), or the same names with ``x-`` before them and plain numbers.

What was said last is kept in the cache, by address and account: a limit is that of an account, wherever its name is
used.
"""

import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass

from django.core.cache import cache

from replication.adapters.base import Endpoint
from replication.models import Registry

KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class RateLimit:
    """``remaining`` of ``limit`` requests; ``window``: seconds they are for, 0 where that was not said; ``seen_at``:
    seconds since 1970."""

    limit: int
    remaining: int
    window: int
    seen_at: int


def note(endpoint: Endpoint, headers: Mapping[str, str]) -> None:
    """Of an answer of the registry itself, if it says anything. Names of headers are in lower case."""
    for prefix in ("", "x-"):
        limit, window = _number(headers.get(f"{prefix}ratelimit-limit", ""))
        remaining, _ = _number(headers.get(f"{prefix}ratelimit-remaining", ""))
        if limit > 0 and remaining >= 0:
            found = RateLimit(limit, min(remaining, limit), max(window, 0), int(time.time()))
            cache.set(_key(endpoint.url, endpoint.access_key), astuple(found), KEPT_SECONDS)
            return


def known(registries: Iterable[Registry]) -> dict[int, RateLimit]:
    """By registry, of those that said so within a day. One look into the cache."""
    keys = {registry.pk: _key(registry.url, registry.access_key) for registry in registries}
    found = cache.get_many(set(keys.values())) if keys else {}
    return {pk: RateLimit(*found[key]) for pk, key in keys.items() if key in found}


def _key(url: str, account: str) -> str:
    return "rate-limit:" + hashlib.sha256(f"{url}\n{account}".encode()).hexdigest()


def _number(text: str) -> tuple[int, int]:
    """``100;w=21600``: the number and the window, -1 for what is not there."""
    number, _, rest = text.partition(";")
    window = rest.partition("w=")[2].partition(";")[0]
    return _whole(number.partition(",")[0]), _whole(window.partition(",")[0])


def _whole(text: str) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1

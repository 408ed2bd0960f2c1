"""A Redis cache that may be away.

Redis holds nothing that cannot be lost (architecture: degradation). Without it a read is a miss and a write is
dropped; a failed call opens a breaker for a moment, so that an outage does not cost every request a connect timeout.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)
BREAKER_SECONDS = 2.0


class _Client(RedisCacheClient):
    """With a client that also knows Sentinel (harbor_core.lib.redis)."""

    _pool_options: dict[str, Any]
    _own: Any = None

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        if self._own is None:
            options = {name: value for name, value in self._pool_options.items() if name != "parser_class"}
            self._own = settings.REDIS.client(**options)
        return self._own


class TolerantRedisCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        options = params.setdefault("OPTIONS", {})
        options.setdefault("socket_timeout", 1.0)
        options.setdefault("socket_connect_timeout", 0.5)
        super().__init__(server, params)
        self._class = _Client
        self._open_until = 0.0

    def _guard(self, call: Callable[[], Any], fallback: Any) -> Any:
        if time.monotonic() < self._open_until:
            return fallback
        try:
            return call()
        except (RedisError, OSError) as exc:
            self._open_until = time.monotonic() + BREAKER_SECONDS
            logger.warning("redis is not reachable, going on without it: %s", exc)
            return fallback

    def add(self, key, value, timeout=..., version=None):
        return self._guard(lambda: RedisCache.add(self, key, value, _timeout(self, timeout), version), True)

    def get(self, key, default=None, version=None):
        return self._guard(lambda: RedisCache.get(self, key, default, version), default)

    def set(self, key, value, timeout=..., version=None):
        return self._guard(lambda: RedisCache.set(self, key, value, _timeout(self, timeout), version), None)

    def touch(self, key, timeout=..., version=None):
        return self._guard(lambda: RedisCache.touch(self, key, _timeout(self, timeout), version), False)

    def delete(self, key, version=None):
        return self._guard(lambda: RedisCache.delete(self, key, version), False)

    def get_many(self, keys, version=None):
        return self._guard(lambda: RedisCache.get_many(self, keys, version), {})

    def has_key(self, key, version=None):
        return self._guard(lambda: RedisCache.has_key(self, key, version), False)

    def set_many(self, data, timeout=..., version=None):
        return self._guard(lambda: RedisCache.set_many(self, data, _timeout(self, timeout), version), list(data))

    def delete_many(self, keys, version=None):
        return self._guard(lambda: RedisCache.delete_many(self, keys, version), None)


def _timeout(cache: TolerantRedisCache, timeout: Any) -> Any:
    return cache.default_timeout if timeout is ... else timeout

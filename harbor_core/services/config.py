"""System settings (harbor_core.lib.config_keys) with their current values.

A value comes from CONFIG_OVERWRITE_JSON, which pins it, else from what an administrator stored, else from the
environment, else it is the default. ``config_get`` is on hot paths: values are kept per process for a few seconds, so a
change reaches every process within CACHE_SECONDS.
"""

from typing import Any

from django.conf import settings
from django.db import transaction

from harbor_core.lib import crypto
from harbor_core.lib.config_keys import DEFAULTS, SECRETS, SETTINGS, Scope
from harbor_core.lib.ttl import TTLCache
from harbor_core.models import SystemConfig

CACHE_SECONDS = 5
YEAR_SECONDS = 366 * 24 * 3600
_cache: TTLCache[dict[str, Any]] = TTLCache(1)


def config_all() -> dict[str, Any]:
    """Every setting with its current value; stored secrets as they are stored (:func:`config_get` reads them)."""
    values = _cache.get("all")
    if values is None:
        stored = SystemConfig.objects.values_list("key", "value")
        known = {key: value for key, value in stored if key in SETTINGS and SETTINGS[key].scope is not Scope.SYSTEM}
        values = DEFAULTS | settings.CONFIG_ENVIRONMENT | known | settings.CONFIG_OVERWRITE
        _cache.put("all", values, CACHE_SECONDS)
    return values


def config_get(key: str) -> Any:
    """The value of a setting. Raises KeyError for a key that does not exist, UndecryptableError for a secret that was
    stored under a key this process does not have."""
    value = config_all()[key]
    if key in SECRETS and value and not is_pinned(key):
        return crypto.decrypt(value)
    return value


def is_pinned(key: str) -> bool:
    """Is the value set by CONFIG_OVERWRITE_JSON, so that it cannot be changed here?"""
    return key in settings.CONFIG_OVERWRITE


def session_seconds() -> int:
    """How long a session lives without use."""
    return _seconds("session_timeout")


def token_seconds() -> int:
    """How long a registry token is valid."""
    return _seconds("token_expiration")


def _seconds(key: str) -> int:
    """Of a setting in minutes. It may say thousands of years, which no clock can hold: a year at most."""
    return min(int(config_get(key)) * 60, YEAR_SECONDS)


@transaction.atomic
def config_set(**values: Any) -> None:
    """Store settings. Raises KeyError for a key that does not exist. For administrators' changes, with their rules and
    the audit log, see harbor_core.services.configurations."""
    for key, value in values.items():
        DEFAULTS[key]
        stored = crypto.encrypt(value) if key in SECRETS and value else value
        SystemConfig.objects.update_or_create(key=key, defaults={"value": stored})
    transaction.on_commit(forget)


def forget() -> None:
    """Read the settings again at the next use in this process."""
    _cache.clear()

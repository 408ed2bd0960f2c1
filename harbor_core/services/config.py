"""System settings an administrator changes at run time (Harbor's configuration keys).

``config_get`` is on hot paths: values are kept per process for a few seconds.
"""

from typing import Any

from django.db import transaction

from harbor_core.lib.ttl import TTLCache
from harbor_core.models import SystemConfig

CACHE_SECONDS = 5
DEFAULTS: dict[str, Any] = {
    "auth_mode": "db_auth",
    "primary_auth_mode": False,
    "project_creation_restriction": "everyone",
    "self_registration": False,
    "read_only": False,
    "token_expiration": 30,
    "robot_token_duration": 30,
    "robot_name_prefix": "robot$",
    "session_timeout": 60,
    "notification_enable": True,
    "quota_per_project_enable": True,
    "storage_per_project": -1,
    "banner_message": "",
    "pull_count_update_disable": False,
    "pull_time_update_disable": False,
    "pull_audit_log_disable": False,
}
_cache: TTLCache[dict[str, Any]] = TTLCache(1)


def config_all() -> dict[str, Any]:
    """Every setting with its current value."""
    values = _cache.get("all")
    if values is None:
        values = DEFAULTS | dict(SystemConfig.objects.values_list("key", "value"))
        _cache.put("all", values, CACHE_SECONDS)
    return values


def config_get(key: str) -> Any:
    return config_all()[key]


@transaction.atomic
def config_set(**values: Any) -> None:
    """Store settings. Raises KeyError for a key that does not exist."""
    for key, value in values.items():
        DEFAULTS[key]
        SystemConfig.objects.update_or_create(key=key, defaults={"value": value})
    transaction.on_commit(forget)


def forget() -> None:
    """Read the settings again at the next use in this process."""
    _cache.clear()

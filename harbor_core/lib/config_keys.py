"""Every system setting (contract 2.17): its type, default, rules, and who may change it. Data, no database.

Three kinds of settings:

* ``USER``: administrators change them at run time through the API;
* ``OPERATOR``: the API does not know them, ``CONFIG_OVERWRITE_JSON`` or the environment sets them;
* ``SYSTEM``: the environment alone sets them (``HARBOR_<KEY>``).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from harbor_core.lib.errors import HarborError
from harbor_core.lib.wire import Flag, Reader, Text, Whole

LONGEST = 9_999_999_999  # durations: as many digits as a form of the portal takes
TEXT_MAX = 64 * 1024
INT64 = 2**63 - 1


class SettingError(Exception):
    """A setting of the environment cannot be used; the message is meant for the operator."""


class Scope(Enum):
    USER = "user"
    OPERATOR = "operator"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Setting:
    """``check`` tells what is wrong with a value of the right type, or nothing. ``secret`` values are never shown and
    are stored encrypted."""

    reader: Reader
    default: Any
    check: Callable[[Any], str] | None = None
    scope: Scope = Scope.USER
    secret: bool = False

    def checked(self, name: str, value: Any) -> Any:
        """The value. Raises UNPROCESSABLE_ENTITY for a wrong type, BAD_REQUEST for a wrong value."""
        value = self.reader.load(name, value)
        problem = self.check(value) if self.check else ""
        if problem:
            raise HarborError("BAD_REQUEST", f"{name} {problem}")
        return value


def _text(default: str = "", check: Callable[[str], str] | None = None, **more: Any) -> Setting:
    return Setting(Text(max_length=TEXT_MAX), default, check, **more)


def _flag(default: bool = False, **more: Any) -> Setting:
    return Setting(Flag(), default, **more)


def _whole(default: int, check: Callable[[int], str] | None = None, **more: Any) -> Setting:
    return Setting(Whole(), default, check, **more)


def _password() -> Setting:
    return _text(secret=True)


def _one_of(*choices: Any) -> Callable[[Any], str]:
    names = ", ".join(str(choice) for choice in choices)
    return lambda value: "" if value in choices else f"must be one of {names}"


def _between(low: int, high: int) -> Callable[[int], str]:
    return lambda value: "" if low <= value <= high else f"must lie between {low} and {high}"


def _filled(value: str) -> str:
    return "" if value.strip() else "must not be empty"


def _quota(value: int) -> str:
    return "" if value == -1 or value > 0 else "must be -1 (unlimited) or greater than 0"


def _prefix(value: str) -> str:
    """A robot signs in with it, so it has to survive Basic authentication (RFC 7617)."""
    if not value.strip() or len(value) > 64:
        return "must have 1 to 64 characters"
    return "must not hold a colon, a space or a control character" if ":" in value or _unprintable(value) else ""


def _unprintable(value: str) -> bool:
    return any(character.isspace() or not character.isprintable() for character in value)


def _endpoint(value: str) -> str:
    """``host:port``, or nothing."""
    host, colon, port = value.rpartition(":")
    sound = colon and host and not _unprintable(value) and port.isascii() and port.isdigit() and 0 < int(port) < 65536
    return "" if not value or sound else "must have the form host:port"


def _string_map(value: str) -> str:
    try:
        parsed = json.loads(value) if value else {}
    except (ValueError, RecursionError):
        parsed = None
    sound = isinstance(parsed, dict) and all(isinstance(item, str) for item in parsed.values())
    return "" if sound else "must be a JSON object of strings"


_duration = _between(1, LONGEST)
_port = _between(1, 65535)
_ldap_scope = _one_of(0, 1, 2)
AUTH_MODES = ("db_auth", "ldap_auth", "uaa_auth", "http_auth", "oidc_auth")

_GENERAL: dict[str, Setting] = {
    "auth_mode": _text("db_auth", _one_of(*AUTH_MODES)),
    "primary_auth_mode": _flag(),
    "project_creation_restriction": _text("everyone", _one_of("everyone", "adminonly")),
    "self_registration": _flag(),
    "read_only": _flag(),
    "token_expiration": _whole(30, _duration),  # minutes
    "robot_token_duration": _whole(30, _duration),  # days
    "robot_name_prefix": _text("robot$", _prefix),
    "session_timeout": _whole(60, _duration),  # minutes
    "notification_enable": _flag(True),
    "quota_per_project_enable": _flag(True),
    "storage_per_project": _whole(-1, _quota),  # bytes
    "banner_message": _text(),
    "audit_log_forward_endpoint": _text("", _endpoint),
    "skip_audit_log_database": _flag(),
    "disabled_audit_log_event_types": _text(),
    "scanner_skip_update_pulltime": _flag(),
    # Beyond the contract.
    "personal_token_max_days": _whole(0, _between(0, 36_500)),  # 0: a personal token may live for ever
    "trash_retention_days": _whole(7, _between(0, 3_650)),  # 0: what is deleted is gone
}
_LDAP: dict[str, Setting] = {
    "ldap_url": _text("", _filled),
    "ldap_base_dn": _text("", _filled),
    "ldap_uid": _text("cn", _filled),
    "ldap_filter": _text(),
    "ldap_search_dn": _text(),
    "ldap_search_password": _password(),
    "ldap_scope": _whole(2, _ldap_scope),
    "ldap_timeout": _whole(5, _between(1, 3_600)),  # seconds
    "ldap_verify_cert": _flag(True),
    "ldap_group_base_dn": _text(),
    "ldap_group_search_filter": _text(),
    "ldap_group_attribute_name": _text(),
    "ldap_group_admin_dn": _text(),
    "ldap_group_search_scope": _whole(2, _ldap_scope),
    "ldap_group_membership_attribute": _text("memberof"),
    "ldap_group_attach_parallel": _flag(),
}
_OTHER_LOGINS: dict[str, Setting] = {
    "uaa_endpoint": _text(),
    "uaa_client_id": _text(),
    "uaa_client_secret": _password(),
    "uaa_verify_cert": _flag(),
    "http_authproxy_endpoint": _text(),
    "http_authproxy_tokenreview_endpoint": _text(),
    "http_authproxy_admin_groups": _text(),
    "http_authproxy_admin_usernames": _text(),
    "http_authproxy_server_certificate": _text(),
    "http_authproxy_verify_cert": _flag(True),
    "http_authproxy_skip_search": _flag(),
    "oidc_name": _text(),
    "oidc_endpoint": _text(),
    "oidc_client_id": _text(),
    "oidc_client_secret": _password(),
    "oidc_groups_claim": _text(),
    "oidc_admin_group": _text(),
    "oidc_group_filter": _text(),
    "oidc_scope": _text(),
    "oidc_user_claim": _text(),
    "oidc_verify_cert": _flag(True),
    "oidc_auto_onboard": _flag(),
    "oidc_logout": _flag(),
    "oidc_extra_redirect_parms": _text("{}", _string_map),
}
# Of Harbor 2.5: clients of that time read and write them.
_MAIL: dict[str, Setting] = {
    "email_host": _text(),
    "email_port": _whole(25, _port),
    "email_username": _text(),
    "email_password": _password(),
    "email_from": _text(),
    "email_ssl": _flag(),
    "email_identity": _text(),
    "email_insecure": _flag(),
}
_OPERATOR: dict[str, Setting] = {
    "pull_count_update_disable": _flag(scope=Scope.OPERATOR),
    "pull_time_update_disable": _flag(scope=Scope.OPERATOR),
    "pull_audit_log_disable": _flag(scope=Scope.OPERATOR),
}
_SYSTEM: dict[str, Setting] = {
    "robot_scanner_name_prefix": _text("scanner", _filled, scope=Scope.SYSTEM),
    "with_trivy": _flag(scope=Scope.SYSTEM),
    "metric_enable": _flag(scope=Scope.SYSTEM),
    "metric_port": _whole(9090, _port, scope=Scope.SYSTEM),
    "metric_path": _text("/metrics", _filled, scope=Scope.SYSTEM),
    "cache_enabled": _flag(scope=Scope.SYSTEM),
    "cache_expire_hours": _whole(24, _between(1, 8_760), scope=Scope.SYSTEM),
    "gdpr_delete_user": _flag(scope=Scope.SYSTEM),
    "gdpr_audit_logs": _flag(scope=Scope.SYSTEM),
    "quota_update_provider": _text("db", _one_of("db", "redis"), scope=Scope.SYSTEM),
    "execution_status_refresh_interval_seconds": _whole(30, _between(1, 86_400), scope=Scope.SYSTEM),
    "max_job_workers": _whole(10, _between(1, 1_000), scope=Scope.SYSTEM),
    "replication_adapter_whitelist": _text(scope=Scope.SYSTEM),
}
SETTINGS: dict[str, Setting] = _GENERAL | _LDAP | _OTHER_LOGINS | _MAIL | _OPERATOR | _SYSTEM
DEFAULTS: dict[str, Any] = {name: setting.default for name, setting in SETTINGS.items()}
SECRETS = frozenset(name for name, setting in SETTINGS.items() if setting.secret)
EDITABLE = {name: setting.reader for name, setting in SETTINGS.items() if setting.scope is Scope.USER}


def overwrite(text: str) -> dict[str, Any]:
    """``CONFIG_OVERWRITE_JSON``: a JSON object of settings to pin. Raises SettingError."""
    try:
        values = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as exc:
        raise SettingError(f"CONFIG_OVERWRITE_JSON is not valid JSON: {exc}.") from None
    if not isinstance(values, dict):
        raise SettingError("CONFIG_OVERWRITE_JSON must be a JSON object.")
    return {name: _pinned(name, value) for name, value in values.items() if value is not None}


def _pinned(name: str, value: Any) -> Any:
    setting = SETTINGS.get(name)
    if setting is None or setting.scope is Scope.SYSTEM:
        raise SettingError(f"CONFIG_OVERWRITE_JSON: {name[:100]!r} is not a setting it can hold.")
    try:
        return setting.checked(name, value)
    except HarborError as exc:
        raise SettingError(f"CONFIG_OVERWRITE_JSON: {exc.message}.") from None


def from_environment(read: Callable[[str], str]) -> dict[str, Any]:
    """Settings of the operator that are set in the environment. ``read`` gives a variable's text, empty when it is not
    set. Raises SettingError with a sentence for the operator."""
    found = {}
    for name, setting in SETTINGS.items():
        variable = f"HARBOR_{name.upper()}"
        text = "" if setting.scope is Scope.USER else read(variable)
        if text:
            try:
                found[name] = setting.checked(name, setting.reader.load_text(name, text))
            except HarborError as exc:
                raise SettingError(f"{variable}: {exc.message}.") from None
    return found


def shown(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values for a log: secrets are masked."""
    return {name: "***" if name in SECRETS else value for name, value in values.items()}

"""Change system settings as administrators do: by the rules, all or nothing, and on record."""

import json
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from auth.actor import Actor
from auth.models import ADMIN_ID, User
from harbor_core.lib import syslog
from harbor_core.lib.config_keys import EDITABLE, SECRETS, SETTINGS, Scope
from harbor_core.lib.crypto import UndecryptableError
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from harbor_core.services.config import config_all, config_get, config_set, forget, is_pinned

SHOWN_CHARACTERS = 200  # of a value in the audit log
AUDIT_KEYS = ("audit_log_forward_endpoint", "skip_audit_log_database", "disabled_audit_log_event_types")


def shown() -> dict[str, dict[str, Any]]:
    """What administrators may see: ``{key: {"value", "editable"}}`` without secrets, as stored at this moment."""
    forget()
    values = config_all()
    may_edit = editable()
    return {
        key: {"value": values[key], "editable": key in may_edit}
        for key, setting in SETTINGS.items()
        if setting.scope is Scope.USER and not setting.secret
    }


def everything(*, secrets: bool) -> dict[str, dict[str, Any]]:
    """Every setting there is, the operator's too. ``secrets``: in clear; without they are left out."""
    forget()
    may_edit = editable()
    keys = [key for key in SETTINGS if secrets or key not in SECRETS]
    return {key: {"value": config_get(key), "editable": key in may_edit} for key in keys}


def editable() -> set[str]:
    """What an administrator may change now."""
    keys = {key for key in EDITABLE if not is_pinned(key)}
    return keys - {"auth_mode"} if _has_users() else keys


def _has_users() -> bool:
    """Anybody but the first administrator."""
    return User.objects.filter(deleted=False).exclude(pk=ADMIN_ID).exists()


def update(actor: Actor, values: Mapping[str, Any]) -> None:
    """Change settings; what is None stays as it is, and what is sent as it is need not be changeable. All of them are
    changed, or none.

    Raises BAD_REQUEST for a value the setting cannot have, FORBIDDEN for another value of a setting that
    CONFIG_OVERWRITE_JSON pins.
    """
    forget()  # another process may have changed them a moment ago
    given = {key: value for key, value in values.items() if value is not None}
    changes = {key: SETTINGS[key].checked(key, value) for key, value in given.items() if _current(key) != value}
    for key in changes:
        if is_pinned(key):
            raise HarborError("FORBIDDEN", f"{key} is set by CONFIG_OVERWRITE_JSON, it cannot be changed here")
    if "auth_mode" in changes and _has_users():
        raise HarborError("BAD_REQUEST", "auth_mode cannot be changed any more: there are users besides admin")
    _check_audit(given, changes)
    if changes:
        _store(actor, changes)


def _current(key: str) -> Any:
    try:
        return config_get(key)
    except UndecryptableError:  # whatever it was, it is replaced
        return None


def _check_audit(given: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    """Nothing may be kept out of the database that goes nowhere else."""
    skip = given.get("skip_audit_log_database", config_get("skip_audit_log_database"))
    endpoint = given.get("audit_log_forward_endpoint", config_get("audit_log_forward_endpoint"))
    if skip and not endpoint:
        raise HarborError("BAD_REQUEST", "skip_audit_log_database needs an audit_log_forward_endpoint")
    if changes.get("audit_log_forward_endpoint"):
        _dial(endpoint)


def _dial(endpoint: str) -> None:
    try:
        syslog.Connection(endpoint).close()
    except (OSError, UnicodeError) as exc:
        raise HarborError("BAD_REQUEST", f"audit_log_forward_endpoint {endpoint} cannot be reached: {exc}") from exc


def _store(actor: Actor, changes: Mapping[str, Any]) -> None:
    old = {key: _current(key) for key in changes}
    parts = (f"{key}: {_told(key, old[key])} -> {_told(key, value)}" for key, value in changes.items())
    with transaction.atomic():
        # Whoever turns the log down is on record, even where changes of settings are not logged.
        audit.record(
            actor,
            "update",
            "configuration",
            "configuration",
            description=f"update configuration: {', '.join(parts)}",
            always=any(key in AUDIT_KEYS for key in changes),
        )
        config_set(**changes)


def _told(key: str, value: Any) -> str:
    if key in SECRETS:
        return "***" if value else "(none)"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."

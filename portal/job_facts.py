"""What jobs were asked to do and what came of it, in words."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal.templatetags.portal import count, size

_LABELS: dict[str, str | Promise] = {
    "adopted": _("Adopted"),
    "audit_retention_hour": _("Keep for hours"),
    "corrected": _("Projects corrected"),
    "delete_untagged": _("Untagged artifacts too"),
    "deleted": _("Deleted"),
    "dry_run": _("Dry run"),
    "empty_trash": _("What is in the trash too"),
    "failed": _("Refused by storage"),
    "findings": _("Findings"),
    "freed_space": _("Freed"),
    "gone": _("Settled by themselves"),
    "held_by_trash": _("Held by the trash"),
    "projects": _("Projects"),
    "purged": _("Rows removed"),
    "purged_blobs": _("Blobs removed"),
    "purged_manifests": _("Manifests removed"),
    "refused": _("Refused"),
    "unknown_bytes": _("Unknown bytes"),
    "unlinked": _("Links removed"),
    "untagged_artifacts": _("Untagged artifacts deleted"),
    "workers": _("Workers"),
    "would_purge": _("Rows a real run would remove"),
}
_BYTES = {"freed_space", "held_by_trash", "unknown_bytes"}
Fact = tuple[str, str, bool]


def facts(found: Mapping[str, Any]) -> list[Fact]:
    """(name, value, is the name one in words) of what is not empty; what has no words keeps the API's name."""
    rows = [(key, value) for key, value in found.items() if value not in ("", None)]
    return sorted((_name(key), _value(key, value), key in _LABELS) for key, value in rows)


def _name(key: str) -> str:
    return str(_LABELS.get(key, key))


def _value(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    shown: Callable[[Any], str] = size if key in _BYTES else count if isinstance(value, int) else str
    return shown(value)

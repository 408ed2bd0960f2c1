"""The audit log of the system: what its rows can be about, besides what happens in projects."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from harbor_core.models import AuditLog
from harbor_core.services import audit
from portal.audit_log import OPERATIONS, TYPES, AuditFilter
from portal.templatetags.portal import raw

ALL_OPERATIONS = OPERATIONS | {
    "copy": _("Copy"),
    "restore": _("Restore"),
    "start": _("Start"),
    "stop": _("Stop"),
    "compare": _("Compare"),
    "pause": _("Pause"),
    "resume": _("Resume"),
}
ALL_TYPES = TYPES | {
    "user": _("User"),
    "user-group": _("User group"),
    "personal-token": _("Personal token"),
    "registry": _("Registry"),
    "replication-policy": _("Replication rule"),
    "replication": _("Replication"),
    "configuration": _("Configuration"),
    "trash": _("Trash"),
    "tag-retention": _("Tag retention"),
    "job": _("Job"),
    "job-queue": _("Job queue"),
    "schedule": _("Schedule"),
}


def event_choices() -> list[tuple[str, Any]]:
    """Types of event by what they are about, for boxes to tick."""
    named = [
        (f"{operation}_{resource}", ALL_TYPES.get(resource, resource), ALL_OPERATIONS.get(operation, operation))
        for resource, operations in audit.OPERATIONS.items()
        for operation in operations
    ]
    words = gettext("%(what)s: %(operation)s")
    return [(name, raw(words % {"what": what, "operation": operation}, name)) for name, what, operation in named]


class SystemFilter(AuditFilter):
    operation = forms.ChoiceField(
        label=_("Operation"), required=False, choices=[("", _("Any operation")), *ALL_OPERATIONS.items()]
    )
    type = forms.ChoiceField(label=_("Type"), required=False, choices=[("", _("Any type")), *ALL_TYPES.items()])


def described(rows: Iterable[AuditLog]) -> list[dict[str, Any]]:
    """Each with its operation and type in words."""
    return [
        {
            "row": row,
            "operation": ALL_OPERATIONS.get(row.operation, row.operation),
            "type": ALL_TYPES.get(row.resource_type, row.resource_type),
        }
        for row in rows
    ]

"""Jobs in words: what their types are called, how their states look, and which project they belong to."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from jobservice.models import Execution, Schedule
from jobservice.selectors.executions import Progress
from jobservice.states import SCHEDULER, SYSTEM
from projects.models import Project, RetentionPolicy, WebhookPolicy

BADGES = {"Success": "success", "Error": "danger", "Stopped": "neutral", "Pending": "neutral", "Scheduled": "neutral"}
NAMES: dict[str, str | Promise] = {
    "EXECUTION_SWEEP": _("Clearing old executions"),
    "GARBAGE_COLLECTION": _("Garbage collection"),
    "PURGE_AUDIT_LOG": _("Log rotation"),
    "QUOTA_SYNC": _("Recount of the storage used"),
    "REPLICATION": _("Replication"),
    "REPLICATION_DRIFT": _("Comparison of a replication rule"),
    "RETENTION": _("Tag retention"),
    SCHEDULER: _("Schedules"),
    "SLACK": _("Webhooks to Slack"),
    "STORAGE_AUDIT": _("Storage audit"),
    "WEBHOOK": _("Webhooks"),
}
STATES = {
    "Pending": _("Pending"),
    "Scheduled": _("Scheduled"),
    "Running": _("Running"),
    "Success": _("Success"),
    "Error": _("Error"),
    "Stopped": _("Stopped"),
}
TRIGGERS = {"MANUAL": _("By hand"), "SCHEDULE": _("Schedule"), "EVENT": _("Event")}
# Whose policy the vendor id of these types is.
_POLICIES = {"RETENTION": RetentionPolicy, "WEBHOOK": WebhookPolicy, "SLACK": WebhookPolicy}


def name_of(job_type: str) -> str:
    return str(NAMES.get(job_type, job_type))


def badge_of(status: str) -> tuple[str, str]:
    """What the badge of a state says, and its kind."""
    return str(STATES.get(status, status)), BADGES.get(status, "accent")


def run_rows(
    rows: Iterable[Execution], progress: Mapping[int, Progress], address: Callable[[int], str]
) -> list[dict[str, Any]]:
    """For jobs/_runs.html; ``address`` is that of a run's page."""
    return [
        {
            "row": row,
            "url": address(row.pk),
            "badge": badge_of(row.status),
            "trigger": TRIGGERS.get(row.trigger, row.trigger),
            "progress": progress[row.pk],
        }
        for row in rows
    ]


def projects_of(rows: Iterable[Execution | Schedule]) -> dict[tuple[str, int], Project]:
    """(vendor type, vendor id) -> the project whose policy that is. A query per kind of policy."""
    wanted: dict[type, set[tuple[str, int]]] = {}
    for row in rows:
        if row.vendor_type in _POLICIES and row.vendor_id != SYSTEM:
            wanted.setdefault(_POLICIES[row.vendor_type], set()).add((row.vendor_type, row.vendor_id))
    found: dict[tuple[str, int], Project] = {}
    for model, keys in wanted.items():
        policies = model._default_manager.filter(pk__in={pk for _, pk in keys}, project__deleted=False)  # type: ignore[attr-defined]  # a model
        by_id = {policy.pk: policy.project for policy in policies.select_related("project")}
        found |= {key: by_id[key[1]] for key in keys if key[1] in by_id}
    return found

"""Webhook policies of a project, or of the system where ``project`` is None."""

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import F, Max, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.utils import timezone

from harbor_core.lib import crypto
from harbor_core.lib.errors import HarborError
from harbor_core.lib.filtering import Field, apply_filter, apply_sort, flag, time, whole
from harbor_core.lib.pagination import Listing, Page, paginate
from jobservice.models import Execution, Task
from jobservice.selectors import executions
from projects.models import Project, WebhookPolicy

logger = logging.getLogger(__name__)
# The job that delivers to a target of a type.
JOB_TYPES = {"http": "WEBHOOK", "slack": "SLACK"}
FIELDS = {
    "id": Field("id", whole),
    "name": Field("name"),
    "description": Field("description"),
    "enabled": Field("enabled", flag),
    "creator": Field("creator"),
    "creation_time": Field("creation_time", time),
    "update_time": Field("update_time", time),
}


def policy_list(project: Project | None, listing: Listing) -> Page[WebhookPolicy]:
    policies = apply_filter(WebhookPolicy.objects.filter(project=project), listing.query, FIELDS)
    return paginate(apply_sort(policies, listing.sort, FIELDS, ["-creation_time", "-pk"]), listing)


def policies_of(project: Project | None) -> list[WebhookPolicy]:
    """All of them, in the order they were made."""
    return list(WebhookPolicy.objects.filter(project=project).order_by("pk"))


def policies_in(project: Project | None, *, name: str = "") -> QuerySet[WebhookPolicy]:
    """``name`` is a part to look for."""
    policies = WebhookPolicy.objects.filter(project=project)
    return policies.filter(name__icontains=name) if name else policies


def policy_get(project: Project | None, policy_id: int) -> WebhookPolicy:
    """Raises NOT_FOUND."""
    policy = WebhookPolicy.objects.filter(project=project, pk=policy_id).first()
    if policy is None:
        raise not_found(project, policy_id)
    return policy


def not_found(project: Project | None, policy_id: int) -> HarborError:
    if project:
        return HarborError("NOT_FOUND", f"webhook policy {policy_id} not found in {project.name}")
    return HarborError("NOT_FOUND", f"webhook policy {policy_id} not found")


def auth_header(target: Mapping[str, Any]) -> str:
    """Of a stored target, in clear; empty when it cannot be read any more."""
    return _clear(target.get("auth_header", ""), f"the header of a webhook to {target.get('address')}")


def secrets_of(policy: WebhookPolicy) -> list[str]:
    """What its bodies are signed with, in clear: the secret, and the one before while it is valid. Empty when the
    secret cannot be read any more."""
    what = f"the secret of webhook policy {policy.pk}"
    current, until = _clear(policy.secret, what), policy.previous_secret_until
    if not current or until is None or until <= timezone.now():
        return [current] if current else []
    return [key for key in (current, _clear(policy.previous_secret, what)) if key]


def _clear(stored: str, what: str) -> str:
    try:
        return crypto.decrypt(stored) if stored else ""
    except crypto.UndecryptableError as exc:
        logger.error("%s: %s", what, exc)
        return ""


def target_key(target: Mapping[str, Any]) -> str:
    """Tells a policy's targets apart without saying their addresses, which may hold secrets."""
    parts = (target["type"], target["payload_format"], target["address"])
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def deliveries(policy: WebhookPolicy) -> QuerySet[Execution]:
    """The policy's executions: one for each event and target."""
    return executions.executions(list(JOB_TYPES.values()), [policy.pk])


def tasks_of(found: Iterable[Execution]) -> dict[int, Task]:
    """The task of each delivery, by execution id; one query."""
    return {task.execution_id: task for task in Task.objects.filter(execution_id__in=[row.pk for row in found])}


def target_of(policy: WebhookPolicy, task: Task | None) -> dict[str, Any] | None:
    """Where a delivery goes; None when the policy does not have the target any more."""
    key = task.parameters.get("target") if task else None
    return next((target for target in policy.targets if target_key(target) == key), None)


def last_triggers(policies: Sequence[WebhookPolicy]) -> dict[tuple[int, str], datetime]:
    """When each policy was last told of each event type, by (policy id, event type); as far back as executions are
    kept."""
    told = Execution.objects.filter(vendor_type__in=JOB_TYPES.values(), vendor_id__in=[each.pk for each in policies])
    rows = told.order_by().values(event=KeyTextTransform("event_type", "extra_attrs"), policy=F("vendor_id"))
    return {(row["policy"], row["event"]): row["last"] for row in rows.annotate(last=Max("start_time"))}

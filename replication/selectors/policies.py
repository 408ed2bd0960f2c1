"""Replication policies, their executions and tasks."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Max, Q, QuerySet

from harbor_core.lib.errors import HarborError
from harbor_core.lib.filtering import Field, apply_filter, apply_sort, flag, time, whole
from harbor_core.lib.pagination import Listing, Page, paginate
from jobservice.models import Execution, Task
from jobservice.selectors import executions
from jobservice.states import Status, Trigger
from replication.models import PolicyDrift, ReplicationPolicy

T = TypeVar("T")
DRIFT = "REPLICATION_DRIFT"
# The contract's words for states and triggers, both ways.
STATES = {
    "InProgress": (Status.RUNNING, Status.PENDING, Status.SCHEDULED),
    "Succeed": (Status.SUCCESS,),
    "Failed": (Status.ERROR,),
    "Stopped": (Status.STOPPED,),
}
TRIGGERS = {"manual": Trigger.MANUAL, "scheduled": Trigger.SCHEDULE, "event_based": Trigger.EVENT}
FIELDS = {
    "id": Field("id", whole),
    "name": Field("name"),
    "description": Field("description"),
    "enabled": Field("enabled", flag),
    "creation_time": Field("creation_time", time),
    "update_time": Field("update_time", time),
}


def policy_list(listing: Listing, *, name: str = "") -> Page[ReplicationPolicy]:
    """``name`` is a part to look for."""
    rows = apply_filter(policies_named(name), listing.query, FIELDS)
    return paginate(apply_sort(rows, listing.sort, FIELDS, ["-creation_time", "-pk"]), listing)


def policy_get(policy_id: int) -> ReplicationPolicy:
    """Raises NOT_FOUND."""
    policy = ReplicationPolicy.objects.select_related("source", "target").filter(pk=policy_id).first()
    if policy is None:
        raise not_found(policy_id)
    return policy


def policies_named(part: str = "") -> QuerySet[ReplicationPolicy]:
    """Those with this part in their name."""
    rows = ReplicationPolicy.objects.select_related("source", "target")
    return rows.filter(name__icontains=part) if part else rows


def last_runs(policy_ids: Iterable[int]) -> dict[int, Execution]:
    """The latest execution of each that has run, by policy id."""
    latest = executions_of().filter(vendor_id__in=list(policy_ids)).order_by()
    newest = latest.values("vendor_id").annotate(newest=Max("pk")).values("newest")
    return {run.vendor_id: run for run in Execution.objects.filter(pk__in=newest)}


def not_found(policy_id: int) -> HarborError:
    return HarborError("NOT_FOUND", f"replication policy {policy_id} not found")


def executions_of(policy_id: int | None = None) -> QuerySet[Execution]:
    """Of one policy, or of all."""
    return executions.executions(["REPLICATION"], None if policy_id is None else [policy_id])


def comparisons_of(policy_ids: Collection[int]) -> QuerySet[Execution]:
    """Runs that compare the two ends of these policies."""
    return executions.executions([DRIFT], policy_ids)


def last_comparisons(policy_ids: Collection[int]) -> dict[int, Execution]:
    """The latest of each that was ever compared, by policy id."""
    newest = comparisons_of(policy_ids).order_by().values("vendor_id").annotate(newest=Max("pk")).values("newest")
    return {run.vendor_id: run for run in Execution.objects.filter(pk__in=newest)}


def problems_of(runs: Iterable[Execution]) -> dict[int, str]:
    """Why comparisons failed, by execution id."""
    failed = Task.objects.filter(execution_id__in=[run.pk for run in runs], status=Status.ERROR)
    return dict(failed.values_list("execution_id", "status_message"))


def drifts_of(policy_ids: Collection[int]) -> dict[int, PolicyDrift]:
    """What their last comparisons found, by policy id."""
    return {found.policy_id: found for found in PolicyDrift.objects.filter(policy_id__in=policy_ids)}


def _chosen(known: dict[str, T], name: str, what: str) -> T:
    """Raises BAD_REQUEST for a word that is none."""
    if name not in known:
        raise HarborError("BAD_REQUEST", f"{what} is {', '.join(known)}, not {name[:100]!r}")
    return known[name]


def execution_list(listing: Listing, *, policy_id: int | None, status: str, trigger: str) -> Page[Execution]:
    """Raises BAD_REQUEST for a status or trigger that is none."""
    rows = executions_of(policy_id)
    if status:
        rows = rows.filter(status__in=_chosen(STATES, status, "a status"))
    if trigger:
        rows = rows.filter(trigger=_chosen(TRIGGERS, trigger, "a trigger"))
    return executions.execution_list(rows, listing)


def task_list(execution: Execution, listing: Listing, *, status: str, resource_type: str) -> Page[Task]:
    """One for each repository. Raises BAD_REQUEST for a status that is none."""
    rows = execution.tasks.filter(extra_attrs__has_key="operation")
    if status == "Pending":
        rows = rows.filter(status__in=(Status.PENDING, Status.SCHEDULED))
    elif status:
        rows = rows.filter(status__in=_chosen(STATES, status, "a status"))
    if resource_type:
        rows = rows.filter(extra_attrs__resource_type=resource_type)
    return paginate(apply_sort(rows, listing.sort, executions.TASK_FIELDS, ("pk",)), listing)


@dataclass(frozen=True, slots=True)
class Planned:
    """How the task ended that looked for what to copy."""

    status: str = ""
    message: str = ""


def planned(found: Iterable[Execution]) -> dict[int, Planned]:
    """By execution id, in one query."""
    rows = Task.objects.filter(~Q(extra_attrs__has_key="operation"), execution_id__in=[each.pk for each in found])
    return {row[0]: Planned(row[1], row[2]) for row in rows.values_list("execution_id", "status", "status_message")}

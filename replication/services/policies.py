"""Replication policies: create, change, delete, run (contract 2.13)."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction

from auth.actor import Actor
from harbor_core.lib import names
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from jobservice import dispatch
from jobservice.models import Execution, Task
from jobservice.services import control, schedules
from projects.manifests import platforms
from replication.adapters import adapter_class
from replication.models import PolicyDrift, Registry, ReplicationPolicy
from replication.selectors.policies import comparisons_of, executions_of, not_found, policy_get
from replication.services import windows
from replication.services.choosing import checked
from replication.services.engine import JOB_TYPE

NAME_MAX, NAMESPACE_MAX = 256, 255
TRIGGERS = ("manual", "scheduled", "event_based")


def _bad(message: str) -> HarborError:
    return HarborError("BAD_REQUEST", message)


def _end(registry_id: int) -> Registry | None:
    """Raises BAD_REQUEST for a registry that is not there."""
    if not registry_id:
        return None
    found = Registry.objects.filter(pk=registry_id).first()
    if found is None:
        raise _bad(f"registry {registry_id} not found")
    return found


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """As they are stored. Raises BAD_REQUEST."""
    name, namespace, trigger, cron = (values[key] for key in ("name", "dest_namespace", "trigger", "cron"))
    if not 1 <= len(name) <= NAME_MAX or not name.isprintable():
        raise _bad(f"the name of a replication policy must have 1 to {NAME_MAX} printable characters")
    if namespace and (len(namespace) > NAMESPACE_MAX or not names.is_repository(f"{namespace}/name")):
        raise _bad(f"{namespace[:300]!r} is not a namespace")
    source, target = _end(values["source"]), _end(values["target"])
    if (source is None) is (target is None):
        raise _bad("exactly one of src_registry and dest_registry must be a remote registry")
    if target is not None and not adapter_class(target.type).can_be_target:
        raise _bad(f"nothing can be copied to registries of type {target.type}")
    if trigger not in TRIGGERS:
        raise _bad(f"a trigger is {', '.join(TRIGGERS)}")
    if trigger == "event_based" and source is not None:
        raise _bad("only what happens in this registry can start an event_based policy")
    if trigger == "scheduled":
        schedules.check("Custom", cron)
        if cron.split()[1] == "*":
            raise _bad("the minutes of a cron expression must not be *")
    return {
        **values,
        "source": source,
        "target": target,
        "filters": checked(values["filters"]),
        "platforms": ",".join(platforms.checked(values.get("platforms") or [])),
        "window": windows.checked(values.get("window") or ""),
        "cron": cron if trigger == "scheduled" else "",
    }


def draft(values: Mapping[str, Any]) -> ReplicationPolicy:
    """A policy that is not stored. ``values`` are the model's fields, ``source`` and ``target`` ids (0 is this
    registry). Raises BAD_REQUEST."""
    return ReplicationPolicy(**_checked(values))


def create(actor: Actor, values: Mapping[str, Any]) -> ReplicationPolicy:
    """Raises as :func:`draft`, and CONFLICT when the name is taken."""
    policy = draft(values)
    policy.creator = actor.name
    _save(actor, policy, "create")
    return policy


def update(actor: Actor, policy_id: int, values: Mapping[str, Any]) -> None:
    """Replace all of it. Raises as :func:`create`, and NOT_FOUND."""
    stored = _checked(values)
    with transaction.atomic():
        policy = _locked(policy_id)
        for name, value in stored.items():
            setattr(policy, name, value)
        PolicyDrift.objects.filter(policy=policy).delete()  # it was about another rule
        _save(actor, policy, "update")


def set_enabled(actor: Actor, policy_id: int, enabled: bool) -> None:
    """Raises NOT_FOUND."""
    with transaction.atomic():
        policy = _locked(policy_id)
        policy.enabled = enabled
        _save(actor, policy, "update")


def _locked(policy_id: int) -> ReplicationPolicy:
    policy = ReplicationPolicy.objects.select_for_update().filter(pk=policy_id).first()
    if policy is None:
        raise not_found(policy_id)
    return policy


def _save(actor: Actor, policy: ReplicationPolicy, operation: str) -> None:
    try:
        with transaction.atomic():
            policy.save()
            schedules.remove(JOB_TYPE, policy.pk)
            if policy.cron and policy.enabled:
                parameters = {"policy_id": policy.pk}
                schedules.put(JOB_TYPE, policy.pk, cron=policy.cron, parameters=parameters, operator=actor.name)
            audit.record(actor, operation, "replication-policy", policy.name)
    except IntegrityError as exc:
        raise HarborError("CONFLICT", f"there is a replication policy {policy.name} already") from exc


def delete(actor: Actor, policy_id: int) -> None:
    """Raises NOT_FOUND, PRECONDITION while it runs."""
    with transaction.atomic():
        policy = _locked(policy_id)
        if executions_of(policy_id).filter(end_time=None).exists():
            raise HarborError("PRECONDITION", f"replication policy {policy.name} is running")
        control.stop(Task.objects.filter(execution__in=comparisons_of([policy_id]).filter(end_time=None)))
        schedules.remove(JOB_TYPE, policy.pk)
        policy.delete()
        audit.record(actor, "delete", "replication-policy", policy.name)


def start(actor: Actor, policy_id: int) -> Execution:
    """Raises NOT_FOUND, PRECONDITION for a policy that is disabled."""
    with transaction.atomic():
        policy = policy_get(policy_id)
        if not policy.enabled:
            raise HarborError("PRECONDITION", f"replication policy {policy.name} is disabled")
        audit.record(actor, "start", "replication", policy.name)
        return dispatch.submit(JOB_TYPE, vendor_id=policy.pk, parameters={"policy_id": policy.pk}, operator=actor.name)


def repair(actor: Actor, policy_id: int, *, delete: bool) -> Execution:
    """A run that copies what is missing at the target or different there, whatever the policy says about overriding;
    with ``delete`` it takes away what is extra. Raises as :func:`start`, BAD_REQUEST where nothing can be deleted."""
    with transaction.atomic():
        policy = policy_get(policy_id)
        if not policy.enabled:
            raise HarborError("PRECONDITION", f"replication policy {policy.name} is disabled")
        if delete and policy.target is None:
            raise _bad("deletions are replicated from this registry to others only")
        audit.record(actor, "start", "replication", policy.name)
        parameters = {"policy_id": policy.pk, "repair": {"delete": delete}}
        return dispatch.submit(JOB_TYPE, vendor_id=policy.pk, parameters=parameters, operator=actor.name)


def stop(actor: Actor, execution: Execution) -> None:
    """Stopping what has ended is no error."""
    with transaction.atomic():
        audit.record(actor, "stop", "replication", str(execution.pk))
    control.stop_execution(execution.pk)

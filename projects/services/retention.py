"""Retention policies: made, changed and removed (contract 2.12); the job that runs them is services.retention_run."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import transaction

from auth.actor import Actor
from harbor_core.lib.errors import HarborError
from harbor_core.lib.patterns import DOUBLESTAR, REGEX, SEMVER
from harbor_core.services import audit
from jobservice import dispatch
from jobservice.models import Execution
from jobservice.services import control, schedules
from projects.models import Project, RetentionPolicy
from projects.selectors import retention as selectors
from projects.selectors.retention import TEMPLATES
from projects.services import rule_selectors

JOB = "RETENTION"
MAX_RULES = 15
MAX_SELECTORS = 20
LIMITS = {"COUNT": 32766, "DAYS": 36500}
KINDS = {"tag": (DOUBLESTAR, REGEX, SEMVER), "repository": (DOUBLESTAR, REGEX)}


def _bad(message: str) -> HarborError:
    return HarborError("BAD_REQUEST", message)


def create(actor: Actor, project: Project, values: Mapping[str, Any]) -> RetentionPolicy:
    """``values``: algorithm, rules, trigger, scope, and ours: keep_newest, max_delete_percent. Raises BAD_REQUEST (also
    when the project has a policy), CONFLICT for two equal rules, NOT_FOUND."""
    rules, cron = _checked(values)
    with transaction.atomic():
        locked = _locked(project.pk)
        if RetentionPolicy.objects.filter(project=locked).exists():
            raise _bad(f"project {project.name} has a retention policy already")
        policy = RetentionPolicy.objects.create(project=locked, rules=rules, cron=cron, **_extras(values))
        locked.metadata = locked.metadata | {"retention_id": str(policy.pk)}
        locked.save(update_fields=["metadata", "update_time"])
        _schedule(actor, policy)
        _audit(actor, "create", policy)
    return policy


def update(actor: Actor, policy: RetentionPolicy, values: Mapping[str, Any]) -> None:
    """Replace everything. Raises as :func:`create`."""
    rules, cron = _checked(values)
    if values["scope"]["ref"] not in (0, policy.project_id):
        raise _bad("a retention policy stays with its project")
    with transaction.atomic():
        locked = RetentionPolicy.objects.select_for_update(of=("self",)).filter(pk=policy.pk).first()
        if locked is None:
            raise HarborError("NOT_FOUND", f"retention policy {policy.pk} not found")
        locked.rules, locked.cron = rules, cron
        for name, value in _extras(values).items():
            setattr(locked, name, value)
        locked.save()
        _schedule(actor, locked)
        _audit(actor, "update", locked)


def revise(actor: Actor, project: Project, change: Callable[[dict[str, Any]], None]) -> RetentionPolicy:
    """``change`` alters the values of the project's policy (those of :func:`create`) as they are at this moment; a
    project without one gets one. Raises as :func:`create`, and what ``change`` raises."""
    with transaction.atomic():
        locked = _locked(project.pk)
        policy = RetentionPolicy.objects.select_for_update(of=("self",)).filter(project=locked).first()
        values: dict[str, Any] = {
            "rules": list(policy.rules) if policy else [],
            "trigger": {"kind": "Schedule", "settings": {"cron": policy.cron if policy else ""}},
            "scope": {"level": "project", "ref": locked.pk},
            "keep_newest": policy.keep_newest if policy else 0,
            "max_delete_percent": policy.max_delete_percent if policy else 0,
        }
        change(values)
        if policy is None:
            return create(actor, locked, values)
        update(actor, policy, values)
    return policy


def delete(actor: Actor, policy: RetentionPolicy) -> None:
    """The policy and its schedule; what its runs did stays on record."""
    with transaction.atomic():
        project = _locked(policy.project_id)
        RetentionPolicy.objects.filter(pk=policy.pk).delete()
        project.metadata = {key: value for key, value in project.metadata.items() if key != "retention_id"}
        project.save(update_fields=["metadata", "update_time"])
        schedules.remove(JOB, policy.pk)
        _audit(actor, "delete", policy)


def start(actor: Actor, policy: RetentionPolicy, *, dry_run: bool) -> Execution:
    """Run it now."""
    parameters = {"policy_id": policy.pk, "dry_run": dry_run}
    with transaction.atomic():
        execution = dispatch.submit(
            JOB, vendor_id=policy.pk, parameters=parameters, extra_attrs={"dry_run": dry_run}, operator=actor.name
        )
        _audit(actor, "start", policy)
    return execution


def stop(actor: Actor, policy: RetentionPolicy, execution_id: int) -> None:
    if control.stop_execution(execution_id):
        with transaction.atomic():
            _audit(actor, "stop", policy)


def default_of_proxy(actor: Actor, project: Project) -> RetentionPolicy:
    """What a proxy project begins with: artifacts that were pulled within a week stay, looked at every day."""
    selector = {"kind": "doublestar", "pattern": "**", "extras": ""}
    rule = {
        "template": "nDaysSinceLastPull",
        "params": {"nDaysSinceLastPull": 7},
        "tag_selectors": [selector | {"decoration": "matches"}],
        "scope_selectors": {"repository": [selector | {"decoration": "repoMatches"}]},
    }
    trigger = {"kind": "Schedule", "settings": {"cron": "0 0 0 * * *"}}
    scope = {"level": "project", "ref": project.pk}
    return create(actor, project, {"algorithm": "or", "scope": scope, "trigger": trigger, "rules": [rule]})


def _locked(project_id: int) -> Project:
    project = Project.objects.select_for_update(of=("self",)).filter(pk=project_id, deleted=False).first()
    if project is None:
        raise HarborError("NOT_FOUND", "the project has just been deleted")
    return project


def _schedule(actor: Actor, policy: RetentionPolicy) -> None:
    if policy.cron:
        parameters = {"policy_id": policy.pk, "dry_run": False}
        schedules.put(JOB, policy.pk, cron=policy.cron, parameters=parameters, operator=actor.name)
    else:
        schedules.remove(JOB, policy.pk)


def _audit(actor: Actor, operation: str, policy: RetentionPolicy) -> None:
    resource = f"{policy.project.name}/{policy.pk}"
    audit.record(actor, operation, "tag-retention", resource, project_id=policy.project_id)


# ---------------------------------------------------------------------- rules of a policy
def _extras(values: Mapping[str, Any]) -> dict[str, int]:
    newest, percent = values.get("keep_newest") or 0, values.get("max_delete_percent") or 0
    if not 0 <= newest <= LIMITS["COUNT"]:
        raise _bad(f"keep_newest must lie between 0 and {LIMITS['COUNT']}")
    if not 0 <= percent <= 100:
        raise _bad("max_delete_percent must lie between 0 and 100")
    return {"keep_newest": newest, "max_delete_percent": percent}


def _checked(values: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """The rules as they are stored, and the cron expression."""
    if (values.get("algorithm") or "or") != "or":
        raise _bad("the algorithm of a retention policy is or")
    if values["scope"]["level"] != "project":
        raise _bad("the scope of a retention policy is a project")
    cron = _checked_trigger(values.get("trigger") or {})
    return checked_rules(values.get("rules") or []), cron


def checked_rules(given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """As they are stored. Raises BAD_REQUEST, CONFLICT for two that are equal."""
    if len(given) > MAX_RULES:
        raise _bad(f"a retention policy has at most {MAX_RULES} rules")
    rules = [_checked_rule(position, rule) for position, rule in enumerate(given)]
    seen: set[str] = set()
    for rule in rules:
        identity = selectors.identity(rule)
        if identity in seen:
            raise HarborError("CONFLICT", f"rule {rule['id']} is the same as another one")
        seen.add(identity)
    return rules


def _checked_trigger(trigger: Mapping[str, Any]) -> str:
    kind = trigger.get("kind") or "Schedule"
    if kind != "Schedule":
        raise _bad("the trigger of a retention policy is of kind Schedule, with an empty cron where there is none")
    cron = (trigger.get("settings") or {}).get("cron") or ""
    if not isinstance(cron, str):
        raise _bad("trigger.settings.cron must be a text")
    return schedules.check("Custom", cron) if cron else ""


def _checked_rule(position: int, rule: Mapping[str, Any]) -> dict[str, Any]:
    where = f"rules[{position}]"
    template = TEMPLATES.get(rule.get("template") or "")
    if template is None:
        raise _bad(f"{where}: template is one of {', '.join(TEMPLATES)}")
    if (rule.get("action") or "retain") != "retain":
        raise _bad(f"{where}: the action of a rule is retain")
    scope = rule.get("scope_selectors") or {}
    if set(scope) != {"repository"}:
        raise _bad(f"{where}: scope_selectors must hold the selectors of repositories, and nothing else")
    return {
        "id": position,
        "priority": rule.get("priority") or 0,
        "disabled": bool(rule.get("disabled")),
        "action": "retain",
        "template": template.name,
        "params": _checked_params(where, template.name, template.unit, rule.get("params") or {}),
        "tag_selectors": _selectors(f"{where}.tag_selectors", rule.get("tag_selectors") or [], "tag"),
        "scope_selectors": {
            "repository": _selectors(f"{where}.scope_selectors.repository", scope["repository"], "repository")
        },
    }


def _checked_params(where: str, name: str, unit: str, params: Mapping[str, Any]) -> dict[str, int]:
    if not unit:
        return {}
    value = params.get(name)
    if value is None:
        return {name: TEMPLATES[name].default}
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LIMITS[unit]:
        raise _bad(f"{where}: {name} must be a whole number from 0 to {LIMITS[unit]}")
    return {name: value}


def _selectors(where: str, given: list[Mapping[str, Any]], of: str) -> list[dict[str, str]]:
    return rule_selectors.checked(where, given, of, most=MAX_SELECTORS, kinds=KINDS[of])

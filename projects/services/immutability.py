"""Immutable tags: the rules of a project, and the refusal that every change of a tag goes through."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction

from auth.actor import Actor
from harbor_core.lib.errors import HarborError
from harbor_core.lib.patterns import DOUBLESTAR
from harbor_core.services import audit
from projects.models import ImmutableRule, Project, Repository
from projects.selectors.immutability import rule_get, rules_of, selectors_of
from projects.services.hold import hold_project
from projects.services.rule_selectors import checked

ACTION, TEMPLATE = "immutable", "immutable_template"
MAX_RULES = 100  # each is looked at for every tag that moves
MAX_SELECTORS = 10


def refuse(repository: Repository, tags: Iterable[str]) -> None:
    """Raise PRECONDITION (412) when one of these tags is immutable; called before it moves or goes, in the same
    transaction. The project is held until commit, so that a rule made meanwhile counts from the next change on, and not
    in the middle of this one."""
    names = list(tags)
    if not names:
        return
    hold_project(repository.project_id)
    protected = rules_of(repository.project_id).protected(repository.name, names)
    if protected:
        tag = f"{repository.name}:{min(protected)}"
        raise HarborError("PRECONDITION", f"tag {tag} is immutable: a rule of the project keeps it as it is")


def create(actor: Actor, project: Project, values: Mapping[str, Any]) -> ImmutableRule:
    """``values``: action, template, priority, disabled, tag_selectors, scope_selectors (contract 2.12). Counts once it
    is committed, changes under way have then ended. Raises BAD_REQUEST, CONFLICT for a rule that is there."""
    _check(values)
    with transaction.atomic():
        _settle(project)
        rules = list(ImmutableRule.objects.filter(project=project))
        if len(rules) >= MAX_RULES:
            raise HarborError("BAD_REQUEST", f"a project has at most {MAX_RULES} immutable tag rules")
        _refuse_twin(rules, values)
        rule = ImmutableRule.objects.create(project=project, disabled=values["disabled"], **_stored(values))
        _audit(actor, "create", rule, project)
    return rule


def update(actor: Actor, project: Project, rule_id: int, values: Mapping[str, Any]) -> None:
    """Where ``disabled`` differs from what is stored that is all that changes (contract 2.12). Raises NOT_FOUND and
    the errors of :func:`create`."""
    with transaction.atomic():
        _settle(project)
        rule = rule_get(project.pk, rule_id)
        if rule.disabled != values["disabled"]:
            rule.disabled = values["disabled"]
        else:
            _check(values)
            _refuse_twin(ImmutableRule.objects.filter(project=project).exclude(pk=rule_id), values)
            for name, value in _stored(values).items():
                setattr(rule, name, value)
        rule.save()
        _audit(actor, "update", rule, project)


def delete(actor: Actor, project: Project, rule_id: int) -> None:
    """Raises NOT_FOUND."""
    with transaction.atomic():
        rule = rule_get(project.pk, rule_id)
        _audit(actor, "delete", rule, project)
        rule.delete()


def _settle(project: Project) -> None:
    """Wait for the changes that hold the project (:func:`refuse`); those that come later wait for us."""
    if not Project.objects.select_for_update(no_key=True).filter(pk=project.pk, deleted=False).exists():
        raise HarborError("NOT_FOUND", f"project {project.name} has just been deleted")


def _stored(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in ("priority", "tag_selectors", "scope_selectors")}


def _refuse_twin(rules: Iterable[ImmutableRule], values: Mapping[str, Any]) -> None:
    wanted = selectors_of(values["tag_selectors"], values["scope_selectors"])
    if any(selectors_of(rule.tag_selectors, rule.scope_selectors) == wanted for rule in rules):
        raise HarborError("CONFLICT", "the project has an immutable tag rule with these selectors")


def _check(values: Mapping[str, Any]) -> None:
    if values["action"] != ACTION or values["template"] != TEMPLATE:
        raise HarborError("BAD_REQUEST", f"the action of a rule is {ACTION}, its template {TEMPLATE}")
    if set(values["scope_selectors"]) != {"repository"}:
        raise HarborError("BAD_REQUEST", "scope_selectors must hold the selectors of repositories, and nothing else")
    limits: Any = {"most": MAX_SELECTORS, "kinds": (DOUBLESTAR,)}
    checked("scope_selectors.repository", values["scope_selectors"]["repository"], "repository", **limits)
    checked("tag_selectors", values["tag_selectors"], "tag", **limits)


def _audit(actor: Actor, operation: str, rule: ImmutableRule, project: Project) -> None:
    audit.record(actor, operation, "immutable-tag-rule", f"{project.name}/{rule.pk}", project_id=project.pk)

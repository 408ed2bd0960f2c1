"""Webhook policies: which events are posted where (contract 2.11).

Where ``project`` is None the policy is the system's, and sees the events of every project.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from auth.actor import Actor
from harbor_core.lib import crypto, signing
from harbor_core.lib.address import http_address
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from projects.models import Project, WebhookPolicy
from projects.selectors.webhooks import not_found
from projects.services.hold import hold_project

EVENT_TYPES = (
    "PUSH_ARTIFACT",
    "PULL_ARTIFACT",
    "DELETE_ARTIFACT",
    "QUOTA_EXCEED",
    "QUOTA_WARNING",
    "SCANNING_FAILED",
    "SCANNING_STOPPED",
    "SCANNING_COMPLETED",
    "REPLICATION",
    "TAG_RETENTION",
)
# What can be told, and in which forms; a Slack message has the one form Slack knows.
FORMATS: dict[str, tuple[str, ...]] = {"http": ("CloudEvents", "Default"), "slack": ()}
NAME_MAX, HEADER_MAX, TARGETS_MAX = 255, 8192, 50
SECRET_OVERLAP = timedelta(days=1)


def _bad(message: str) -> HarborError:
    return HarborError("BAD_REQUEST", message)


def _checked_events(types: Sequence[str]) -> list[str]:
    """Each once, in the order given. Raises BAD_REQUEST."""
    if not types:
        raise _bad("a webhook policy needs at least one event type")
    for name in types:
        if name not in EVENT_TYPES:
            raise _bad(f"event type {name[:100]!r} is not one of {', '.join(EVENT_TYPES)}")
    return list(dict.fromkeys(types))


def _checked_target(given: Mapping[str, Any]) -> dict[str, Any]:
    """As it is stored, its header encrypted. Raises BAD_REQUEST."""
    kind, form, header = given["type"], given["payload_format"], given["auth_header"]
    if kind not in FORMATS:
        raise _bad(f"a target must be of type {' or '.join(FORMATS)}")
    if form and form not in FORMATS[kind]:
        raise _bad(f"a target of type {kind} has no payload format {form[:100]!r}")
    try:
        address = http_address(given["address"], query=True)
    except ValueError as exc:
        raise _bad(str(exc)) from exc
    if len(header) > HEADER_MAX or not header.isprintable() or not header.isascii():
        raise _bad(f"auth_header must be one line of at most {HEADER_MAX} ASCII characters")
    return {
        "type": kind,
        "address": address,
        "auth_header": crypto.encrypt(header) if header else "",
        "skip_cert_verify": given["skip_cert_verify"],
        "payload_format": form or ("Default" if FORMATS[kind] else ""),
    }


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` are name, description, enabled, event_types and targets, as they are stored. Raises BAD_REQUEST."""
    name = values["name"].strip()
    if not 1 <= len(name) <= NAME_MAX:
        raise _bad(f"the name of a webhook policy must have 1 to {NAME_MAX} characters")
    targets = values["targets"]
    if not 1 <= len(targets) <= TARGETS_MAX:
        raise _bad(f"a webhook policy needs 1 to {TARGETS_MAX} targets")
    return {
        "name": name,
        "description": values["description"],
        "enabled": values["enabled"],
        "event_types": _checked_events(values["event_types"]),
        "targets": [_checked_target(target) for target in targets],
    }


def create(actor: Actor, project: Project | None, values: Mapping[str, Any]) -> WebhookPolicy:
    """Raises BAD_REQUEST, CONFLICT when the project has one of this name, NOT_FOUND when it was just deleted."""
    policy = WebhookPolicy(project=project, creator=actor.name, **_checked(values))
    _save(actor, policy, "create")
    return policy


def update(actor: Actor, project: Project | None, policy_id: int, values: Mapping[str, Any]) -> None:
    """Replace all of it. Raises as :func:`create`, and NOT_FOUND for a policy the project has not."""
    stored = _checked(values)
    with transaction.atomic():
        policy = _locked(project, policy_id)
        for name, value in stored.items():
            setattr(policy, name, value)
        _save(actor, policy, "update")


def _save(actor: Actor, policy: WebhookPolicy, operation: str) -> None:
    try:
        with transaction.atomic():
            if policy.project:
                hold_project(policy.project.pk)
            policy.save()
            note(actor, operation, policy)
    except IntegrityError as exc:
        raise _taken(policy) from exc


def _taken(policy: WebhookPolicy) -> HarborError:
    if policy.project:
        return HarborError("CONFLICT", f"project {policy.project.name} has a webhook policy {policy.name} already")
    return HarborError("CONFLICT", f"the system has a webhook policy {policy.name} already")


def note(actor: Actor, operation: str, policy: WebhookPolicy) -> None:
    """Into the audit log."""
    name = f"{policy.project.name}/{policy.name}" if policy.project else policy.name
    audit.record(actor, operation, "webhook", name, project_id=policy.project_id)


def new_secret(actor: Actor, project: Project | None, policy_id: int) -> str:
    """A new secret that bodies are signed with from now on, as Standard Webhooks has it; readable this once. For
    SECRET_OVERLAP they are signed with the one before too, so that receivers can be given the new one in the meantime.
    Raises NOT_FOUND."""
    secret = signing.new_secret()
    _set_secret(actor, project, policy_id, crypto.encrypt(secret))
    return secret


def drop_secret(actor: Actor, project: Project | None, policy_id: int) -> None:
    """Bodies are not signed any more, with the secret before neither. Raises NOT_FOUND."""
    _set_secret(actor, project, policy_id, "")


@transaction.atomic
def _set_secret(actor: Actor, project: Project | None, policy_id: int, stored: str) -> None:
    policy = _locked(project, policy_id)
    keeps = bool(stored and policy.secret)
    policy.previous_secret = policy.secret if keeps else ""
    policy.previous_secret_until = timezone.now() + SECRET_OVERLAP if keeps else None
    policy.secret = stored
    policy.save(update_fields=["secret", "previous_secret", "previous_secret_until", "update_time"])
    note(actor, "update", policy)


def delete(actor: Actor, project: Project | None, policy_id: int) -> None:
    """Raises NOT_FOUND."""
    with transaction.atomic():
        policy = _locked(project, policy_id)
        policy.delete()
        note(actor, "delete", policy)


def _locked(project: Project | None, policy_id: int) -> WebhookPolicy:
    policy = WebhookPolicy.objects.select_for_update().filter(project=project, pk=policy_id).first()
    if policy is None:
        raise not_found(project, policy_id)
    policy.project = project
    return policy

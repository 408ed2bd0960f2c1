"""Webhooks of the declared configuration: the system's as a section, and those of a project as a part of it."""

import hmac
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from auth.actor import Actor
from harbor_core.lib import crypto
from harbor_core.lib.wire import Flag, Items, Nested, Text
from harbor_core.services.declared_sections import fields
from projects.models import Project, WebhookPolicy
from projects.services import webhooks

TARGET = Nested(
    {
        "type": Text(default="http"),
        "address": Text(default=""),
        "auth_header": Text(),
        "skip_cert_verify": Flag(default=False),
        "payload_format": Text(default=""),
    }
)
WEBHOOK = Nested(
    {
        "description": Text(default=""),
        "enabled": Flag(default=True),
        "event_types": Items(Text(), default=[]),
        "targets": Items(TARGET, default=[]),
    }
)


class Webhooks:
    """Those that see the events of every project."""

    def checked(self, where: str, value: Any) -> dict[str, Any]:
        fields(where, value, WEBHOOK.fields)
        return WEBHOOK.load(where, value)

    def read(self, names: set[str]) -> dict[str, Any]:
        return {name: masked(hook) for name, hook in shown(None).items() if name in names}

    def export(self) -> dict[str, Any]:
        return {name: without_headers(hook) for name, hook in shown(None).items()}

    def put(self, actor: Actor, name: str, values: dict[str, Any]) -> None:
        put_all(actor, None, {name: values}, shown(None), only_these=False)


def shown(project: Project | None) -> dict[str, Any]:
    """With their headers in clear."""
    rows = WebhookPolicy.objects.filter(project=project).order_by("name")
    return {
        row.name: {
            "description": row.description,
            "enabled": row.enabled,
            "event_types": row.event_types,
            "targets": [
                target | {"auth_header": crypto.decrypt(target["auth_header"]) if target.get("auth_header") else ""}
                for target in row.targets
            ],
        }
        for row in rows
    }


def masked(hook: Mapping[str, Any]) -> dict[str, Any]:
    """Headers as something that tells two apart and nothing else."""

    def told(header: str) -> str:
        known = hmac.new(settings.SECRET_KEY.encode(), header.encode(), "sha256").hexdigest()[:8]
        return f"(secret {known})" if header else ""

    targets = [{**target, "auth_header": told(target["auth_header"] or "")} for target in hook["targets"]]
    return {**hook, "targets": targets}


def unmasked(hooks: Mapping[str, Mapping[str, Any]], stated: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The other way round: with the headers that are stated where the targets are those, else with none, so that what
    is stored stays."""
    found = {}
    for name, hook in hooks.items():
        given = whole(stated[name], None) if name in stated else None
        same = given is not None and masked(given)["targets"] == hook["targets"]
        kept = [{**target, "auth_header": None} for target in hook["targets"]]
        found[name] = {**hook, "targets": given["targets"] if given is not None and same else kept}
    return found


def without_headers(hook: Mapping[str, Any]) -> dict[str, Any]:
    targets = [{key: value for key, value in target.items() if key != "auth_header"} for target in hook["targets"]]
    return {**hook, "targets": targets}


def whole(hook: Mapping[str, Any], stored: Mapping[str, Any] | None) -> dict[str, Any]:
    """A target whose header is not stated keeps the one that is stored for its address."""

    def filled(target: Mapping[str, Any]) -> dict[str, Any]:
        known = next((one["auth_header"] for one in (stored or {}).get("targets", ()) if _is_same(one, target)), "")
        header = known if target["auth_header"] is None else target["auth_header"]
        form = target["payload_format"] or ("Default" if target["type"] == "http" else "")
        return {**target, "auth_header": header, "payload_format": form}

    return {**hook, "targets": [filled(target) for target in hook["targets"]]}


def _is_same(stored: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
    return bool(stored["address"] == target["address"])


def put_all(
    actor: Actor,
    project: Project | None,
    wanted: Mapping[str, Any],
    current: Mapping[str, Any],
    *,
    only_these: bool = True,
) -> None:
    """``current`` as :func:`shown`; with ``only_these`` others are deleted."""
    ids = dict(WebhookPolicy.objects.filter(project=project).values_list("name", "pk"))
    for name in ids.keys() - wanted.keys() if only_these else ():
        webhooks.delete(actor, project, ids[name])
    for name, stated in wanted.items():
        values = whole(stated, current.get(name))
        if name not in ids:
            webhooks.create(actor, project, {**values, "name": name})
        elif current.get(name) != values:
            webhooks.update(actor, project, ids[name], {**values, "name": name})

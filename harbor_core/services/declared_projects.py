"""Sections of the declared configuration about content: labels of the system, and projects with all that is in their
settings."""

from collections.abc import Callable, Mapping
from typing import Any

from auth.actor import Actor
from auth.rbac import ROLE_NAMES
from auth.services.groups import GroupReference
from harbor_core.lib.errors import HarborError
from harbor_core.lib.wire import Anything, Flag, Items, Nested, Pairs, Text, Whole
from harbor_core.services import declared_webhooks
from harbor_core.services.declared_sections import differs, fields
from projects.models import ImmutableRule, Label, Member, Project, Quota, RetentionPolicy
from projects.models.quota import UNLIMITED
from projects.services import allowlist, immutability, labels, members, metadata, projects, quota, retention
from projects.services.members import UserReference
from replication.models import Registry

LABEL = Nested({"description": Text(default=""), "color": Text(default="")})
SELECTOR = Nested(
    {
        "kind": Text(default="doublestar"),
        "decoration": Text(default=""),
        "pattern": Text(default=""),
        "extras": Text(default=""),
    }
)
RULE = Nested(
    {
        "disabled": Flag(default=False),
        "priority": Whole(default=0),
        "tag_selectors": Items(SELECTOR, default=[]),
        "scope_selectors": Nested({"repository": Items(SELECTOR, default=[])}, default={}),
    }
)
RETENTION = Nested(
    {
        "cron": Text(default=""),
        "keep_newest": Whole(default=0),
        "max_delete_percent": Whole(default=0),
        "rules": Items(Pairs(Anything()), default=[]),
    }
)
ALLOWLIST = Nested({"items": Items(Text(), default=[]), "expires_at": Whole()})
NO_ALLOWLIST: dict[str, Any] = {"items": [], "expires_at": None}
GROUP = "group:"
_ROLES = {name: int(role) for role, name in ROLE_NAMES.items()}
_RULE_CONSTANTS = {"action": immutability.ACTION, "template": immutability.TEMPLATE}


class Labels:
    """Labels of the system."""

    def checked(self, where: str, value: Any) -> dict[str, Any]:
        return fields(where, value or {}, LABEL.fields)

    def read(self, names: set[str]) -> dict[str, Any]:
        return {name: value for name, value in _labels_of(None).items() if name in names}

    def export(self) -> dict[str, Any]:
        return _labels_of(None)

    def put(self, actor: Actor, name: str, values: dict[str, Any]) -> None:
        _put_label(actor, None, name, values)


def _labels_of(project: Project | None) -> dict[str, Any]:
    rows = Label.objects.filter(project=project).order_by("name")
    return {label.name: {"description": label.description, "color": label.color} for label in rows}


def _put_label(actor: Actor, project: Project | None, name: str, values: Mapping[str, Any]) -> None:
    label = Label.objects.filter(project=project, name=name).first()
    if label is None:
        labels.create(actor, project, name, values.get("description", ""), values.get("color", ""))
        return
    current = {"description": label.description, "color": label.color}
    if differs(values, current):
        wanted = current | dict(values)
        labels.update(actor, label, name, wanted["description"], wanted["color"])


class Projects:
    FIELDS = {
        "public": Flag(),
        "metadata": Pairs(Text()),
        "proxy_of": Text(),
        "storage_limit": Whole(low=-1),  # bytes, -1 for none
        "members": Pairs(Text(choices=tuple(_ROLES))),
        "labels": Pairs(LABEL),
        "immutable_rules": Items(RULE),
        "retention": RETENTION,
        "webhooks": Pairs(declared_webhooks.WEBHOOK),
        "cve_allowlist": ALLOWLIST,
    }

    def checked(self, where: str, value: Any) -> dict[str, Any]:
        stated = fields(where, value or {}, self.FIELDS)
        if "retention" in stated:
            rules = retention.checked_rules(stated["retention"]["rules"])
            stated["retention"] = stated["retention"] | {"rules": [_without_id(rule) for rule in rules]}
        return stated

    def read(self, names: set[str]) -> dict[str, Any]:
        found = Project.objects.filter(name__in=names, deleted=False)
        return {project.name: self.masked(_shown(project)) for project in found}

    def export(self) -> dict[str, Any]:
        found = Project.objects.filter(deleted=False).order_by("name")
        return {project.name: _trimmed(_shown(project)) for project in found}

    def put(self, actor: Actor, name: str, values: dict[str, Any]) -> None:
        project = Project.objects.filter(name=name, deleted=False).first()
        if project is None:
            project = self._create(actor, name, values)
        current = _shown(project)
        if "webhooks" in values:
            hooks = {
                key: declared_webhooks.whole(hook, current["webhooks"].get(key))
                for key, hook in values["webhooks"].items()
            }
            values = values | {"webhooks": hooks}
        if values.get("proxy_of", current["proxy_of"]) != current["proxy_of"]:
            raise HarborError("BAD_REQUEST", "a project stays the proxy of what it was made for")
        self._put_metadata(actor, project, values, current)
        if values.get("storage_limit", current["storage_limit"]) != current["storage_limit"]:
            quota.set_limit(actor, Quota.objects.get(project=project).pk, values["storage_limit"])
        for part, put in _PARTS.items():
            if part in values and values[part] != current[part]:
                put(actor, project, values[part], current[part])

    @staticmethod
    def masked(values: Mapping[str, Any]) -> dict[str, Any]:
        """Credentials of webhooks as something that tells two apart and nothing else."""
        hooks = {name: declared_webhooks.masked(hook) for name, hook in values.get("webhooks", {}).items()}
        return {**values, "webhooks": hooks} if hooks else dict(values)

    @staticmethod
    def _create(actor: Actor, name: str, values: Mapping[str, Any]) -> Project:
        registry_id = None
        if values.get("proxy_of"):
            registry_id = Registry.objects.filter(name=values["proxy_of"]).values_list("pk", flat=True).first()
            if registry_id is None:
                raise HarborError("BAD_REQUEST", f"there is no registry {values['proxy_of'][:100]}")
        public = {"public": str(values.get("public", False)).lower()}
        return projects.create(actor, name, values=public, registry_id=registry_id)

    @staticmethod
    def _put_metadata(actor: Actor, project: Project, values: Mapping[str, Any], current: Mapping[str, Any]) -> None:
        if values.get("public", current["public"]) != current["public"]:
            projects.update(actor, project.pk, {"public": str(values["public"]).lower()})
        wanted = values.get("metadata", current["metadata"])
        if wanted == current["metadata"]:
            return
        for key in current["metadata"].keys() - wanted.keys():
            metadata.delete(actor, project.pk, key)
        projects.update(actor, project.pk, wanted)


def _shown(project: Project) -> dict[str, Any]:
    proxied = Registry.objects.filter(pk=project.registry_id or 0).values_list("name", flat=True).first()
    hard = Quota.objects.filter(project=project).values_list("hard", flat=True).first()
    return {
        "public": project.public,
        "metadata": {key: value for key, value in project.metadata.items() if key not in metadata.SERVER_ONLY},
        "proxy_of": proxied or "",
        "storage_limit": UNLIMITED if hard is None else hard,
        "members": _members_of(project),
        "labels": _labels_of(project),
        "immutable_rules": _rules_of(project),
        "retention": _retention_of(project),
        "webhooks": declared_webhooks.shown(project),
        "cve_allowlist": _allowlist_of(project),
    }


def _trimmed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what a new project has anyway, and without credentials of webhooks."""
    empty: tuple[Any, ...] = ("", {}, [], None, UNLIMITED, NO_ALLOWLIST)
    stated = {name: value for name, value in values.items() if value not in empty}
    hooks = {name: declared_webhooks.without_headers(hook) for name, hook in values["webhooks"].items()}
    return stated | ({"webhooks": hooks} if hooks else {})


# ---------------------------------------------------------------------- parts that are stated whole
def _members_of(project: Project) -> dict[str, str]:
    rows = Member.objects.filter(project=project).select_related("user", "group")
    return {_member_name(row): ROLE_NAMES[row.role] for row in sorted(rows, key=_member_name)}  # type: ignore[index]  # ids are those of the roles


def _member_name(member: Member) -> str:
    return member.user.username if member.user else f"{GROUP}{member.group.group_name if member.group else ''}"


def _put_members(actor: Actor, project: Project, wanted: Mapping[str, str], current: Mapping[str, str]) -> None:
    rows = {_member_name(row): row for row in Member.objects.filter(project=project).select_related("user", "group")}
    for name in rows.keys() - wanted.keys():
        members.remove(actor, project, rows[name].pk)
    for name, role in wanted.items():
        if name in rows:
            if current.get(name) != role:
                members.set_role(actor, project, rows[name].pk, _ROLES[role])
        elif name.startswith(GROUP):
            group = GroupReference(name=name.removeprefix(GROUP))
            members.add(actor, project, _ROLES[role], group=group)
        else:
            members.add(actor, project, _ROLES[role], user=UserReference(name=name))


def _put_labels(actor: Actor, project: Project, wanted: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    for label in Label.objects.filter(project=project).exclude(name__in=list(wanted)):
        labels.delete(actor, label)
    for name, values in wanted.items():
        _put_label(actor, project, name, values)


def _rules_of(project: Project) -> list[dict[str, Any]]:
    names = ("disabled", "priority", "tag_selectors", "scope_selectors")
    rows = ImmutableRule.objects.filter(project=project).order_by("pk")
    return [{name: getattr(row, name) for name in names} for row in rows]


def _put_rules(actor: Actor, project: Project, wanted: list[dict[str, Any]], current: list[dict[str, Any]]) -> None:
    for row, rule in zip(list(ImmutableRule.objects.filter(project=project).order_by("pk")), current, strict=True):
        if rule not in wanted:
            immutability.delete(actor, project, row.pk)
    for rule in wanted:
        if rule not in current:
            immutability.create(actor, project, rule | _RULE_CONSTANTS)


def _retention_of(project: Project) -> dict[str, Any] | None:
    policy = RetentionPolicy.objects.filter(project=project).first()
    if policy is None:
        return None
    rules = [_without_id(rule) for rule in policy.rules]
    extras = {"keep_newest": policy.keep_newest, "max_delete_percent": policy.max_delete_percent}
    return {"cron": policy.cron, **extras, "rules": rules}


def _without_id(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in rule.items() if key != "id"}


def _put_retention(actor: Actor, project: Project, wanted: Mapping[str, Any], current: Any) -> None:
    def change(values: dict[str, Any]) -> None:
        values["trigger"] = {"kind": "Schedule", "settings": {"cron": wanted["cron"]}}
        values |= {name: wanted[name] for name in ("rules", "keep_newest", "max_delete_percent")}

    retention.revise(actor, project, change)


def _allowlist_of(project: Project) -> dict[str, Any]:
    found = allowlist.get(project.pk)
    return {"items": list(found.items), "expires_at": found.expires_at}


def _put_allowlist(actor: Actor, project: Project, wanted: Mapping[str, Any], current: Any) -> None:
    allowlist.set(actor, project, wanted["items"], wanted["expires_at"])


_PARTS: dict[str, Callable[[Actor, Project, Any, Any], None]] = {
    "members": _put_members,
    "labels": _put_labels,
    "immutable_rules": _put_rules,
    "retention": _put_retention,
    "webhooks": declared_webhooks.put_all,
    "cve_allowlist": _put_allowlist,
}

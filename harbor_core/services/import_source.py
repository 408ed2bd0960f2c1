"""What another Harbor has, read over its API as a document of the declared configuration (docs/migrating.md).

Read with an administrator's account, and nothing is changed there. What its API does not tell (passwords, secrets of
robots and registries) or what has no meaning here is noted. What would act by itself the moment it exists (policies,
webhooks) is described as disabled: the other side still does the same.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from auth.models import ADMIN_ID, UserGroup
from auth.rbac import ROBOT_PROJECT_PERMISSIONS, ROBOT_SYSTEM_PERMISSIONS, ROLE_NAMES
from auth.selectors.groups import TYPE_OF_MODE
from harbor_core.lib.config_keys import DEFAULTS, EDITABLE, SECRETS
from harbor_core.lib.errors import HarborError
from harbor_core.services.config import config_get
from harbor_core.services.declared_accounts import SYSTEM_PLACE
from projects.services import metadata, webhooks
from replication.adapters import ADAPTERS
from replication.adapters.base import UnhealthyError
from replication.adapters.harbor import Harbor

JOBS = {"GARBAGE_COLLECTION": "system/gc/schedule", "PURGE_AUDIT_LOG": "system/purgeaudit/schedule"}
_ROLES = {int(role): name for role, name in ROLE_NAMES.items()}
_GROUP_TYPES = {int(kind): mode for mode, kind in TYPE_OF_MODE.items()}
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Note:
    """What is not taken over, or not as it is, and why."""

    where: str
    why: str


@dataclass
class Source:
    """``document`` is complete after :func:`read`; ``projects`` are those whose content can be copied."""

    harbor: Harbor
    document: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    projects: list[str] = field(default_factory=list)
    version: str = ""

    def note(self, where: str, why: str) -> None:
        self.notes.append(Note(where, why))


def read(harbor: Harbor, progress: Callable[[str], None] = lambda what: None) -> Source:
    """``progress`` is told what is read next. Raises UnhealthyError: it is not there, is no Harbor, or the account does
    not administer it."""
    source = Source(harbor)
    harbor.check()
    try:
        _read(source, progress)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:  # rows without what the contract says they have
        raise UnhealthyError(f"{harbor.endpoint.url} does not answer as Harbor does: {exc!r}") from exc
    return source


def _read(source: Source, progress: Callable[[str], None]) -> None:
    harbor = source.harbor
    if not harbor.asked("users/current").get("sysadmin_flag"):
        raise UnhealthyError(f"{harbor.endpoint.access_key} is not an administrator of {harbor.endpoint.url}")
    source.version = str(harbor.asked("systeminfo").get("harbor_version", ""))
    progress(f"accounts, settings and registries of Harbor {source.version}")
    settings = {name: entry.get("value") for name, entry in harbor.asked("configurations").items() if entry}
    registries = {int(row["id"]): row for row in harbor.listed("registries?")}
    document = source.document
    document["configuration"] = _configuration(source, settings)
    document["users"] = _users(source, str(settings.get("auth_mode", "")))
    document["groups"] = _groups(source)
    document["labels"] = _labels(harbor, "scope=g")
    document["cve_allowlist"] = _allowlist(harbor.asked("system/CVEAllowlist"))
    document["registries"] = _registries(source, registries.values())
    prefix = str(settings.get("robot_name_prefix") or "robot$")
    robots = [_robot(source, prefix, "", row) for row in harbor.listed("robots?")]
    quotas = _quotas(harbor)
    document["projects"] = {}
    for row in harbor.listed("projects?"):
        name, key = str(row["name"]), int(row["project_id"])
        progress(f"project {name}")
        document["projects"][name] = _project(source, row, registries, quotas.get(key))
        of_project = harbor.listed(f"robots?q=Level%3Dproject%2CProjectID%3D{key}&")
        robots += [_robot(source, prefix, name, robot) for robot in of_project]
        if not row.get("registry_id"):
            source.projects.append(name)
    document["robots"] = {name: values for name, values in robots if values}
    document["replications"] = _replications(source, registries)
    document["schedules"] = _schedules(source)


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is not told."""
    return {name: value for name, value in values.items() if value is not None}


# ---------------------------------------------------------------------- the system
def _configuration(source: Source, settings: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in sorted(settings.items()):
        if name == "auth_mode":
            if value != config_get(name):
                source.note("configuration.auth_mode", f"it is {value} there: set it here first, with its credentials")
        elif name in EDITABLE and name not in SECRETS and value not in (None, DEFAULTS[name]):
            found[name] = value
    return found


def _users(source: Source, auth_mode: str) -> dict[str, Any]:
    rows = [row for row in source.harbor.listed("users?") if row["user_id"] != ADMIN_ID]
    if auth_mode != "db_auth" or config_get("auth_mode") != "db_auth":
        if rows:
            source.note("users", f"{len(rows)} accounts of an identity provider: each is made when its owner signs in")
        return {}
    for row in rows:
        source.note(f"users.{row['username']}", "its password cannot be read: it needs a new one")
    return {
        str(row["username"]): {
            "realname": row.get("realname") or row["username"],
            "email": row.get("email") or "",
            "comment": row.get("comment") or "",
            "admin": bool(row.get("sysadmin_flag")),
        }
        for row in rows
    }


def _groups(source: Source) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in source.harbor.listed("usergroups?"):
        name, mode = str(row["group_name"]), _GROUP_TYPES.get(row.get("group_type", 0), "")
        if mode != config_get("auth_mode"):
            source.note(f"groups.{name}", "it belongs to another way of signing in than the one in use here")
        elif row["group_type"] == UserGroup.Type.LDAP:
            found[str(row.get("ldap_group_dn", "")).lower()] = {"name": name}
        else:
            found[name] = {}
    return found


def _labels(harbor: Harbor, scope: str) -> dict[str, Any]:
    rows = harbor.listed(f"labels?{scope}&")
    return {str(row["name"]): {key: row.get(key) or "" for key in ("description", "color")} for row in rows}


def _allowlist(row: Row | None) -> dict[str, Any]:
    items = [str(item["cve_id"]) for item in (row or {}).get("items") or []]
    return _filled({"items": items, "expires_at": (row or {}).get("expires_at")}) if items else {}


def _registries(source: Source, rows: Iterable[Row]) -> dict[str, Any]:
    found = {}
    for row in rows:
        name, credential = str(row["name"]), row.get("credential") or {}
        if row["type"] not in ADAPTERS:
            source.note(f"registries.{name}", f"registries of type {row['type']} are not known here")
            continue
        if credential.get("access_secret"):
            source.note(f"registries.{name}", "its secret cannot be read: it counts as unhealthy until it has one")
        shown = ("type", "url", "description", "insecure", "ca_certificate", "timeout", "speed")
        values = {key: row.get(key) for key in shown}
        values |= {"credential_type": credential.get("type"), "access_key": credential.get("access_key")}
        found[name] = _filled(values)
    return found


def _quotas(harbor: Harbor) -> dict[int, int]:
    """Limits in bytes by the project's id."""
    return {int(row["ref"]["id"]): int(row["hard"]["storage"]) for row in harbor.listed("quotas?reference=project&")}


def _replications(source: Source, registries: Mapping[int, Row]) -> dict[str, Any]:
    found = {}
    for row in source.harbor.listed("replication/policies?"):
        name, trigger = str(row["name"]), row.get("trigger") or {}
        ends = {
            end: (row.get(key) or {}).get("id") or 0
            for end, key in (("source", "src_registry"), ("target", "dest_registry"))
        }
        missing = [end for end in ends.values() if end and registries.get(end, {}).get("type") not in ADAPTERS]
        if missing:
            source.note(f"replications.{name}", "its registry is of a type that is not known here")
            continue
        if row.get("enabled"):
            source.note(f"replications.{name}", "it is made disabled: enable it when the other side does it no more")
        found[name] = _filled(
            {
                **{end: str(registries[key]["name"]) if key else "" for end, key in ends.items()},
                "description": row.get("description"),
                "dest_namespace": row.get("dest_namespace"),
                "replace_count": row.get("dest_namespace_replace_count"),
                "filters": [
                    {"type": one.get("type", ""), "value": one.get("value"), "decoration": one.get("decoration", "")}
                    for one in row.get("filters") or []
                ],
                "trigger": trigger.get("type") or "manual",
                "cron": (trigger.get("trigger_settings") or {}).get("cron") or "",
                "replicate_deletion": bool(row.get("replicate_deletion") or row.get("deletion")),
                "override": bool(row.get("override")),
                "speed": row.get("speed") or -1,
                "copy_by_chunk": bool(row.get("copy_by_chunk")),
                "single_active": bool(row.get("single_active_replication")),
                "platforms": row.get("platforms"),
                "window": row.get("window"),
            }
        )
    return found


def _schedules(source: Source) -> dict[str, Any]:
    """When they run; what they are given is as it is usual here, since the parameters are not the same ones."""
    found = {}
    for job, path in JOBS.items():
        schedule = (source.harbor.asked(path) or {}).get("schedule") or {}
        if schedule.get("cron"):
            found[job] = {"cron": str(schedule["cron"])}
    return found


# ---------------------------------------------------------------------- projects
def _project(source: Source, row: Row, registries: Mapping[int, Row], limit: int | None) -> dict[str, Any]:
    name, key, harbor = str(row["name"]), int(row["project_id"]), source.harbor
    proxied = registries.get(row.get("registry_id") or 0)
    given = row.get("metadata") or {}
    values: dict[str, Any] = {
        "public": str(given.get("public", "")).lower() == "true",
        "metadata": _metadata(source, name, given, proxied is not None),
        "proxy_of": str(proxied["name"]) if proxied else "",
        "storage_limit": limit,
        "members": {},
        "labels": _labels(harbor, f"scope=p&project_id={key}"),
        "immutable_rules": [_immutable(rule) for rule in harbor.listed(f"projects/{key}/immutabletagrules?")],
        "retention": _retention(harbor, given.get("retention_id")),
        "webhooks": _webhooks(source, name, key),
        "cve_allowlist": _allowlist(row.get("cve_allowlist")) or None,
    }
    for member in harbor.listed(f"projects/{key}/members?"):
        prefix = "group:" if member.get("entity_type") == "g" else ""
        role = _ROLES.get(member["role_id"])
        if role is None:
            source.note(f"projects.{name}.members.{member['entity_name']}", "its role is not known here")
        else:
            values["members"][f"{prefix}{member['entity_name']}"] = role
    return _filled(values)


def _metadata(source: Source, project: str, given: Row, proxy: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    foreign = metadata.NOT_FOR_PROXY if proxy else metadata.PROXY_ONLY
    for key, value in given.items():
        if key == "public" or key in metadata.SERVER_ONLY or key in foreign or value is None:
            continue
        try:
            found |= metadata.checked({key: str(value)})
        except HarborError as error:
            source.note(f"projects.{project}.metadata.{key}", error.message)
    return found


def _selectors(rows: Any) -> list[dict[str, str]]:
    return [{key: str(row.get(key) or "") for key in ("kind", "decoration", "pattern", "extras")} for row in rows or []]


def _scope(rule: Row) -> dict[str, list[dict[str, str]]]:
    return {"repository": _selectors((rule.get("scope_selectors") or {}).get("repository"))}


def _immutable(rule: Row) -> dict[str, Any]:
    return {
        "disabled": bool(rule.get("disabled")),
        "priority": rule.get("priority") or 0,
        "tag_selectors": _selectors(rule.get("tag_selectors")),
        "scope_selectors": _scope(rule),
    }


def _retention(harbor: Harbor, policy_id: Any) -> dict[str, Any] | None:
    if not policy_id:
        return None
    try:
        policy = harbor.asked(f"retentions/{int(policy_id)}")
    except UnhealthyError as exc:
        if exc.status == 404:  # the project's metadata outlived it
            return None
        raise
    rules = [
        {
            "disabled": bool(rule.get("disabled")),
            "template": rule.get("template") or "",
            "params": rule.get("params") or {},
            "tag_selectors": _selectors(rule.get("tag_selectors")),
            "scope_selectors": _scope(rule),
        }
        for rule in policy.get("rules") or []
    ]
    settings = (policy.get("trigger") or {}).get("settings") or {}
    extras = {key: policy.get(key) or 0 for key in ("keep_newest", "max_delete_percent")}
    return {"cron": str(settings.get("cron") or ""), **extras, "rules": rules}


def _webhooks(source: Source, project: str, key: int) -> dict[str, Any]:
    found = {}
    for row in source.harbor.listed(f"projects/{key}/webhook/policies?"):
        name = str(row["name"])
        where = f"projects.{project}.webhooks.{name}"
        events = [event for event in row.get("event_types") or [] if event in webhooks.EVENT_TYPES]
        targets = [one for one in row.get("targets") or [] if (one.get("type") or "http") in webhooks.FORMATS]
        if len(events) < len(row.get("event_types") or []) or len(targets) < len(row.get("targets") or []):
            source.note(where, "some of its events or targets are of kinds that are not known here")
        if not events or not targets:
            continue
        if row.get("enabled"):
            source.note(where, "it is made disabled: enable it after the move")
        found[name] = {
            "description": row.get("description") or "",
            "enabled": False,
            "event_types": events,
            "targets": [
                {
                    "type": str(target.get("type") or "http"),
                    "address": str(target.get("address") or ""),
                    "auth_header": str(target.get("auth_header") or ""),
                    "skip_cert_verify": bool(target.get("skip_cert_verify")),
                    "payload_format": str(target.get("payload_format") or ""),
                }
                for target in targets
            ],
        }
    return found


# ---------------------------------------------------------------------- robots
def _robot(source: Source, prefix: str, project: str, row: Row) -> tuple[str, dict[str, Any]]:
    """Its name in the document, and nothing where there is nothing it could do here."""
    short = str(row["name"]).removeprefix(prefix).removeprefix(f"{project}+" if project else "")
    name = f"{project}+{short}" if project else short
    permissions: dict[str, list[str]] = {}
    for entry in row.get("permissions") or []:
        system = entry.get("kind") == "system"
        place = SYSTEM_PLACE if system else str(entry.get("namespace") or "")
        for access in entry.get("access") or []:
            permission = f"{access.get('resource')}:{access.get('action')}"
            if permission in (ROBOT_SYSTEM_PERMISSIONS if system else ROBOT_PROJECT_PERMISSIONS):
                permissions.setdefault(place, []).append(permission)
            else:
                source.note(f"robots.{name}", f"{permission} is not known here")
    if not permissions:
        source.note(f"robots.{name}", "nothing it may do there is known here")
        return name, {}
    expired = 0 < (row.get("expires_at") or 0) < time.time()
    if expired:
        source.note(f"robots.{name}", "it has expired there, and is made disabled")
    return name, {
        "description": row.get("description") or "",
        "disabled": bool(row.get("disable")) or expired,
        "duration": row.get("duration") or -1,
        "permissions": permissions,
    }

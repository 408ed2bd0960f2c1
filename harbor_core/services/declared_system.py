"""Sections of the declared configuration that belong to the system: settings, remote registries, replication policies,
schedules."""

from collections.abc import Callable, Mapping
from typing import Any

from auth.actor import Actor
from harbor_core.lib.config_keys import DEFAULTS, EDITABLE, SECRETS, SETTINGS
from harbor_core.lib.errors import HarborError
from harbor_core.lib.wire import Anything, Flag, Items, Nested, Pairs, Reader, Text, Whole
from harbor_core.services import configurations
from harbor_core.services.config import config_get, is_pinned
from harbor_core.services.declared_sections import differs, fields, unknown, without
from jobservice.models import Schedule
from jobservice.services import gc, purge, storage_audit, system_jobs
from jobservice.states import SYSTEM
from projects.services import allowlist
from replication.models import Registry, ReplicationPolicy
from replication.services import choosing, policies, registries

LOCAL = 0
MORE = Nested({"access_key": Text(default=""), "access_secret": Text(required=True)})


class Configuration:
    """Run-time settings by their names; those that CONFIG_OVERWRITE_JSON pins are the operator's."""

    def checked(self, where: str, value: Any) -> Any:
        name = where.partition(".")[2]
        unknown("configuration", [name], EDITABLE)
        return SETTINGS[name].checked(where, value)

    def read(self, names: set[str]) -> dict[str, Any]:
        return {name: config_get(name) for name in names if name not in SECRETS}

    def export(self) -> dict[str, Any]:
        names = [name for name in EDITABLE if name not in SECRETS and not is_pinned(name)]
        values = {name: config_get(name) for name in names}
        return {name: value for name, value in values.items() if value != DEFAULTS[name]}

    def put(self, actor: Actor, name: str, values: Any) -> None:
        configurations.update(actor, {name: values})


class Allowlist:
    """Vulnerabilities that count nowhere: ``items`` and ``expires_at`` (seconds since 1970, null for never)."""

    READERS: Mapping[str, Reader] = {"items": Items(Text()), "expires_at": Whole()}

    def checked(self, where: str, value: Any) -> Any:
        name = where.partition(".")[2]
        unknown("cve_allowlist", [name], self.READERS)
        return None if name == "expires_at" and value is None else self.READERS[name].load(where, value)

    def read(self, names: set[str]) -> dict[str, Any]:
        found = allowlist.get(None)
        current = {"items": list(found.items), "expires_at": found.expires_at}
        return {name: value for name, value in current.items() if name in names}

    def export(self) -> dict[str, Any]:
        return {name: value for name, value in self.read(set(self.READERS)).items() if value not in ([], None)}

    def put(self, actor: Actor, name: str, values: Any) -> None:
        current = self.read(set(self.READERS))
        if current[name] != values:
            wanted = current | {name: values}
            allowlist.set(actor, None, wanted["items"], wanted["expires_at"])


class Registries:
    """``tolerant``: one that does not answer is made all the same, as unhealthy."""

    FIELDS = {
        "type": Text(),
        "url": Text(),
        "description": Text(),
        "insecure": Flag(),
        "ca_certificate": Text(),
        "credential_type": Text(),
        "access_key": Text(),
        "access_secret": Text(),
        "client_certificate": Text(),
        "client_key": Text(),
        "proxy": Text(),
        "more_credentials": Items(MORE),
        "timeout": Whole(),
        "speed": Whole(),
    }
    _SECRETS = ("access_secret", "client_key", "more_credentials")
    _DEFAULTS: Mapping[str, Any] = dict.fromkeys(FIELDS, "") | {
        "insecure": False, "timeout": 0, "speed": 0, "more_credentials": [],
    }  # fmt: skip

    def __init__(self, *, tolerant: bool = False) -> None:
        self._tolerant = tolerant

    def checked(self, where: str, value: Any) -> dict[str, Any]:
        stated = fields(where, value, self.FIELDS)
        if "more_credentials" in stated:
            pairs = [(pair["access_key"], pair["access_secret"]) for pair in stated["more_credentials"]]
            stated["more_credentials"] = pairs
        return stated

    def read(self, names: set[str]) -> dict[str, Any]:
        found = Registry.objects.filter(name__in=names)
        shown = [name for name in self.FIELDS if name not in self._SECRETS]
        return {registry.name: {name: getattr(registry, name) for name in shown} for registry in found}

    def export(self) -> dict[str, Any]:
        every = self.read(set(Registry.objects.order_by("name").values_list("name", flat=True)))
        return {name: without(values, self._DEFAULTS) for name, values in sorted(every.items())}

    def put(self, actor: Actor, name: str, values: dict[str, Any]) -> None:
        registry = Registry.objects.filter(name=name).first()
        if registry is None:
            given = {**self._DEFAULTS, **values, "name": name}
            kind = given.pop("type") or "docker-registry"
            registries.create(actor, kind=kind, values=given, tolerant=self._tolerant)
            return
        if values.get("type", registry.type) != registry.type:
            raise HarborError("BAD_REQUEST", f"it is of type {registry.type}: delete it first")
        current = self.read({name})[name]
        if values.get("proxy") == registry.proxy:  # as it was written out: with the password that is stored
            values = {key: value for key, value in values.items() if key != "proxy"}
        clear = registries.merged(registry, {})
        current |= {name: clear[name] for name in (*self._SECRETS, "proxy")}
        if differs(values, current):
            changes = {key: None for key in self.FIELDS if key != "type"} | {"name": None}
            registries.update(actor, registry.pk, changes | {k: v for k, v in values.items() if k != "type"})


class Replications:
    """``source`` and ``target`` name registries; the one that is not stated is this registry."""

    FIELDS = {
        "description": Text(),
        "source": Text(),
        "target": Text(),
        "dest_namespace": Text(),
        "replace_count": Whole(low=-1, high=127),
        "filters": Items(Nested({"type": Text(default=""), "value": Anything(), "decoration": Text(default="")})),
        "trigger": Text(),
        "cron": Text(),
        "replicate_deletion": Flag(),
        "override": Flag(),
        "enabled": Flag(),
        "speed": Whole(low=-1, high=2**31 - 1),
        "copy_by_chunk": Flag(),
        "single_active": Flag(),
        "platforms": Items(Text()),
        "window": Text(),
    }
    _DEFAULTS: Mapping[str, Any] = {
        "description": "",
        "source": "",
        "target": "",
        "dest_namespace": "",
        "replace_count": -1,
        "filters": [],
        "trigger": "manual",
        "cron": "",
        "replicate_deletion": False,
        "override": False,
        "enabled": False,
        "speed": -1,
        "copy_by_chunk": False,
        "single_active": False,
        "platforms": [],
        "window": "",
    }

    def checked(self, where: str, value: Any) -> dict[str, Any]:
        stated = fields(where, value, self.FIELDS)
        return stated | ({"filters": choosing.checked(stated["filters"])} if "filters" in stated else {})

    def read(self, names: set[str]) -> dict[str, Any]:
        found = ReplicationPolicy.objects.filter(name__in=names).select_related("source", "target")
        return {policy.name: self._shown(policy) for policy in found}

    def _shown(self, policy: ReplicationPolicy) -> dict[str, Any]:
        ends = {"source": policy.source, "target": policy.target}
        values = {name: getattr(policy, name) for name in self.FIELDS if name not in ends}
        values["platforms"] = policy.platform_list
        return values | {name: registry.name if registry else "" for name, registry in ends.items()}

    def export(self) -> dict[str, Any]:
        every = self.read(set(ReplicationPolicy.objects.values_list("name", flat=True)))
        return {name: without(values, self._DEFAULTS) for name, values in sorted(every.items())}

    def put(self, actor: Actor, name: str, values: dict[str, Any]) -> None:
        policy = ReplicationPolicy.objects.filter(name=name).select_related("source", "target").first()
        current = self._shown(policy) if policy else None
        if current is not None and not differs(values, current):
            return
        wanted = {**(current or self._DEFAULTS), **values, "name": name}
        wanted |= {end: _registry_id(wanted[end]) for end in ("source", "target")}
        if policy is None:
            policies.create(actor, wanted)
        else:
            policies.update(actor, policy.pk, wanted)


def _registry_id(name: str) -> int:
    if not name:
        return LOCAL
    found = Registry.objects.filter(name=name).values_list("pk", flat=True).first()
    if found is None:
        raise HarborError("BAD_REQUEST", f"there is no registry {name[:100]}")
    return found


class Schedules:
    """Of the system's jobs: when they run, with which parameters; an empty ``cron``: not by the clock."""

    FIELDS = {"cron": Text(required=True), "parameters": Pairs(Anything())}
    JOBS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
        "GARBAGE_COLLECTION": gc.checked,
        "PURGE_AUDIT_LOG": purge.checked,
        "STORAGE_AUDIT": storage_audit.checked,
    }

    def checked(self, where: str, value: Any) -> dict[str, Any]:
        name = where.partition(".")[2]
        unknown("schedules", [name], self.JOBS)
        stated = fields(where, value, self.FIELDS)
        if "cron" not in stated:
            raise HarborError("BAD_REQUEST", f"{where}.cron is required")
        parameters = self.JOBS[name](stated.get("parameters", {})) if stated["cron"] else {}
        return {"cron": stated["cron"], "parameters": parameters}

    def read(self, names: set[str]) -> dict[str, Any]:
        found = Schedule.objects.filter(vendor_type__in=names & self.JOBS.keys(), vendor_id=SYSTEM)
        return {row.vendor_type: {"cron": row.cron, "parameters": row.parameters} for row in found}

    def export(self) -> dict[str, Any]:
        return dict(sorted(self.read(set(self.JOBS)).items()))

    def put(self, actor: Actor, name: str, values: dict[str, Any]) -> None:
        current = self.read({name}).get(name)
        if not values["cron"]:
            if current:
                system_jobs.set_schedule(actor, name, system_jobs.NONE, "", {})
        elif current != values:
            system_jobs.set_schedule(actor, name, "Custom", values["cron"], values["parameters"])

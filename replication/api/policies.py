"""``/replication/policies``: what is copied from where to where."""

from collections.abc import Mapping
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ID, ApiView
from harbor_core.lib.schema import ANY, CREATED, DONE, FLAG, INT, TEXT, TIME, array, obj
from harbor_core.lib.timefmt import NEVER, rfc3339
from harbor_core.lib.wire import LISTING, Anything, Flag, Items, Nested, Text, Whole, compact
from replication.api.registries import REGISTRY, registry_json
from replication.models import Registry, ReplicationPolicy
from replication.selectors import policies as selectors
from replication.selectors.registries import LOCAL
from replication.services import policies as services

INT32, INT8 = 2**31 - 1, 127
END = Nested({"id": Whole(low=0)})
POLICY = {
    "name": Text(default=""),
    "description": Text(default=""),
    "src_registry": END,
    "dest_registry": END,
    "dest_namespace": Text(default=""),
    "dest_namespace_replace_count": Whole(low=-1, high=INT8),
    "trigger": Nested({"type": Text(default="manual"), "trigger_settings": Nested({"cron": Text(default="")})}),
    "filters": Items(
        Nested({"type": Text(default=""), "value": Anything(), "decoration": Text(default="")}), default=[]
    ),
    "replicate_deletion": Flag(default=False),
    "deletion": Flag(default=False),
    "override": Flag(default=False),
    "enabled": Flag(default=False),
    "speed": Whole(low=-1, high=INT32),
    "copy_by_chunk": Flag(default=False),
    "single_active_replication": Flag(default=False),
    "platforms": Items(
        Text(max_length=100), default=[], about="Of an index only these are copied, such as linux/amd64; none for all."
    ),
    "window": Text(
        default="", about="Hours of UTC in which it copies, such as 22:00-06:00; tasks wait outside of them."
    ),
}
FILTER = obj("ReplicationFilter", {"type": TEXT, "value": ANY, "decoration?": TEXT})
SETTINGS = obj("ReplicationTriggerSettings", {"cron?": TEXT})
TRIGGER = obj("ReplicationTrigger", {"type": TEXT, "trigger_settings?": SETTINGS})
REPLICATION_POLICY = obj(
    "ReplicationPolicy",
    {
        "id": INT,
        "name": TEXT,
        "description?": TEXT,
        "src_registry": REGISTRY,
        "dest_registry": REGISTRY,
        "dest_namespace?": TEXT,
        "dest_namespace_replace_count": INT,
        "trigger": TRIGGER,
        "filters?": array(FILTER),
        "replicate_deletion?": FLAG,
        "deletion?": FLAG,
        "override?": FLAG,
        "enabled?": FLAG,
        "creation_time": TIME,
        "update_time": TIME,
        "speed": INT,
        "copy_by_chunk?": FLAG,
        "single_active_replication?": FLAG,
        "platforms?": array(TEXT),
        "window?": TEXT,
    },
)


def values_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The model's fields from the contract's body."""
    trigger = body["trigger"] or {"type": "manual", "trigger_settings": None}
    count, speed = body["dest_namespace_replace_count"], body["speed"]
    return {
        "name": body["name"].strip(),
        "description": body["description"],
        "source": (body["src_registry"] or {}).get("id") or LOCAL,
        "target": (body["dest_registry"] or {}).get("id") or LOCAL,
        "dest_namespace": body["dest_namespace"],
        "replace_count": -1 if count is None else count,
        "trigger": trigger["type"],
        "cron": (trigger["trigger_settings"] or {}).get("cron", ""),
        "filters": body["filters"],
        "replicate_deletion": body["replicate_deletion"] or body["deletion"],
        "override": body["override"],
        "enabled": body["enabled"],
        "speed": speed or -1,
        "copy_by_chunk": body["copy_by_chunk"],
        "single_active": body["single_active_replication"],
        "platforms": body["platforms"],
        "window": body["window"].strip(),
    }


def _end_json(registry: Registry | None) -> dict[str, Any]:
    if registry is not None:
        return registry_json(registry)
    fields = {"id": LOCAL, "name": "Local", "type": "harbor", "url": "", "status": "healthy"}
    return fields | {"creation_time": NEVER, "update_time": NEVER}


def policy_json(policy: ReplicationPolicy) -> dict[str, Any]:
    """ReplicationPolicy."""
    fields = {
        "id": policy.pk,
        "name": policy.name,
        "description": policy.description,
        "src_registry": _end_json(policy.source),
        "dest_registry": _end_json(policy.target),
        "dest_namespace": policy.dest_namespace,
        "dest_namespace_replace_count": policy.replace_count,
        "trigger": {"type": policy.trigger, "trigger_settings": compact({"cron": policy.cron})},
        "filters": policy.filters,
        "replicate_deletion": policy.replicate_deletion,
        "deletion": policy.replicate_deletion,
        "override": policy.override,
        "enabled": policy.enabled,
        "creation_time": rfc3339(policy.creation_time),
        "update_time": rfc3339(policy.update_time),
        "speed": policy.speed,
        "copy_by_chunk": policy.copy_by_chunk,
        "single_active_replication": policy.single_active,
        "platforms": policy.platform_list,
        "window": policy.window,
    }
    return compact(fields, "dest_namespace_replace_count")


class PolicyList(ApiView):
    permissions = {"GET": "replication-policy:list", "POST": "replication-policy:create"}
    parameters = {"GET": LISTING | {"name": Text(default="")}}
    bodies = {"POST": POLICY}
    answers = {"GET": [REPLICATION_POLICY], "POST": CREATED}
    errors = {"POST": (409,)}

    def get(self, request: Request) -> Response:
        return self.page(selectors.policy_list(self.listing, name=self.params["name"]), policy_json)

    def post(self, request: Request) -> Response:
        return self.created("replication", "policies", services.create(self.actor, values_of(self.body)).pk)


class PolicyItem(ApiView):
    permissions = {
        "GET": "replication-policy:read",
        "PUT": "replication-policy:update",
        "DELETE": "replication-policy:delete",
    }
    paths = {"id": ID}
    bodies = {"PUT": POLICY}
    answers = {"GET": REPLICATION_POLICY, "PUT": DONE, "DELETE": DONE}
    errors = {"PUT": (409,), "DELETE": (412,)}

    def get(self, request: Request, id: int) -> Response:
        return Response(policy_json(selectors.policy_get(id)))

    def put(self, request: Request, id: int) -> Response:
        services.update(self.actor, id, values_of(self.body))
        return self.done()

    def delete(self, request: Request, id: int) -> Response:
        services.delete(self.actor, id)
        return self.done()

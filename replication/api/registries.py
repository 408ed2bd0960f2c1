"""``/registries``: remote registries; ``/replication/adapters``: the kinds there are."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ID, ApiView
from harbor_core.lib.schema import CREATED, DONE, FLAG, INT, TEXT, TIME, array, choice, mapping, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import LISTING, Flag, Items, Nested, Reader, Text, Whole, compact
from replication import ratelimits
from replication.adapters.base import Adapter, Info
from replication.models import Registry
from replication.secrets import MASK, with_password
from replication.selectors import registries as selectors
from replication.services import registries as services

CREDENTIAL = {"type": Text(default=""), "access_key": Text(default=""), "access_secret": Text(default="")}
MORE = Nested({"access_key": Text(default=""), "access_secret": Text(required=True)})
NEW: dict[str, Reader] = {
    "name": Text(default=""),
    "url": Text(default=""),
    "type": Text(default=""),
    "description": Text(default=""),
    "insecure": Flag(default=False),
    "ca_certificate": Text(default=""),
    "credential": Nested(CREDENTIAL),
    "client_certificate": Text(default="", about="PEM, shown to the registry."),
    "client_key": Text(default="", about="Of the certificate: PEM, without a password."),
    "proxy": Text(default="", about="http(s)://[user:password@]host:port that calls go through."),
    "timeout": Whole(default=0, about="Seconds a call may wait; 0 for what is usual."),
    "speed": Whole(default=0, about="KB per second for each worker process; 0 for no limit."),
    "more_credentials": Items(MORE, default=[], about="Used in turn with the first, when the registry limits one."),
}
CONNECTION = {
    "url": Text(),
    "credential_type": Text(),
    "access_key": Text(),
    "access_secret": Text(),
    "insecure": Flag(),
    "ca_certificate": Text(),
    "client_certificate": Text(about="PEM, shown to the registry."),
    "client_key": Text(about="Of the certificate: PEM, without a password."),
    "proxy": Text(about="http(s)://[user:password@]host:port that calls go through."),
    "timeout": Whole(about="Seconds a call may wait; 0 for what is usual."),
    "more_credentials": Items(MORE, about="Used in turn with the first, when the registry limits one."),
}
CHANGES = CONNECTION | {"name": Text(), "description": Text(), "speed": Whole(about=NEW["speed"].about)}

REGISTRY = obj(
    "Registry",
    {
        "id": INT,
        "name": TEXT,
        "url": TEXT,
        "type": TEXT,
        "description?": TEXT,
        "insecure?": FLAG,
        "ca_certificate?": TEXT,
        "client_certificate?": TEXT,
        "client_key?": TEXT,
        "proxy?": TEXT,
        "timeout?": INT,
        "speed?": INT,
        "more_credentials?": array(obj("RegistryFurtherCredential", {"access_key?": TEXT, "access_secret": TEXT})),
        "credential?": obj("RegistryCredential", {"type?": TEXT, "access_key?": TEXT, "access_secret?": TEXT}),
        "status": choice("healthy", "unhealthy"),
        "rate_limit?": obj(
            "RegistryRateLimit",
            {"limit": INT, "remaining": INT, "window": INT, "seen_at": INT},
            "What the registry last said of its limit of requests. window: seconds it is for, 0 where that was not "
            "said; seen_at: seconds since 1970.",
        ),
        "creation_time": TIME,
        "update_time": TIME,
    },
)
REGISTRY_INFO = obj(
    "RegistryInfo",
    {
        "type": TEXT,
        "description?": TEXT,
        "supported_resource_filters": array(
            obj("FilterStyle", {"type": TEXT, "style": TEXT, "values?": array(TEXT)}),
        ),
        "supported_triggers": array(TEXT),
        "supported_copy_by_chunk?": FLAG,
    },
)
ENDPOINT = obj("RegistryEndpoint", {"key": TEXT, "value": TEXT})
PATTERN = obj("RegistryProviderEndpointPattern", {"endpoint_type": TEXT, "endpoints": array(ENDPOINT)})
PROVIDER_INFO = obj("RegistryProviderInfo", {"endpoint_pattern?": PATTERN, "credential_pattern?": mapping(TEXT)})


def registry_json(
    registry: Registry, *, credential: bool = True, limit: ratelimits.RateLimit | None = None
) -> dict[str, Any]:
    """Registry; its secret is masked."""
    shown = {
        "type": registry.credential_type,
        "access_key": registry.access_key,
        "access_secret": MASK if registry.access_secret else "",
    }
    has_any = registry.access_key or registry.access_secret
    fields = {
        "id": registry.pk,
        "name": registry.name,
        "url": registry.url,
        "type": registry.type,
        "description": registry.description,
        "insecure": registry.insecure,
        "ca_certificate": registry.ca_certificate,
        "credential": compact(shown) if credential and has_any else None,
        "status": registry.status,
        "rate_limit": asdict(limit) if limit else None,
        "creation_time": rfc3339(registry.creation_time),
        "update_time": rfc3339(registry.update_time),
    }
    return compact(fields | (_connection_json(registry) if credential else {}), "id")


def _with_limits(registries: Sequence[Registry]) -> list[dict[str, Any]]:
    limits = ratelimits.known(registries)
    return [registry_json(registry, limit=limits.get(registry.pk)) for registry in registries]


def _connection_json(registry: Registry) -> dict[str, Any]:
    """What is no matter of those who only see that a project is a cache of the registry."""
    return {
        "client_certificate": registry.client_certificate,
        "client_key": MASK if registry.client_key else "",
        "proxy": with_password(registry.proxy, MASK if registry.proxy_password else ""),
        "timeout": registry.timeout,
        "speed": registry.speed,
        "more_credentials": [
            compact({"access_key": key, "access_secret": MASK}) for key, _ in registry.more_credentials or []
        ],
    }


def _values(body: Mapping[str, Any]) -> dict[str, Any]:
    """For the service: further credentials are pairs there."""
    more = body["more_credentials"]
    pairs = None if more is None else [(item["access_key"], item["access_secret"]) for item in more]
    return {**body, "more_credentials": pairs}


def info_json(info: Info) -> dict[str, Any]:
    """RegistryInfo."""
    filters = [compact({"type": item.type, "style": item.style, "values": list(item.values)}) for item in info.filters]
    fields = {
        "type": info.type,
        "description": info.description,
        "supported_resource_filters": filters,
        "supported_triggers": list(info.triggers),
        "supported_copy_by_chunk": info.copy_by_chunk,
    }
    return compact(fields)


def provider_json(kind: type[Adapter]) -> dict[str, Any]:
    """RegistryProviderInfo: what a form asks for. Empty where any address and any credentials will do."""
    found: dict[str, Any] = {}
    if kind.endpoints:
        endpoints = [{"key": key, "value": value} for key, value in kind.endpoints.items()]
        style = "EndpointPatternTypeFix" if len(endpoints) == 1 else "EndpointPatternTypeList"
        found["endpoint_pattern"] = {"endpoint_type": style, "endpoints": endpoints}
    if kind.credentials.access_key:
        found["credential_pattern"] = {
            "access_key_type": "AccessKeyTypeFix",
            "access_key_data": kind.credentials.access_key,
            "access_secret_type": "AccessSecretTypeFile"
            if kind.credentials.is_document
            else "AccessSecretTypeStandard",
            "access_secret_data": "",
        }
    return found


class RegistryList(ApiView):
    permissions = {"GET": "registry:list", "POST": "registry:create"}
    parameters = {"GET": LISTING | {"name": Text(default="")}}
    bodies = {"POST": NEW}
    answers = {"GET": [REGISTRY], "POST": CREATED}
    errors = {"POST": (409,)}

    def get(self, request: Request) -> Response:
        found = selectors.registry_list(self.listing, name=self.params["name"])
        return self.rows(_with_limits(found.items), found.total)

    def post(self, request: Request) -> Response:
        values = _values(self.body)
        kind, credential = values.pop("type"), values.pop("credential") or dict.fromkeys(CREDENTIAL, "")
        values["credential_type"] = credential.pop("type")
        return self.created("registries", services.create(self.actor, kind=kind, values=values | credential).pk)


class RegistryItem(ApiView):
    permissions = {"GET": "registry:read", "PUT": "registry:update", "DELETE": "registry:delete"}
    paths = {"id": ID}
    bodies = {"PUT": CHANGES}
    answers = {"GET": REGISTRY, "PUT": DONE, "DELETE": DONE}
    errors = {"PUT": (409,), "DELETE": (412,)}

    def get(self, request: Request, id: int) -> Response:
        return Response(_with_limits([selectors.registry_get(id)])[0])

    def put(self, request: Request, id: int) -> Response:
        services.update(self.actor, id, _values(self.body))
        return self.done()

    def delete(self, request: Request, id: int) -> Response:
        services.delete(self.actor, id)
        return self.done()


class RegistryPing(ApiView):
    """Changes nothing: the answer is whether the registry could be used like this."""

    permissions = {"POST": "registry:read"}
    bodies = {"POST": CONNECTION | {"id": Whole(), "type": Text()}}
    answers = {"POST": DONE}
    errors = {"POST": (404,)}

    def post(self, request: Request) -> Response:
        changes = {name: value for name, value in _values(self.body).items() if name in CONNECTION}
        services.ping(self.body["id"], self.body["type"], changes)
        return self.done()


class RegistryInfo(ApiView):
    permissions = {"GET": "registry:read"}
    paths = {"id": ID}
    answers = {"GET": REGISTRY_INFO}

    def get(self, request: Request, id: int) -> Response:
        return Response(info_json(selectors.registry_info(id)))


class AdapterList(ApiView):
    permissions = {"GET": "replication-adapter:list"}
    answers = {"GET": [TEXT]}

    def get(self, request: Request) -> Response:
        return Response(list(selectors.kinds()))


class AdapterInfos(ApiView):
    permissions = {"GET": "replication-adapter:list"}
    answers = {"GET": mapping(PROVIDER_INFO)}

    def get(self, request: Request) -> Response:
        return Response({name: provider_json(kind) for name, kind in selectors.kinds().items()})

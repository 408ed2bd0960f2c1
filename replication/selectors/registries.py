"""Remote registries as lists show them, and what can be done with them."""

from dataclasses import replace

from django.db.models import QuerySet

from harbor_core.lib.errors import HarborError
from harbor_core.lib.filtering import Field, apply_filter, apply_sort, flag, time, whole
from harbor_core.lib.pagination import Listing, Page, paginate
from projects.models import Label, Project
from replication.adapters import ADAPTERS, adapter, adapter_class, is_allowed
from replication.adapters.base import Adapter, Endpoint, Info
from replication.adapters.harbor import LABELS_MAX, info_with
from replication.models import Registry
from replication.secrets import more_of, unsealed, with_password

LOCAL = 0  # the id this registry has where registries are chosen
FIELDS = {
    "id": Field("id", whole),
    "name": Field("name"),
    "type": Field("type"),
    "url": Field("url"),
    "insecure": Field("insecure", flag),
    "status": Field("status"),
    "description": Field("description"),
    "creation_time": Field("creation_time", time),
    "update_time": Field("update_time", time),
}


def registry_list(listing: Listing, *, name: str = "") -> Page[Registry]:
    """``name`` is a part to look for."""
    registries = Registry.objects.all()
    if name:
        registries = registries.filter(name__icontains=name)
    registries = apply_filter(registries, listing.query, FIELDS)
    return paginate(apply_sort(registries, listing.sort, FIELDS, ["pk"]), listing)


def registries_named(part: str = "") -> QuerySet[Registry]:
    """With this part in their name."""
    return Registry.objects.filter(name__icontains=part) if part else Registry.objects.all()


def proxies_of(registry_id: int) -> QuerySet[Project]:
    """Projects that are a proxy cache of it, by name."""
    return Project.objects.filter(registry_id=registry_id, deleted=False).order_by("name")


def registry_get(registry_id: int) -> Registry:
    """Raises NOT_FOUND."""
    registry = Registry.objects.filter(pk=registry_id).first()
    if registry is None:
        raise HarborError("NOT_FOUND", f"registry {registry_id} not found")
    return registry


def endpoint_of(registry: Registry) -> Endpoint:
    """With its secret in clear. Raises BAD_REQUEST when that cannot be read any more."""
    return Endpoint(
        registry.url,
        registry.access_key,
        unsealed(registry.access_secret),
        registry.insecure,
        registry.ca_certificate,
        registry.client_certificate,
        unsealed(registry.client_key),
        with_password(registry.proxy, unsealed(registry.proxy_password)),
        registry.timeout,
        tuple(more_of(registry.more_credentials)),
    )


def registry_info(registry_id: int) -> Info:
    """What replication can do with a registry, or with this one (LOCAL). Raises NOT_FOUND."""
    if registry_id == LOCAL:
        labels = Label.objects.filter(project=None).order_by("name").values_list("name", flat=True)
        info = info_with(list(labels[:LABELS_MAX]))
        return replace(info, triggers=(*info.triggers, "event_based"))  # only what happens here is noticed
    registry = registry_get(registry_id)
    return adapter(registry.type, endpoint_of(registry)).info()


def kinds() -> dict[str, type[Adapter]]:
    """Every kind of registry that may be used here, by its name."""
    return {kind: adapter_class(kind) for kind in ADAPTERS if is_allowed(kind)}

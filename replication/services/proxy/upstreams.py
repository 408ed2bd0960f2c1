"""What a proxy project stands for, and what the project says about asking it."""

import math
import threading
from dataclasses import dataclass
from datetime import datetime

from harbor_core.lib import patterns
from harbor_core.lib.doublestar import BadPattern
from harbor_core.lib.errors import HarborError
from harbor_core.lib.ttl import TTLCache
from projects.models import Project
from replication.adapters import adapter
from replication.adapters.docker_hub import DockerHub
from replication.adapters.docker_registry import DockerRegistry
from replication.client import Client
from replication.models import Registry
from replication.selectors.registries import endpoint_of

KEPT_SECONDS = 5.0  # settings of a project and its registry count again after that
STALL_SECONDS = 30.0  # clients wait
_upstreams: "TTLCache[Upstream]" = TTLCache(1000)
_clients: dict[int, tuple[datetime, Client]] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Upstream:
    """``freshness``: seconds what was looked at counts as fresh, 0 to ask always, infinite for never. ``speed`` in KB/s
    and ``connections``: nothing above 0 for no limit."""

    project_id: int
    project_name: str
    registry_id: int
    registry_name: str
    client: Client
    is_hub: bool
    freshness: float
    offline: bool
    speed: int
    connections: int
    serves_gone: bool
    has_referrers: bool
    filter_kind: str
    allowed: str
    denied: str

    def remote(self, repository: str) -> str:
        """What a repository of the project is called there."""
        return repository.removeprefix(f"{self.project_name}/")

    def takes(self, repository: str) -> bool:
        """Do the project's patterns let this repository in? While one of them cannot be read, nothing comes in."""
        name = self.remote(repository)
        try:
            allowed = not self.allowed or patterns.matches(self.filter_kind, self.allowed, name)
            return allowed and not (self.denied and patterns.matches(self.filter_kind, self.denied, name))
        except BadPattern:
            return False

    def in_library(self, repository: str) -> str:
        """Docker Hub keeps ``nginx`` under ``library/nginx``: where that is here, empty when it is not meant."""
        name = self.remote(repository)
        return f"{self.project_name}/library/{name}" if self.is_hub and "/" not in name else ""


def upstream_of(project_id: int) -> Upstream:
    """At most KEPT_SECONDS old. Raises UPSTREAM_FAILED when there is none that could be asked."""
    found = _upstreams.get(project_id)
    if found is None:
        found = _read(project_id)
        _upstreams.put(project_id, found, KEPT_SECONDS)
    return found


def _read(project_id: int) -> Upstream:
    project = Project.objects.get(pk=project_id)
    registry = Registry.objects.filter(pk=project.registry_id or 0).first()
    if registry is None:
        raise HarborError("UPSTREAM_FAILED", "the registry this project is a cache of was deleted")
    values = project.metadata
    client = _client(registry)
    return Upstream(
        project.pk,
        project.name,
        registry.pk,
        registry.name,
        client,
        isinstance(client.adapter, DockerHub),
        freshness(values.get("proxy_cache_freshness", "always")),
        values.get("proxy_cache_offline") == "true",
        int(values.get("proxy_speed_kb", "-1")),
        int(values.get("max_upstream_conn", "-1")),
        values.get("proxy_cache_local_on_not_found") != "false",
        values.get("proxy_referrer_api") == "true",
        values.get("proxy_cache_filter_kind", patterns.DOUBLESTAR),
        values.get("proxy_cache_filter_pattern", ""),
        values.get("proxy_cache_deny_pattern", ""),
    )


def freshness(value: str) -> float:
    """Seconds, of a value of the project's metadata."""
    if value == "never":
        return math.inf
    return 0.0 if value == "always" else max(float(value), 0.0)


def _client(registry: Registry) -> Client:
    """One for all threads, so that connections and tokens last; another when the registry was changed."""
    with _lock:
        known = _clients.get(registry.pk)
        if known is not None and known[0] == registry.update_time:
            return known[1]
        found = adapter(registry.type, endpoint_of(registry))
        if not isinstance(found, DockerRegistry):
            raise HarborError("UPSTREAM_FAILED", f"registries of type {registry.type} cannot be proxied")
        client = Client(found, stall=STALL_SECONDS, attempts=1)
        _clients[registry.pk] = (registry.update_time, client)
        return client

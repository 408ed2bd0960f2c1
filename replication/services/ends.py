"""The two ends of a policy: this registry, a remote one, or a repository of charts."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from auth.actor import Actor, Credential, Kind
from harbor_core.lib.errors import HarborError
from replication.adapters import adapter
from replication.adapters.docker_registry import DockerRegistry
from replication.adapters.helm_hub import HelmRepository
from replication.calls import STALL_SECONDS, Sleep
from replication.client import Client
from replication.models import Registry, ReplicationPolicy
from replication.selectors.registries import endpoint_of
from replication.services.charts import Charts
from replication.services.local import Local

Source = Client | Local | Charts
Target = Client | Local


def actor_of(policy: ReplicationPolicy) -> Actor:
    """Who changes made by a policy are put down to. No account can have the name."""
    return Actor(Kind.USER, 0, f"replication${policy.name}", True, Credential.NONE)


@contextmanager
def source_of(policy: ReplicationPolicy, sleep: Sleep = time.sleep, stall: float = 0) -> Iterator[Source]:
    """``stall`` in seconds, 0 for the registry's own limit. Raises HarborError for a kind that nothing can be copied
    from."""
    found: Source = Local(actor_of(policy)) if policy.source is None else _remote(policy.source, sleep, stall)
    try:
        yield found
    finally:
        found.close()


@contextmanager
def target_of(policy: ReplicationPolicy, sleep: Sleep = time.sleep, stall: float = 0) -> Iterator[Target]:
    """As :func:`source_of`."""
    if policy.target is None:
        found: Source = Local(actor_of(policy))
    else:
        found = _remote(policy.target, sleep, stall)
    try:
        if isinstance(found, Charts):
            raise _no_part(found.adapter.kind)
        yield found
    finally:
        found.close()


def _remote(registry: Registry, sleep: Sleep, stall: float) -> Client | Charts:
    found = adapter(registry.type, endpoint_of(registry))
    if isinstance(found, HelmRepository):
        return Charts(found)
    if not isinstance(found, DockerRegistry):
        raise _no_part(registry.type)
    return Client(found, sleep, stall=stall or registry.timeout or STALL_SECONDS)


def _no_part(kind: str) -> HarborError:
    return HarborError("BAD_REQUEST", f"registries of type {kind} take no part in replication")

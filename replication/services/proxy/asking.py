"""Ask the upstream of a proxy project, and say honestly what came of it."""

from collections.abc import Iterator
from contextlib import contextmanager

from harbor_core.lib import waiting
from harbor_core.lib.errors import HarborError
from harbor_core.lib.ttl import TTLCache
from replication.client import Client, RemoteError
from replication.services.proxy.upstreams import Upstream

# One that does not answer is not asked by everybody in turn, each waiting for the time limit.
SILENT_SECONDS, BUSY_SECONDS, BUSY_MAX_SECONDS = 5.0, 5, 60
CROWDED_SECONDS = 5
_refusals: TTLCache[RemoteError] = TTLCache(1000)


class CrowdedError(RemoteError):
    """Upstream was not asked: too many wait for it."""


def turn(upstream: Upstream) -> None:
    """Call before waiting for upstream. Raises CrowdedError, WaitElsewhere."""
    try:
        waiting.begin(upstream.registry_id)
    except waiting.Crowded as exc:
        raise CrowdedError(f"too many clients wait for {upstream.registry_name}", 503, CROWDED_SECONDS) from exc


@contextmanager
def asking(upstream: Upstream) -> Iterator[Client]:
    """Its client. Raises RemoteError, at once while it is known to be away or to be asked too often."""
    known = _refusals.get(upstream.registry_id)
    if known is not None:
        raise RemoteError(str(known), known.status, known.retry_after)
    turn(upstream)
    try:
        yield upstream.client
    except RemoteError as error:
        if error.status == 429:
            seconds = min(error.retry_after or BUSY_SECONDS, BUSY_MAX_SECONDS)
            _refusals.put(upstream.registry_id, error, seconds)
        elif error.status == 0:
            _refusals.put(upstream.registry_id, error, SILENT_SECONDS)
        raise


def explained(error: RemoteError, unknown: str) -> HarborError:
    """For a client: ``unknown`` (a code) only where upstream itself said so."""
    if isinstance(error, CrowdedError):
        return HarborError("SERVICE_UNAVAILABLE", str(error), headers={"Retry-After": str(error.retry_after)})
    if error.status == 404:
        return HarborError(unknown)
    if error.status == 429:
        after = str(error.retry_after or BUSY_MAX_SECONDS)
        return HarborError("TOOMANYREQUESTS", f"upstream is asked too often: {error}", headers={"Retry-After": after})
    return HarborError("UPSTREAM_FAILED", f"upstream failed: {error}")


def garbage(message: str) -> RemoteError:
    """It answered, but not with what was asked for."""
    return RemoteError(f"upstream answers with garbage: {message}"[:500], 200)


def offline(upstream: Upstream) -> HarborError:
    return HarborError(
        "UPSTREAM_FAILED", f"{upstream.project_name} is switched to offline, and this is not in the cache"
    )

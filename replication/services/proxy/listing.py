"""What upstream has besides what is here: names of tags, and what refers to a manifest."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.utils import timezone

from harbor_core.lib import names
from harbor_core.lib.ttl import TTLCache
from replication.client import Client, RemoteError
from replication.services.proxy.asking import asking, explained
from replication.services.proxy.manifests import stale_note
from replication.services.proxy.upstreams import Upstream

T = TypeVar("T")
KEPT_SECONDS = 30.0
TAGS_MAX = 100_000
_tags: TTLCache[list[str]] = TTLCache(50)
_referrers: TTLCache[list[dict[str, Any]]] = TTLCache(1000)


def tags(upstream: Upstream, repository: str) -> tuple[list[str], str]:
    """Names in byte order, at most KEPT_SECONDS old; and a note, with none of them, when upstream cannot be asked."""
    key = (upstream.project_id, repository)
    return _asked(upstream, repository, key, _tags, lambda client: _all_tags(client, upstream, repository))


def _all_tags(client: Client, upstream: Upstream, repository: str) -> list[str]:
    found = set()
    for tag in client.tags(upstream.remote(repository)):
        if names.is_tag(tag):
            found.add(tag)
        if len(found) == TAGS_MAX:
            break
    return sorted(found)


def referrers(upstream: Upstream, repository: str, digest: str) -> tuple[list[dict[str, Any]], str]:
    """Descriptors, as :func:`tags`; none where the project does not ask for them."""
    if not upstream.has_referrers:
        return [], ""

    def ask(client: Client) -> list[dict[str, Any]]:
        rows = client.referrer_rows(upstream.remote(repository), digest)
        return [row for row in rows if _is_descriptor(row)]

    return _asked(upstream, repository, (upstream.project_id, repository, digest), _referrers, ask)


def _is_descriptor(row: dict[str, Any]) -> bool:
    size = row.get("size")
    named = isinstance(row.get("mediaType"), str) and isinstance(row.get("artifactType", ""), str)
    return named and isinstance(size, int) and names.is_digest(str(row.get("digest")))


def _asked(
    upstream: Upstream, repository: str, key: tuple[Any, ...], kept: TTLCache[T], ask: Callable[[Client], T]
) -> tuple[Any, str]:
    if upstream.offline or not upstream.takes(repository):
        return [], ""
    found = kept.get(key)
    if found is not None:
        return found, ""
    try:
        with asking(upstream) as client:
            found = ask(client)
    except RemoteError as error:
        return [], stale_note(timezone.now(), explained(error, "NAME_UNKNOWN"))
    kept.put(key, found, KEPT_SECONDS)
    return found, ""

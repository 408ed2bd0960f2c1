"""Pulls from a proxy project, as far as they concern its upstream."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from harbor_core.lib import metrics
from harbor_core.lib.errors import HarborError
from harbor_core.lib.reply import Reply
from harbor_core.registry.authorize import Caller
from replication.services.proxy import blobs, listing, manifests, storing
from replication.services.proxy.upstreams import upstream_of

NOTE = "X-Harbor-Cache"


@dataclass(frozen=True, slots=True)
class Answer:
    """``reply`` None: the artifact the database has, with these headers; ``changed``: it may be another one now."""

    reply: Reply | None
    headers: dict[str, str] = field(default_factory=dict)
    changed: bool = False


def manifest(caller: Caller, repository: str, reference: str, digest: str, describe: bool, began: datetime) -> Answer:
    """``digest`` of the artifact that the database has under the reference, empty for none, looked up after ``began``;
    ``describe``: a HEAD."""
    upstream = upstream_of(caller.project.project_id)
    library = upstream.in_library(repository)
    if library:
        location = f"/v2/{library}/manifests/{reference}"
        return Answer(Reply(301, headers={"Location": location, "Content-Length": "0"}))
    with _failures_counted("manifest"):
        outcome = manifests.manifest(manifests.Wanted(upstream, repository, reference, digest, describe, began))
    metrics.proxied("manifest", outcome.note.partition(";")[0])
    headers, copy = {NOTE: outcome.note}, outcome.copy
    if copy is None:
        return Answer(None, headers, changed=not digest or outcome.note != manifests.HIT)
    if not describe:
        storing.count_pull(upstream, repository, copy.digest, caller.actor.name)
    headers |= {
        "Docker-Content-Digest": copy.digest,
        "ETag": f'"{copy.digest}"',
        "Content-Type": copy.media_type,
        "Content-Length": str(copy.size),
    }
    return Answer(Reply(200, copy.content, headers))


@contextmanager
def _failures_counted(kind: str) -> Iterator[None]:
    """What the upstream does not have is one thing, that it could not be asked another."""
    try:
        yield
    except HarborError as error:
        metrics.proxied(kind, "unknown" if error.status == 404 else "failed")
        raise


@dataclass(frozen=True, slots=True)
class Listed:
    """What upstream lists, and a note when it could not be asked."""

    names: list[str]
    note: str


def tags(request: HttpRequest, caller: Caller, name: str) -> Listed | HttpResponse:
    """Upstream's tags, or where the client has to look."""
    upstream = upstream_of(caller.project.project_id)
    library = upstream.in_library(name)
    if library:
        query = f"?{request.GET.urlencode()}" if request.GET else ""
        return HttpResponse(status=301, headers={"Location": f"/v2/{library}/tags/list{query}"})
    return Listed(*listing.tags(upstream, name))


def referrers(caller: Caller, name: str, digest: str) -> tuple[list[dict[str, Any]], str]:
    """Descriptors that upstream has, and a note when it could not be asked."""
    return listing.referrers(upstream_of(caller.project.project_id), name, digest)


def blob(request: HttpRequest, caller: Caller, name: str, digest: str) -> HttpResponseBase | None:
    """GET and HEAD of a blob that is not here; None once it is."""
    upstream = upstream_of(caller.project.project_id)
    library = upstream.in_library(name)
    if library:
        return HttpResponse(status=301, headers={"Location": f"/v2/{library}/blobs/{digest}"})
    if request.method == "HEAD":
        size: int | None = blobs.size_of(upstream, name, digest)
        return HttpResponse(headers={"Content-Length": str(size), NOTE: manifests.MISS})
    with _failures_counted("blob"):
        arriving = blobs.fetch(upstream, name, digest)
    metrics.proxied("blob", manifests.HIT if arriving is None else manifests.MISS)
    if arriving is None:
        return None
    response = StreamingHttpResponse(arriving.pieces, headers={NOTE: manifests.MISS})
    if arriving.size is not None:
        response["Content-Length"] = str(arriving.size)
    return response

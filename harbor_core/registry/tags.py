"""List tags (end-8a, end-8b): in byte order, paged by ``n`` and ``last``."""

from bisect import bisect_right
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse

from harbor_core.lib.errors import HarborError
from harbor_core.registry import mirrors, proxied
from harbor_core.registry.authorize import authorize
from harbor_core.registry.base import page_size, single
from projects.models import Repository, Tag


def paged(path: str, key: str, body: dict, values: list[str], size: int) -> JsonResponse:
    """``values`` holds one more than the page when there is a next one; that becomes the Link header."""
    page = values[:size]
    response = JsonResponse(body | {key: page})
    if len(values) > size and page:
        response["Link"] = f'<{path}?{urlencode({"n": size, "last": page[-1]})}>; rel="next"'
    return response


def tags(request: HttpRequest, name: str) -> HttpResponse:
    """200; NAME_UNKNOWN when the repository does not exist. Any ``last`` is valid, it need not be a tag. A proxy
    project lists what its upstream has as well."""
    caller = authorize(request.META, name, "pull")
    size, last = page_size(request.GET), single(request.GET, "last").replace("\0", "")
    upstream = proxied.tags(request, caller, name) if caller.project.proxy else None
    if isinstance(upstream, HttpResponse):
        return upstream
    repository = Repository.objects.filter(name=name).only("pk").first()
    if repository is None and not (upstream and upstream.names):
        raise HarborError("NAME_UNKNOWN", detail=name)
    rows = Tag.objects.filter(repository=repository, name__gt=last).order_by("name")
    values = list(rows.values_list("name", flat=True)[: size + 1]) if size else []
    if upstream is not None and size:
        start = bisect_right(upstream.names, last)
        values = sorted({*values, *upstream.names[start : start + size + 1]})[: size + 1]
    response = paged(f"/v2/{name}/tags/list", "tags", {"name": mirrors.shown(request.META, name)}, values, size)
    if upstream is not None and upstream.note:
        response[proxied.NOTE] = upstream.note
    return response

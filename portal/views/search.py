"""The search of the top bar: a page, and while one types its results below the field."""

from django.http import HttpRequest, HttpResponse

from portal.shortcuts import actor_of, page, respond
from projects.selectors import search as selectors

_QUERY_MAX = 255


@page("GET")
def search(request: HttpRequest) -> HttpResponse:
    """Query: ``q``."""
    text = request.GET.get("q", "").replace("\0", "").strip()[:_QUERY_MAX]
    hits = selectors.search(actor_of(request), text)
    context = {"text": text, "hits": hits, "too_short": 0 < len(text) < selectors.SHORTEST, "limit": selectors.LIMIT}
    return respond(request, "portal/search/page.html", "portal/search/_results.html", context)

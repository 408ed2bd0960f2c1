"""Why a blob is kept: who names it, or since when nobody does."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from harbor_core.lib.errors import HarborError
from portal.administration import administrator, page
from projects.selectors import collection

_QUERY_MAX = 100


@page("GET")
def kept(request: HttpRequest) -> HttpResponse:
    """Query: ``digest``."""
    administrator(request, "garbage-collection:read")
    digest = request.GET.get("digest", "").replace("\0", "").strip()[:_QUERY_MAX]
    found, error = None, ""
    if digest:
        try:
            found = collection.why(digest)
        except HarborError:
            error = _("There is no blob with this digest.")
    context = {
        "title": _("Why is a blob kept?"),
        "above": _("Garbage collection"),
        "back": reverse("portal:gc"),
        "digest": digest,
        "found": found,
        "error": error,
        "shown": collection.SHOWN,
    }
    return render(request, "portal/jobs/kept.html", context)

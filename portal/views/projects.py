from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from portal.listing import Listing
from portal.shortcuts import actor_of, page, project_or_404, respond
from projects.selectors import browsing
from projects.selectors.projects import project_details, statistics
from projects.services.projects import may_create

_ACCESS = {"private": False, "public": True}
_MINE = "mine"


@page("GET")
def project_list(request: HttpRequest) -> HttpResponse:
    """Query: ``q`` (part of a name), ``access`` (private, public, mine), ``sort``, ``page``, ``page_size``."""
    actor = actor_of(request)
    chosen = request.GET.get("access", "")
    chosen = chosen if chosen in _ACCESS or (chosen == _MINE and actor.is_authenticated) else ""
    listing = Listing(
        request,
        sorts={"name": "name", "created": "creation_time", "access": "public"},
        default="name",
        keep={"access": chosen},
    )
    rows = browsing.project_list(actor, name=listing.query, public=_ACCESS.get(chosen), mine=chosen == _MINE)
    projects = listing.fill(rows)
    used = browsing.storage_used(item.pk for item in projects)
    context = {
        "listing": listing,
        "rows": [(item.project, item, used[item.project.pk]) for item in project_details(actor, projects)],
        "tabs": [
            (_("All"), listing.url(access=""), not chosen),
            (_("Public"), listing.url(access="public"), chosen == "public"),
            (_("Private"), listing.url(access="private"), chosen == "private"),
            *([(_("Mine"), listing.url(access=_MINE), chosen == _MINE)] if actor.is_authenticated else []),
        ],
        "may_create": may_create(actor),
        "statistics": statistics(actor),
    }
    return respond(request, "portal/projects/list.html", "portal/projects/_table.html", context)


@page("GET")
def project_home(request: HttpRequest, project: str) -> HttpResponse:
    found = project_or_404(request, project, "project:read")
    return redirect("portal:repositories", found.project.pk)

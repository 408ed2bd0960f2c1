"""The audit log: everything for administrators, for others what happened in projects whose log they may read."""

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from harbor_core.lib import pagination
from harbor_core.selectors.audit import audit_list, audit_rows
from portal import audit_log, system_log
from portal.listing import Listing
from portal.shortcuts import actor_of, page, respond
from portal.system_log import SystemFilter
from portal.views.profile import asked_to_sign_in


@page("GET")
def log_list(request: HttpRequest) -> HttpResponse:
    """Query: the fields of SystemFilter, ``page``, ``page_size``."""
    actor = actor_of(request)
    if not actor.is_authenticated:
        return asked_to_sign_in(request)
    chosen = SystemFilter(request.GET.dict())
    listing = Listing(request, sorts={"time": "op_time"}, default="-time", keep=chosen.chosen)

    def read() -> pagination.Page:
        wanted = pagination.Listing(page=listing.page, size=listing.page_size, query=chosen.query)
        return audit_list(actor, wanted)

    rows = read()
    listing.total = rows.total
    if listing.page > listing.pages:
        listing.page = listing.pages
        rows = read()
    context = {
        "title": _("Logs"),
        "listing": listing,
        "filter": chosen,
        "rows": system_log.described(rows.items),
        "export_url": listing.url(page_size="", sort="").replace(listing.path, reverse("portal:logs-csv"), 1),
    }
    return respond(request, "portal/administration/logs.html", "portal/projects/_logs.html", context)


@page("GET")
def log_export(request: HttpRequest) -> HttpResponse:
    """Every row of the filter as CSV."""
    actor = actor_of(request)
    if not actor.is_authenticated:
        return asked_to_sign_in(request)
    rows = audit_rows(actor, SystemFilter(request.GET.dict()).query)
    return audit_log.export(request, rows, "audit-log")

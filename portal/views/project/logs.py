from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from harbor_core.lib import pagination
from harbor_core.selectors.audit import project_audit_list, project_audit_rows
from portal import audit_log
from portal.audit_log import AuditFilter
from portal.listing import Listing
from portal.project_pages import framed, open_project
from portal.shortcuts import page, respond


@page("GET")
def log_list(request: HttpRequest, project: str) -> HttpResponse:
    """Query: the fields of AuditFilter, ``page``, ``page_size``."""
    found = open_project(request, project, sees="log:list")
    chosen = AuditFilter(request.GET.dict())
    listing = Listing(request, sorts={"time": "op_time"}, default="-time", keep=chosen.chosen)

    def read() -> pagination.Page:
        wanted = pagination.Listing(page=listing.page, size=listing.page_size, query=chosen.query)
        return project_audit_list(found.project.pk, wanted)

    rows = read()
    listing.total = rows.total
    if listing.page > listing.pages:
        listing.page = listing.pages
        rows = read()
    export = reverse("portal:project-logs-csv", args=[found.project.pk])
    context = framed(found) | {
        "listing": listing,
        "filter": chosen,
        "rows": audit_log.described(rows.items),
        "export_url": listing.url(page_size="", sort="").replace(listing.path, export, 1),
    }
    return respond(request, "portal/projects/logs.html", "portal/projects/_logs.html", context)


@page("GET")
def log_export(request: HttpRequest, project: str) -> HttpResponse:
    """Every row of the filter as CSV."""
    found = open_project(request, project, sees="log:list")
    rows = project_audit_rows(found.project.pk, AuditFilter(request.GET.dict()).query)
    return audit_log.export(request, rows, f"{found.project.name}-log")

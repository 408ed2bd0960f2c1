"""What every page of administration begins with: may one see it, and the frame of its lists and forms."""

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from auth.actor import Actor
from portal.forms.submit import STATUS_WRONG
from portal.shortcuts import actor_of, page, respond
from projects import access

__all__ = ["administrator", "form_page", "list_page", "page"]


def administrator(request: HttpRequest, permission: str) -> Actor:
    """Who asks. 404 for everybody who lacks the permission on the system: what one may not see does not exist."""
    actor = actor_of(request)
    if not access.can(actor, permission):
        raise Http404
    return actor


def list_page(request: HttpRequest, table: str, context: Mapping[str, Any]) -> HttpResponse:
    """administration/list.html around the template ``table``, or to htmx the table alone. Context: title, listing,
    rows; about, filter_label, create of (label, url, in the dialog), notice where the page has them."""
    partial = f"portal/administration/{table}.html"
    return respond(request, "portal/administration/list.html", partial, {**context, "table": partial})


def form_page(request: HttpRequest, form: Any, context: Mapping[str, Any], template: str = "form") -> HttpResponse:
    """A form as it was filled in; with an error status where it was refused. Context: title, submit, back (address),
    above (what the page belongs to)."""
    status = STATUS_WRONG if form.errors else 200
    return render(request, f"portal/administration/{template}.html", {"form": form, **context}, status=status)

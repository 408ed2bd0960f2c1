"""Error pages, in the language of who sees them. What is not a page (``/v2``, the APIs) gets the JSON body of its
surface."""

import sys
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from harbor_core.lib.errors import CODES, error_body

_MACHINES = ("/v2", "/api", "/c/", "/service/", "/chartrepo", "/_authz", "/_denied")
_JSON = "application/json; charset=utf-8"


def _texts(status: int) -> tuple[str, str]:
    """Title and what to do next."""
    if status == 404:
        return _("Page not found"), _("It does not exist, or your account may not see it.")
    if status == 403:
        return _("Not allowed"), _("Your account may not do this. Ask an administrator of the project for a role.")
    if status == 405:
        return _("This does not work here"), _("The page cannot be used this way. Go back and try again.")
    if status == 503:
        return _("Not available right now"), _("A part of the registry does not answer. Try again in a moment.")
    if status < 500:
        return _("The request was not understood"), _("Go back and try again.")
    return _("Something went wrong"), _("The error was recorded. Try again; if it stays, tell your administrator.")


def error_page(request: HttpRequest, status: int, *, title: str = "", text: str = "") -> HttpResponse:
    usual_title, usual_text = _texts(status)
    context = {"status": status, "title": title or usual_title, "text": text or usual_text}
    return render(request, "portal/errors/error.html", context, status=status)


def csrf_page(request: HttpRequest, message: str) -> HttpResponse:
    """A form that came without a valid token. ``message`` is the reason in the API's words; people get their own."""
    return error_page(
        request,
        403,
        title=_("This form is no longer valid"),
        text=_("It was open for too long, or cookies are off. Go back, reload the page and try again."),
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(_MACHINES):
        return HttpResponse(error_body("NOT_FOUND", "not found"), status=404, content_type=_JSON)
    return error_page(request, 404)


def denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(_MACHINES):
        return HttpResponse(error_body("FORBIDDEN", "forbidden"), status=403, content_type=_JSON)
    return error_page(request, 403)


def server_error(request: HttpRequest) -> HttpResponse:
    """What nobody caught: 503 when the database does not answer, else 500.

    Nothing that may be broken is used: no session, no database, no context of the other pages.
    """
    status, code = 500, "UNKNOWN"
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):  # called while it is being handled
        status, code = 503, "SERVICE_UNAVAILABLE"
    if request.path.startswith(_MACHINES):
        response = HttpResponse(error_body(code, CODES[code][1]), status=status, content_type=_JSON)
    else:
        title, text = _texts(status)
        context: dict[str, Any] = {"status": status, "title": title, "text": text, "language": get_language()}
        response = render(None, "portal/errors/bare.html", context, status=status)
    if status == 503:
        response["Retry-After"] = "5"
    return response

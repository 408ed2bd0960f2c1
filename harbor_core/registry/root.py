"""``GET /v2/`` (end-1) and whatever is not a route."""

from typing import NoReturn

from django.http import HttpRequest, HttpResponse

from harbor_core.lib.errors import HarborError
from harbor_core.registry.authorize import authenticate
from harbor_core.registry.base import JSON

ALL_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def version(request: HttpRequest) -> HttpResponse:
    """200 for any valid credential, 401 with a challenge otherwise."""
    authenticate(request.META)
    return HttpResponse(b"{}", content_type=JSON)


def unknown(request: HttpRequest) -> NoReturn:
    raise HarborError("NAME_INVALID", "no such route, or a name outside the grammar", status=404)

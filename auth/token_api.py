"""``GET /service/token`` (distribution spec, token authentication)."""

import json

from django.conf import settings
from django.contrib.sessions.backends.cached_db import SessionStore
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from auth import token_service
from auth.actor import ANONYMOUS, Actor
from auth.authentication import session_actor
from auth.credentials import authenticate_header
from harbor_core.lib.errors import HarborError

JSON = "application/json; charset=utf-8"


@csrf_exempt
def token(request: HttpRequest) -> HttpResponse:
    """200 with the token; 400 unknown service or malformed scope; 401 wrong credentials, or anonymous without a scope;
    405 for POST, which makes clients fall back from OAuth2 to GET."""
    try:
        if request.method != "GET":
            raise HarborError("METHOD_NOT_ALLOWED", "tokens are issued to GET requests", headers={"Allow": "GET"})
        if request.GET.get("service") != settings.TOKEN_SERVICE:
            raise HarborError("BAD_REQUEST", f"service must be {settings.TOKEN_SERVICE}")
        scopes = token_service.parse_scopes(request.GET.getlist("scope"))
        actor = _actor(request)
        if not actor.is_authenticated and not scopes:
            raise _challenge("authentication is required")
        body = json.dumps(token_service.issue(actor, scopes))
        response = HttpResponse(body, content_type=JSON)
        response["Cache-Control"] = "no-store"
        return response
    except HarborError as error:
        return HttpResponse(error.body(), status=error.status, content_type=JSON, headers=error.headers)


def _challenge(message: str) -> HarborError:
    return HarborError("UNAUTHORIZED", message, headers={"WWW-Authenticate": 'Basic realm="harbor"'})


def _actor(request: HttpRequest) -> Actor:
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if header:
        actor = authenticate_header(header, request.META.get("HTTP_X_REAL_IP", ""))
        if actor is None:
            raise _challenge("wrong user name, password or secret")
        return actor
    cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if cookie:
        request.session = SessionStore(cookie)  # this chain has no session middleware
        return session_actor(request) or ANONYMOUS
    return ANONYMOUS

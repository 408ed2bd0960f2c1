"""``GET /service/token`` (distribution spec, token authentication)."""

import json
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.cached_db import SessionStore
from django.core.exceptions import TooManyFieldsSent
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, QueryDict
from django.views.decorators.csrf import csrf_exempt

from auth import token_service
from auth.actor import ANONYMOUS, Actor
from auth.authentication import session_actor
from auth.credentials import authenticate_header
from harbor_core.lib.errors import HarborError
from harbor_core.lib.reply import JSON, Reply, error_reply


@csrf_exempt
def token(request: HttpRequest) -> HttpResponse:
    """The same as :func:`answer`, for a server that runs without the fast path (Django's test client, runserver)."""
    reply = answer(request.META)
    return HttpResponse(reply.body, status=reply.status, headers=reply.headers)


def answer(environ: dict[str, Any]) -> Reply:
    """200 with the token; 400 unknown service or malformed scope; 401 wrong credentials, or anonymous without a scope;
    405 for POST, which makes clients fall back from OAuth2 to GET."""
    try:
        if environ["REQUEST_METHOD"] != "GET":
            raise HarborError("METHOD_NOT_ALLOWED", "tokens are issued to GET requests", headers={"Allow": "GET"})
        query = _query(environ)
        if query.get("service") != settings.TOKEN_SERVICE:
            raise HarborError("BAD_REQUEST", f"service must be {settings.TOKEN_SERVICE}")
        scopes = token_service.parse_scopes(query.getlist("scope"))
        actor = _actor(environ)
        if not actor.is_authenticated and not scopes:
            raise _challenge("authentication is required")
        body = json.dumps(token_service.issue(actor, scopes)).encode()
    except HarborError as error:
        return error_reply(error)
    return Reply(200, body, {"Content-Type": JSON, "Content-Length": str(len(body)), "Cache-Control": "no-store"})


def _query(environ: dict[str, Any]) -> QueryDict:
    try:
        return QueryDict(environ.get("QUERY_STRING", "").encode("latin-1"))
    except (TooManyFieldsSent, UnicodeError):
        raise HarborError("BAD_REQUEST", "the query cannot be read") from None


def _challenge(message: str) -> HarborError:
    return HarborError("UNAUTHORIZED", message, headers={"WWW-Authenticate": 'Basic realm="harbor"'})


def _actor(environ: dict[str, Any]) -> Actor:
    header = environ.get("HTTP_AUTHORIZATION", "")
    if header:
        actor = authenticate_header(header, environ.get("HTTP_X_REAL_IP", ""))
        if actor is None:
            raise _challenge("wrong user name, password or secret")
        return actor
    if settings.SESSION_COOKIE_NAME in environ.get("HTTP_COOKIE", ""):
        request = WSGIRequest(environ)
        request.session = SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
        return session_actor(request) or ANONYMOUS
    return ANONYMOUS

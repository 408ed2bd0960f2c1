"""``/service/token``: registry tokens (distribution spec, token authentication).

GET with Basic credentials, a session or nobody; POST exchanges a token of an issuer that a robot trusts (RFC 8693).
"""

import json
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.cached_db import SessionStore
from django.core.exceptions import TooManyFieldsSent
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, QueryDict
from django.views.decorators.csrf import csrf_exempt

from auth import federation, token_service
from auth.actor import ANONYMOUS, Actor
from auth.authentication import session_actor
from auth.credentials import authenticate_header, find_robot
from harbor_core.lib import tracing
from harbor_core.lib.errors import HarborError
from harbor_core.lib.reply import JSON, Reply, error_reply

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_TYPE = "urn:ietf:params:oauth:token-type:"
SUBJECT_TYPES = (f"{_TYPE}jwt", f"{_TYPE}id_token")
ISSUED_TYPE = f"{_TYPE}access_token"
EXCHANGED_SECONDS = 600
FORM = "application/x-www-form-urlencoded"
FORM_MAX_BYTES = 64 * 1024
_READ_FORM = "harbor.form"


@csrf_exempt
def token(request: HttpRequest) -> HttpResponse:
    """The same as :func:`answer`, for a server that runs without the fast path (Django's test client, runserver)."""
    reply = answer(request.META)
    return HttpResponse(reply.body, status=reply.status, headers=reply.headers)


def answer(environ: dict[str, Any]) -> Reply:
    """200 with the token; 400 unknown service or malformed scope; 401 wrong credentials, or anonymous without a scope;
    405 for a POST of any other grant, which makes clients fall back from OAuth2 to GET."""
    # The body can be read once, and this function may be called again when the database connection was stale.
    if environ["REQUEST_METHOD"] == "POST" and _READ_FORM not in environ:
        environ[_READ_FORM] = _form(environ)
    form = environ.get(_READ_FORM)
    if form is not None and form.get("grant_type") == EXCHANGE:
        return _exchanged(form)
    try:
        if environ["REQUEST_METHOD"] != "GET":
            raise HarborError("METHOD_NOT_ALLOWED", "tokens are issued to GET requests", headers={"Allow": "GET"})
        query = _query(environ.get("QUERY_STRING", "").encode("latin-1"))
        scopes = _scopes(query, query.get("mirror", ""))
        actor = _actor(environ)
        tracing.acting(actor)
        if not actor.is_authenticated and not scopes:
            raise _challenge("authentication is required")
        return _reply(token_service.issue(actor, scopes))
    except HarborError as error:
        return error_reply(error)


def _reply(document: dict[str, Any], status: int = 200, **headers: str) -> Reply:
    body = json.dumps(document).encode()
    fixed = {"Content-Type": JSON, "Content-Length": str(len(body)), "Cache-Control": "no-store"}
    return Reply(status, body, fixed | headers)


def _query(text: bytes) -> QueryDict:
    try:
        return QueryDict(text)
    except (TooManyFieldsSent, UnicodeError):
        raise HarborError("BAD_REQUEST", "the query cannot be read") from None


def _scopes(query: QueryDict, mirror: str = "") -> list[token_service.Scope]:
    """``mirror``: the project that the names of repositories leave out (harbor_core.registry.mirrors)."""
    if query.get("service") != settings.TOKEN_SERVICE:
        raise HarborError("BAD_REQUEST", f"service must be {settings.TOKEN_SERVICE}")
    return token_service.parse_scopes(query.getlist("scope"), mirror)


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


# ---------------------------------------------------------------------- token exchange


def _form(environ: dict[str, Any]) -> QueryDict | None:
    """The form of a POST; None when it is none, or too long for one."""
    length = environ.get("CONTENT_LENGTH") or ""
    media_type = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if media_type != FORM or not length.isascii() or not length.isdigit() or int(length[:9]) > FORM_MAX_BYTES:
        return None
    try:
        return _query(environ["wsgi.input"].read(int(length)))
    except HarborError:
        return None


def _exchanged(form: QueryDict) -> Reply:
    """RFC 8693, section 2.2: the registry token of the robot that trusts ``subject_token``; ``account`` names it, which
    is needed where several do. Errors carry OAuth's fields beside ours."""
    try:
        scopes = _scopes(form)
        if form.get("subject_token_type") not in SUBJECT_TYPES:
            raise HarborError("BAD_REQUEST", f"subject_token_type must be one of {', '.join(SUBJECT_TYPES)}")
        if form.get("requested_token_type", ISSUED_TYPE) != ISSUED_TYPE or "actor_token" in form:
            raise HarborError("BAD_REQUEST", f"only tokens of type {ISSUED_TYPE} are issued, and none for an actor")
        actor = _trusting_robot(form.get("subject_token", ""), form.get("account", ""))
        issued = token_service.issue(actor, scopes, EXCHANGED_SECONDS)
        return _reply(issued | {"issued_token_type": ISSUED_TYPE, "token_type": "Bearer"})
    except HarborError as error:
        kind = "invalid_request" if error.status < 500 else "temporarily_unavailable"
        document = json.loads(error.body()) | {"error": kind, "error_description": error.message}
        return _reply(document, error.status, **error.headers)


def _trusting_robot(subject_token: str, account: str) -> Actor:
    """Raises BAD_REQUEST (as RFC 8693 wants it for a token that is not accepted) or SERVICE_UNAVAILABLE."""
    try:
        if not account:
            return federation.robot_of(subject_token)
        robot = find_robot(account) if "\0" not in account else None
        if robot is None:
            raise federation.UntrustedError(federation.NOT_TRUSTED)
        return federation.actor_of(robot, subject_token)
    except federation.UntrustedError as exc:
        raise HarborError("BAD_REQUEST", str(exc)) from exc

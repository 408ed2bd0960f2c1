"""``/c/login``, ``/c/log_out``, ``/c/userExists``: the session of browsers and of scripts that keep the cookie."""

from collections.abc import Callable
from functools import wraps

from django.contrib.auth import login as session_login
from django.contrib.auth import logout as session_logout
from django.http import HttpRequest, HttpResponse, JsonResponse

from auth.actor import ANONYMOUS, Actor, Credential, Kind
from auth.authentication import request_actor, session_actor
from auth.credentials import sign_in
from auth.selectors import users
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from harbor_core.services.config import config_get, session_seconds

JSON = "application/json; charset=utf-8"
NAME_MAX = 255
View = Callable[[HttpRequest], HttpResponse]


def start_session(request: HttpRequest, username: str, password: str) -> None:
    """Sign in and start a session of ``session_timeout`` minutes; success and failure are on record.

    Raises UNAUTHORIZED, or TOOMANYREQUESTS while the account has to wait (that is not recorded each time).
    """
    try:
        user = sign_in(username, password, request.META.get("HTTP_X_REAL_IP", ""))
    except HarborError as error:
        if error.code == "UNAUTHORIZED":
            _record("login", username[:NAME_MAX], result=False)
        raise
    session_login(request, user, backend="auth.backends.local.LocalBackend")
    request.session.set_expiry(session_seconds())
    _record("login", user.username)


def end_session(request: HttpRequest) -> None:
    """Sign out; on record if anybody was signed in."""
    actor = session_actor(request)
    session_logout(request)
    if actor is not None:
        _record("logout", actor.name)


def _record(operation: str, username: str, *, result: bool = True) -> None:
    """About oneself: the name is the one that was given, whether it exists or not."""
    actor = Actor(Kind.USER, 0, username, False, Credential.SESSION)
    audit.record(actor, operation, "user", username, description=f"{operation} user {username}", result=result)


def _route(method: str) -> Callable[[View], View]:
    """One method, and failures as JSON."""

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapped(request: HttpRequest) -> HttpResponse:
            try:
                if request.method != method:
                    raise HarborError("METHOD_NOT_ALLOWED", headers={"Allow": method})
                return view(request)
            except HarborError as error:
                return HttpResponse(error.body(), status=error.status, content_type=JSON, headers=error.headers)

        return wrapped

    return decorate


@_route("POST")
def login(request: HttpRequest) -> HttpResponse:
    """Form ``principal``, ``password``: 200 and the ``sid`` cookie, 401, or 429 while the account has to wait."""
    start_session(request, request.POST.get("principal", ""), request.POST.get("password", ""))
    return HttpResponse()


@_route("GET")
def log_out(request: HttpRequest) -> HttpResponse:
    """Ends the session, 200."""
    end_session(request)
    return HttpResponse()


@_route("POST")
def user_exists(request: HttpRequest) -> HttpResponse:
    """Form ``target`` (``username`` or ``email``), ``value``: is it taken? For those who can make an account: 412 for
    others, so that nobody else learns who has one."""
    actor = request_actor(request) or ANONYMOUS
    if not config_get("self_registration") and not actor.is_sysadmin:
        raise HarborError("PRECONDITION", "self-registration is disabled")
    target, value = request.POST.get("target", ""), request.POST.get("value", "")
    if target not in ("username", "email"):
        raise HarborError("BAD_REQUEST", "target must be username or email")
    if "\0" in value:
        raise HarborError("BAD_REQUEST", "value holds a NUL character")
    return JsonResponse(users.is_taken(target, value), safe=False)

"""``/c/login`` and ``/c/log_out``: the session of browsers and of scripts that keep the cookie."""

from django.contrib.auth import login as session_login
from django.contrib.auth import logout as session_logout
from django.http import HttpRequest, HttpResponse

from auth.credentials import sign_in
from harbor_core.lib.errors import HarborError
from harbor_core.services.config import config_get

JSON = "application/json; charset=utf-8"


def start_session(request: HttpRequest, username: str, password: str) -> None:
    """Sign in and start a session of ``session_timeout`` minutes. Raises UNAUTHORIZED or TOOMANYREQUESTS."""
    user = sign_in(username, password, request.META.get("HTTP_X_REAL_IP", ""))
    session_login(request, user, backend="auth.backends.local.LocalBackend")
    request.session.set_expiry(int(config_get("session_timeout")) * 60)


def login(request: HttpRequest) -> HttpResponse:
    """POST form ``principal``, ``password``: 200 and the ``sid`` cookie, 401, or 429 while the account has to wait."""
    try:
        if request.method != "POST":
            raise HarborError("METHOD_NOT_ALLOWED", headers={"Allow": "POST"})
        start_session(request, request.POST.get("principal", ""), request.POST.get("password", ""))
    except HarborError as error:
        return HttpResponse(error.body(), status=error.status, content_type=JSON, headers=error.headers)
    return HttpResponse()


def log_out(request: HttpRequest) -> HttpResponse:
    """GET: ends the session, 200."""
    session_logout(request)
    return HttpResponse()

"""Middleware of both chains (settings.MIDDLEWARE, settings.LEAN_MIDDLEWARE)."""

import re
import time
from collections.abc import Callable
from urllib.parse import unquote

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware, get_token

from harbor_core.lib import logs, tracing
from harbor_core.lib.errors import error_body
from harbor_core.services.config import session_seconds

JSON = "application/json; charset=utf-8"
Handler = Callable[[HttpRequest], HttpResponse]
CSRF_RESPONSE_HEADER = "X-Harbor-CSRF-Token"
_CSRF_EXEMPT_WITHOUT_SESSION = ("/api/", "/service/")


def request_id(get_response: Handler) -> Handler:
    """Echo a client's X-Request-Id, or make one; log lines carry it. Audit rows carry the client's address."""

    def middleware(request: HttpRequest) -> HttpResponse:
        identifier = logs.identifier(request.headers.get("X-Request-Id", ""))
        token = logs.request_id.set(identifier)
        address = logs.client_address.set(request.META.get("HTTP_X_REAL_IP", ""))
        try:
            response = get_response(request)
        finally:
            logs.request_id.reset(token)
            logs.client_address.reset(address)
        response["X-Request-Id"] = identifier
        return response

    return middleware


_PARAMETER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")


def named_trace(get_response: Handler) -> Handler:
    """Where traces are wanted: the request's span is named for its route."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.resolver_match is not None:
            tracing.named(request.method or "", "/" + _PARAMETER.sub(r"{\1}", request.resolver_match.route))
        return response

    return middleware


_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def security_headers(get_response: Handler) -> Handler:
    """What browsers need to be told; nothing is loaded from anywhere else and nothing runs inline."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", _CSP)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("X-Frame-Options", "DENY")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        if settings.EXTERNAL_URL.startswith("https://"):
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        return response

    return middleware


_UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
_BOUNDED = ("/api/", "/c/")


def body_limit(get_response: Handler) -> Handler:
    """A body of more than DATA_UPLOAD_MAX_MEMORY_SIZE bytes is refused before anything reads it (contract 2.2)."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method in _UNSAFE and request.path.startswith(_BOUNDED):
            length = request.META.get("CONTENT_LENGTH") or "0"
            if length.isdigit() and int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
                code, message = "REQUEST_ENTITY_TOO_LARGE", "the body is larger than 4 MiB"
                return HttpResponse(error_body(code, message), status=413, content_type=JSON)
        return get_response(request)

    return middleware


_SLASHES = re.compile(r"/{2,}")


def api_path(get_response: Handler) -> Handler:
    """Paths of the REST API (contract 2.4): duplicate and trailing slashes do not matter, and a slash that the client
    encoded belongs to the name it stands in, whether it was encoded once or twice.

    Routes therefore see ``%2F`` in such a name; views decode it (harbor_core.api.base.decoded).
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/api/"):
            raw = request.META.get("RAW_URI", "").partition("?")[0]
            path = request.path_info
            if "%2f" in raw.lower():
                path = "/".join(unquote(part).replace("/", "%2F") for part in raw.split("/"))
            request.path_info = _SLASHES.sub("/", path).rstrip("/")
        return get_response(request)

    return middleware


RENEWAL_MARK = "renewed"
RENEWAL_SHARE = 20  # a session is written again when this share (1/n) of its life has passed


def session_renewal(get_response: Handler) -> Handler:
    """A session ends ``session_timeout`` minutes after its last use, not after sign-in. Requests that say so
    (X-Harbor-No-Session-Renewal: a page polling by itself) do not count as use."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        session = getattr(request, "session", None)
        if session is None or not session.accessed or SESSION_KEY not in session:
            return response
        if request.headers.get("X-Harbor-No-Session-Renewal", "").lower() not in ("", "false"):
            return response
        life = session_seconds()
        changed = session.get_expiry_age() != life  # the setting, since the session was written
        if changed or time.time() - session.get(RENEWAL_MARK, 0) > life / RENEWAL_SHARE:
            session[RENEWAL_MARK] = int(time.time())
            session.set_expiry(life)
        return response

    return middleware


class CsrfMiddleware(CsrfViewMiddleware):
    """Django's CSRF check with the contract's scope: API calls are checked only when they carry a session cookie
    (a browser would send it by itself); ``/c/*`` and the portal always. Answers carry the masked token in a header, so
    that an API client with a session can read it and retry."""

    def process_view(self, request, callback, callback_args, callback_kwargs):
        if self._exempt(request):
            return None
        return super().process_view(request, callback, callback_args, callback_kwargs)

    def process_response(self, request, response):
        if request.path.startswith(("/api/", "/c/")) and not self._exempt(request):
            response[CSRF_RESPONSE_HEADER] = get_token(request)
        return super().process_response(request, response)

    @staticmethod
    def _exempt(request: HttpRequest) -> bool:
        without_session = settings.SESSION_COOKIE_NAME not in request.COOKIES
        return without_session and request.path.startswith(_CSRF_EXEMPT_WITHOUT_SESSION)

    def _check_referer(self, request):
        """API clients send no Referer; the masked token and the SameSite=Strict cookie carry the proof."""


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    message = _csrf_message(request, reason)
    if request.path.startswith(("/api/", "/c/", "/service/")):
        return HttpResponse(error_body("FORBIDDEN", message), status=403, content_type=JSON)
    from portal.views.errors import csrf_page

    return csrf_page(request, message)


def _csrf_message(request: HttpRequest, reason: str) -> str:
    """The contract's words, and what to change where the browser's address is the trouble."""
    if reason.startswith("Origin"):
        return "the page that sent this request is not at an address of this registry (HARBOR_PUBLIC_URLS)"
    given = CSRF_RESPONSE_HEADER in request.headers or "POST" in reason
    return "CSRF token invalid" if given else "CSRF token not found in request"

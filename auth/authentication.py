"""Authenticators: from a request of the REST API or the portal to an Actor."""

from django.contrib.auth import get_user
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from auth.actor import ANONYMOUS, Actor, Credential, Kind
from auth.credentials import authenticate_header
from harbor_core.lib import tracing


def session_actor(request: HttpRequest) -> Actor | None:
    """The signed-in user of the session; None when there is none or the password changed since. The account's row stays
    with the request (``session_user``) for pages that show more of it."""
    if not hasattr(request, "session"):  # a request that brought none runs without session middleware
        return None
    user = get_user(request)
    if not user.is_authenticated:
        return None
    request.session_user = user  # type: ignore[attr-defined]  # ours
    return Actor(Kind.USER, user.pk, user.get_username(), user.sysadmin_flag, Credential.SESSION)


def request_actor(request: HttpRequest) -> Actor:
    """Authorization header first, then the session. Wrong credentials count as none (contract 2.2): what is public
    stays readable, what is not answers 401."""
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if header:
        actor = authenticate_header(header, request.META.get("HTTP_X_REAL_IP", "")) or ANONYMOUS
    else:
        actor = session_actor(request) or ANONYMOUS
    tracing.acting(actor)
    return actor


class ActorAuthentication(BaseAuthentication):
    """``request.user`` is always an Actor."""

    def authenticate(self, request: Request) -> tuple[Actor, None]:
        return request_actor(request._request), None

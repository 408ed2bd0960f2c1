"""A form that was sent after the session had ended: what was typed is kept while one signs in again.

It travels signed in the sign-in form, without passwords and secrets, and comes back as a form that has to be sent once
more: nothing happens without another click.
"""

from typing import Any

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.forms.account import SignInForm

KEPT_SECONDS = 3600
KEPT_MAX = 200_000  # characters; what is longer has to be typed again
_SALT = "portal.resume"
_NEVER_KEPT = ("password", "secret", "csrfmiddlewaretoken")  # parts of names


def ask_again(request: HttpRequest) -> HttpResponse:
    """The sign-in form instead of the answer to this POST; as a page or in the dialog."""
    context = {"form": SignInForm(), "kept": _keep(request), "next": "", "session_ended": True}
    return render(request, "portal/account/sign_in_again.html", context, status=401)


def _keep(request: HttpRequest) -> str:
    fields = [(name, value) for name, values in request.POST.lists() if not _is_secret(name) for value in values]
    kept = signing.dumps({"path": request.get_full_path(), "fields": fields}, salt=_SALT, compress=True)
    return kept if len(kept) <= KEPT_MAX else ""


def _is_secret(name: str) -> bool:
    return name in ("old", "new", "again") or any(part in name.lower() for part in _NEVER_KEPT)


def kept_form(kept: str) -> dict[str, Any] | None:
    """``path`` and ``fields`` of what :func:`ask_again` kept; None when it is too old or not ours."""
    try:
        return signing.loads(kept, salt=_SALT, max_age=KEPT_SECONDS) if kept else None
    except signing.BadSignature:
        return None

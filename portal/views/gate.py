"""Before one is signed in: making an account, the picture of the sign-in page."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from auth.services import users
from auth.session_api import start_session
from harbor_core.lib.errors import HarborError
from harbor_core.services.config import config_get
from portal.forms.profile import SignUpForm
from portal.shortcuts import actor_of, page

_PICTURES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}


@page("GET", "POST", works_read_only=True, anonymous=True)
def sign_up(request: HttpRequest) -> HttpResponse:
    """Where an administrator allowed it, 404 elsewhere."""
    actor = actor_of(request)
    if actor.is_authenticated:
        return redirect("portal:projects")
    if config_get("auth_mode") != "db_auth" or not users.may_register(actor, from_browser=True):
        raise Http404
    form = SignUpForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and _register(request, form):
        messages.success(request, _("Your account was made. Welcome!"))
        return redirect("portal:projects")
    return render(request, "portal/account/sign_up.html", {"form": form}, status=400 if form.is_bound else 200)


def _register(request: HttpRequest, form: SignUpForm) -> bool:
    """Make the account and sign in; False with the reason in the form."""
    given: dict[str, Any] = {name: value for name, value in form.cleaned_data.items() if name != "again"}
    try:
        users.create(actor_of(request), **given)
        start_session(request, given["username"], given["password"])
    except HarborError as error:
        if error.code not in ("CONFLICT", "FORBIDDEN"):
            raise
        form.add_error("username", _("Somebody has this name already."))
        return False
    return True


@page("GET", anonymous=True)
def background(request: HttpRequest) -> HttpResponse:
    path = Path(settings.PORTAL_BACKGROUND)
    kind = _PICTURES.get(path.suffix.lower())
    if not settings.PORTAL_BACKGROUND or kind is None or not path.is_file():
        raise Http404
    return HttpResponse(path.read_bytes(), content_type=kind)

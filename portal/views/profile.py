"""One's own account, and what this registry is."""

from urllib.parse import quote

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.translation import gettext as _

from auth.actor import Actor
from auth.models import ADMIN_ID
from auth.selectors.users import user_get
from auth.services import users
from harbor_core.lib.errors import HarborError
from harbor_core.services.config import config_get
from portal.forms.profile import ProfileForm
from portal.shortcuts import actor_of, page


def asked_to_sign_in(request: HttpRequest) -> HttpResponse:
    return redirect(f"{resolve_url('portal:sign-in')}?next={quote(request.get_full_path())}")


@page("GET", "POST")
def profile(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    if actor.user_id is None:
        return asked_to_sign_in(request)
    user = user_get(actor.id)
    initial = {"realname": user.realname, "email": user.email or "", "comment": user.comment}
    form = ProfileForm(request.POST if request.method == "POST" else None, initial=initial)
    managed_elsewhere = config_get("auth_mode") != "db_auth" and user.pk != ADMIN_ID
    if managed_elsewhere:
        for field in form.fields.values():
            field.disabled = True
    elif request.method == "POST" and _save(actor, form):
        messages.success(request, _("Your profile was saved."))
        return redirect("portal:profile")
    context = {"form": form, "account": user, "managed_elsewhere": managed_elsewhere}
    return render(request, "portal/account/profile.html", context, status=400 if form.is_bound else 200)


def _save(actor: Actor, form: ProfileForm) -> bool:
    """False with the reason in the form."""
    if not form.is_valid():
        return False
    try:
        users.update_profile(actor, actor.id, **form.cleaned_data)
    except HarborError as error:
        if error.code != "CONFLICT":
            raise
        form.add_error("email", _("Another account has this address."))
        return False
    return True


@page("GET")
def about(request: HttpRequest) -> HttpResponse:
    """What runs here: a dialog, or a page."""
    return render(request, "portal/account/about.html")

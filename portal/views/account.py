"""Signing in and out, and what a person chose for the portal."""

from typing import Any
from urllib.parse import quote

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.utils.translation import gettext as _

from auth.actor import Actor
from auth.services import users
from auth.session_api import end_session, start_session
from harbor_core.lib.errors import HarborError
from portal import preferences
from portal.forms.account import PasswordForm, SignInForm
from portal.resume import kept_form
from portal.shortcuts import actor_of, page, safe_next


@page("GET", "POST", works_read_only=True, anonymous=True)
def sign_in(request: HttpRequest) -> HttpResponse:
    """A form; afterwards to ``next``. Wrong credentials answer 401, too many tries 429 with Retry-After, both with the
    form as it was filled in."""
    target = safe_next(request.POST.get("next") or request.GET.get("next") or "")
    if actor_of(request).is_authenticated:
        return redirect(target or "portal:projects")
    form = SignInForm(request.POST if request.method == "POST" else None)
    refused = None
    if request.method == "POST":
        refused = _start(request, form)
        if refused is None:
            return _go_on(request, target)
    status = refused.status if refused else 200
    context = {"form": form, "next": target, "kept": request.POST.get("kept", "")}
    response = render(request, "portal/account/sign_in.html", context, status=status)
    for name, value in (refused.headers if refused else {}).items():
        response[name] = value
    return response


def _go_on(request: HttpRequest, target: str) -> HttpResponse:
    """To where one was; to the form one had sent when the session was over, if there is one."""
    kept = kept_form(request.POST.get("kept", ""))
    if kept is not None:
        # A new request's worth of context: whoever signed in is known from here on.
        del request.portal_actor  # type: ignore[attr-defined]  # ours
        return render(request, "portal/account/resume.html", {"path": kept["path"], "fields": kept["fields"]})
    return HttpResponseRedirect(target or resolve_url("portal:projects"))


def _start(request: HttpRequest, form: SignInForm) -> HarborError | None:
    """Start the session, or say in the form why not."""
    if not form.is_valid():
        return HarborError("BAD_REQUEST")
    try:
        start_session(request, form.cleaned_data["username"], form.cleaned_data["password"])
    except HarborError as error:
        form.add_error(None, _refusal(error))
        return error
    return None


def _refusal(error: HarborError) -> str:
    if error.code == "TOOMANYREQUESTS":
        seconds = error.headers.get("Retry-After", "60")
        return _("Too many failed attempts. Try again in %(seconds)s s.") % {"seconds": seconds}
    if error.code == "UNAUTHORIZED":
        return _("User name or password is wrong.")
    raise error


@page("POST", works_read_only=True, anonymous=True)
def sign_out(request: HttpRequest) -> HttpResponse:
    end_session(request)
    return redirect("portal:sign-in")


@page("GET", "POST")
def change_password(request: HttpRequest) -> HttpResponse:
    """One's own password; this session goes on, every other one of the account ends."""
    actor = actor_of(request)
    # request.user is read here, not after the change: by then this session's proof is that of the old password.
    if actor.user_id is None or not request.user.is_authenticated:
        return redirect(f"{resolve_url('portal:sign-in')}?next={quote(request.get_full_path())}")
    form = PasswordForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        error = _change(request, actor, form)
        if error is None:
            messages.success(request, _("Your password was changed."))
            return redirect("portal:projects")
        status = error.status
    return render(request, "portal/account/password.html", {"form": form}, status=status)


def _change(request: HttpRequest, actor: Actor, form: PasswordForm) -> HarborError | None:
    """Change it, or say in the form why not."""
    if not form.is_valid():
        return HarborError("BAD_REQUEST")
    old, new = form.cleaned_data["old"], form.cleaned_data["new"]
    try:
        user = users.change_password(actor, actor.id, new=new, old=old, address=request.META.get("HTTP_X_REAL_IP", ""))
    except HarborError as error:
        if error.code == "FORBIDDEN":
            form.add_error("old", _("This is not your current password."))
        else:
            form.add_error(None, _refusal(error))
        return error
    update_session_auth_hash(request, user)
    return None


@page("POST", works_read_only=True, anonymous=True)
def set_preferences(request: HttpRequest) -> HttpResponse:
    """Remember theme, language, dates, runtime, or a table's columns (``table``, ``columns``), and back to where one
    was."""
    response = HttpResponseRedirect(safe_next(request.POST.get("next", "")) or resolve_url("portal:home"))
    given: dict[str, Any] = request.POST.dict()
    table = given.pop("table", "")
    given["columns"] = {table: request.POST.getlist("columns")} if table else {}
    preferences.store(request, response, given)
    return response

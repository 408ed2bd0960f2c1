"""One's own personal tokens: look, create, revoke."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils.translation import gettext as _

from auth.actor import Actor
from auth.models import PersonalToken
from auth.selectors import tokens as selectors
from auth.services import tokens
from harbor_core.lib.errors import HarborError
from portal import commands, preferences, token_rows
from portal.forms.tokens import TokenForm
from portal.isolation import named
from portal.reasons import said
from portal.shortcuts import Confirmation, actor_of, confirm, confirmed, page, registry_for, respond
from portal.views.profile import asked_to_sign_in


@page("GET")
def token_list(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    if actor.user_id is None:
        return asked_to_sign_in(request)
    context = token_rows.table(request, actor.user_id, lambda pk: reverse("portal:token-revoke", args=[pk]))
    return respond(request, "portal/account/tokens.html", "portal/account/_tokens.html", context)


@page("GET", "POST")
def token_create(request: HttpRequest) -> HttpResponse:
    """The secret is in the answer to the form and nowhere else."""
    actor = actor_of(request)
    if actor.user_id is None:
        return asked_to_sign_in(request)
    form = TokenForm(actor, request.POST if request.method == "POST" else None)
    made = _create(actor, form) if request.method == "POST" else None
    if made is None:
        status = 400 if form.is_bound else 200
        return render(request, "portal/account/token_new.html", {"form": form}, status=status)
    token, secret = made
    runtime = preferences.read(request).runtime
    login = commands.login(registry_for(request), runtime, actor.name, secret)
    context = {"token": token, "secret": secret, "login": login}
    response = render(request, "portal/account/token_made.html", context, status=201)
    response["Cache-Control"] = "no-store"
    return response


def _create(actor: Actor, form: TokenForm) -> tuple[PersonalToken, str] | None:
    """None with the reason in the form."""
    if not form.is_valid():
        return None
    given = form.cleaned_data
    try:
        return tokens.create(
            actor,
            name=given["name"],
            scopes=given["scopes"],
            projects=given["projects"],
            expires_at=form.expires_at,
        )
    except HarborError as error:
        if error.code == "CONFLICT":
            form.add_error("name", _("You have a token of this name already."))
        elif error.code == "BAD_REQUEST":
            form.add_error(None, _("This is not possible: %(reason)s.") % {"reason": said(error.message)})
        else:
            raise
    return None


@page("GET", "POST")
def token_revoke(request: HttpRequest, token: int) -> HttpResponse:
    actor = actor_of(request)
    if actor.user_id is None:
        return asked_to_sign_in(request)
    try:
        found = selectors.token_get(actor.id, token)
    except HarborError as error:
        raise Http404 from error
    asked = Confirmation(
        title=_("Revoke the token %(name)s?") % named(found.name),
        action=_("Revoke"),
        back=resolve_url("portal:tokens"),
        consequences=[
            _("Whatever uses it can no longer sign in, within a minute."),
            _("It cannot be brought back; make a new token instead."),
        ],
    )
    if not confirmed(request, asked):
        return confirm(request, asked)
    tokens.delete(actor, actor.id, token)
    messages.success(request, _("The token %(name)s was revoked.") % named(found.name))
    return redirect("portal:tokens")

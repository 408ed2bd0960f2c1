"""Personal tokens of somebody else: administrators see and revoke them, the secrets nobody sees."""

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from auth.selectors import tokens as selectors
from auth.services import tokens as services
from harbor_core.lib.errors import HarborError
from portal import token_rows
from portal.administration import administrator, page
from portal.isolation import named
from portal.project_pages import ask_first
from portal.shortcuts import Confirmation, respond
from portal.views.administration.users import user_or_404


@page("GET")
def token_list(request: HttpRequest, user: int) -> HttpResponse:
    administrator(request, "user:read")
    account = user_or_404(user)
    table = token_rows.table(request, account.pk, lambda pk: reverse("portal:user-token-revoke", args=[account.pk, pk]))
    context = table | {"account": account, "back": reverse("portal:users"), "above": _("Users")}
    return respond(request, "portal/administration/user_tokens.html", "portal/account/_tokens.html", context)


@page("GET", "POST", works_read_only=True)
def revoke(request: HttpRequest, user: int, token: int) -> HttpResponse:
    actor = administrator(request, "user:update")
    account = user_or_404(user)
    try:
        found = selectors.token_get(account.pk, token)
    except HarborError as error:
        raise Http404 from error
    asked = Confirmation(
        title=_("Revoke the token %(name)s?") % named(found.name),
        action=_("Revoke"),
        back=reverse("portal:user-tokens", args=[account.pk]),
        consequences=[
            _("Whatever uses it can no longer sign in, within a minute."),
            _("It cannot be brought back; its owner has to make a new one."),
        ],
    )
    done = _("The token %(name)s was revoked.") % named(found.name)
    return ask_first(request, asked, lambda: services.delete(actor, account.pk, token), done)


@page("GET", "POST", works_read_only=True)
def revoke_all(request: HttpRequest, user: int) -> HttpResponse:
    actor = administrator(request, "user:update")
    account = user_or_404(user)
    asked = Confirmation(
        title=_("Revoke every token of %(name)s?") % named(account.username),
        action=_("Revoke all"),
        back=reverse("portal:user-tokens", args=[account.pk]),
        consequences=[_("Whatever uses one of them can no longer sign in, within a minute.")],
    )
    done = _("Every token of %(name)s was revoked.") % named(account.username)
    return ask_first(request, asked, lambda: services.delete_all(actor, account.pk), done)

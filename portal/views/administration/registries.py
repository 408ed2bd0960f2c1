"""Remote registries: where replication goes to and comes from, and what proxy caches stand for."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from auth.actor import Actor
from portal.administration import administrator, form_page, list_page, page
from portal.forms.registries import NAMES, RegistryForm
from portal.forms.submit import submit
from portal.isolation import named
from portal.listing import Listing
from portal.project_pages import ask_first, row_menu
from portal.shortcuts import Confirmation
from portal.templatetags.portal import count
from replication import ratelimits
from replication.models import Registry
from replication.ratelimits import RateLimit
from replication.secrets import MASK, with_password
from replication.selectors import registries as selectors
from replication.services import registries as services

SHOWN_NAMES = 10
_REFUSALS = {"CONFLICT": ("name", gettext_lazy("There is a registry of this name already."))}


@page("GET")
def registry_list(request: HttpRequest) -> HttpResponse:
    """Query: ``q`` (part of a name), ``sort``, ``page``, ``page_size``."""
    administrator(request, "registry:list")
    listing = Listing(request, sorts={"name": "name", "created": "creation_time", "status": "status"}, default="name")
    rows = listing.fill(selectors.registries_named(listing.query))
    limits = ratelimits.known(rows)
    context = {
        "title": _("Registries"),
        "about": _("Other registries, for replication and proxy caches. Each is asked regularly whether it answers."),
        "filter_label": _("Filter by name"),
        "listing": listing,
        "rows": [(row, NAMES.get(row.type, row.type), _gauge(limits.get(row.pk)), _menu(row)) for row in rows],
        "create": (_("New registry"), reverse("portal:registry-new"), False),
    }
    return list_page(request, "_registries", context)


def _gauge(found: RateLimit | None) -> dict[str, Any] | None:
    """Context of the bar that shows how much of its limit a registry leaves us: yellow in the last quarter, red where
    nothing is left."""
    if found is None:
        return None
    seen = datetime.fromtimestamp(found.seen_at, UTC)
    kind = "danger" if not found.remaining else "warning" if found.remaining * 4 <= found.limit else "accent"
    text = _("%(remaining)s of %(limit)s") % {"remaining": count(found.remaining), "limit": count(found.limit)}
    return {"percent": found.remaining * 100 // found.limit, "text": text, "kind": kind, "seen": seen}


def _menu(row: Registry) -> list[dict[str, object]]:
    menu = row_menu(
        (_("Edit"), reverse("portal:registry", args=[row.pk]), "pencil", False),
        (_("Delete"), reverse("portal:registry-delete", args=[row.pk]), "trash-2", True),
    )
    menu[0]["dialog"] = False
    return menu


def _frame(title: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "back": reverse("portal:registries"), "above": _("Registries"), **more}


@page("GET", "POST")
def create(request: HttpRequest) -> HttpResponse:
    """With ``test`` in the form nothing is stored: the answer says whether the registry could be used like this."""
    actor = administrator(request, "registry:create")
    form = RegistryForm(request.POST if request.method == "POST" else None)

    def act() -> None:
        services.create(actor, kind=form.cleaned_data["type"], values=form.values)

    return _answer(request, form, act, _frame(_("New registry")))


@page("GET", "POST")
def edit(request: HttpRequest, registry: int) -> HttpResponse:
    actor = administrator(request, "registry:update")
    row = _registry(registry)
    names = ("name", "description", "url", "access_key", "ca_certificate", "client_certificate")
    initial = {name: getattr(row, name) for name in names} | {
        "verify": not row.insecure,
        "proxy": with_password(row.proxy, MASK if row.proxy_password else ""),
        "timeout": row.timeout or None,
        "speed": row.speed or None,
    }
    form = RegistryForm(request.POST if request.method == "POST" else None, row=row, initial=initial)
    frame = _frame(_("Edit %(name)s") % named(row.name), kind=NAMES.get(row.type, row.type))
    return _answer(request, form, lambda: services.update(actor, row.pk, form.values), frame)


def _answer(request: HttpRequest, form: RegistryForm, act: Any, frame: dict[str, Any]) -> HttpResponse:
    tests = request.method == "POST" and "test" in request.POST
    if tests:
        frame["works"] = submit(form, lambda: _ping(form), _REFUSALS)
    elif request.method == "POST" and submit(form, act, _REFUSALS):
        messages.success(request, _("Registry %(name)s was saved.") % named(form.cleaned_data["name"]))
        return redirect("portal:registries")
    response = form_page(request, form, frame, "registry")
    response["Cache-Control"] = "no-store"  # a secret just typed is in it
    return response


def _ping(form: RegistryForm) -> None:
    changes = {name: form.values[name] for name in (*services.CONNECTION, "credential_type")}
    services.ping(form.row.pk if form.row else None, form.cleaned_data.get("type"), changes)


@page("GET", "POST")
def delete(request: HttpRequest, registry: int) -> HttpResponse:
    actor: Actor = administrator(request, "registry:delete")
    row = _registry(registry)
    names = list(selectors.proxies_of(row.pk).values_list("name", flat=True)[:SHOWN_NAMES])
    asked = Confirmation(
        title=_("Delete registry %(name)s?") % named(row.name),
        action=_("Delete"),
        back=reverse("portal:registries"),
        consequences=[_("Its address and its secret are forgotten. Nothing changes at the registry itself.")],
        blockers=[_("Project %(name)s is a proxy cache of it.") % named(name) for name in names],
    )
    done = _("Registry %(name)s was deleted.") % named(row.name)
    return ask_first(request, asked, lambda: services.delete(actor, row.pk), done)


def _registry(registry_id: int) -> Registry:
    row = selectors.registries_named().filter(pk=registry_id).first()
    if row is None:
        raise Http404
    return row

"""Webhooks of a project, or of the system where ``project`` is empty: which events are told to whom."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.forms.submit import STATUS_WRONG, submit
from portal.forms.webhooks import WebhookForm, event_name
from portal.hooks import Owner, open_owner
from portal.isolation import named
from portal.listing import Listing
from portal.project_pages import Switch, ask_first, ask_to_switch, row_menu
from portal.shortcuts import Confirmation, actor_of, page, respond
from projects.models import WebhookPolicy
from projects.selectors import webhooks as selectors
from projects.services import webhooks as services

_REFUSALS = {"CONFLICT": ("name", gettext_lazy("There is a webhook of this name already."))}


@page("GET")
def webhook_list(request: HttpRequest, project: str = "") -> HttpResponse:
    """Query: ``q`` (part of a name), ``sort``, ``page``, ``page_size``."""
    owner = open_owner(request, project)
    listing = Listing(request, sorts={"name": "name", "created": "creation_time"}, default="name")
    rows = listing.fill(selectors.policies_in(owner.project, name=listing.query))
    context = owner.context | {
        "listing": listing,
        "rows": [
            (row, [event_name(name) for name in row.event_types], _menu(owner, row), _deliveries(owner, row))
            for row in rows
        ],
        "create": owner.url("webhook-new") if "create" in owner.actions else "",
    }
    return respond(request, "portal/projects/webhooks.html", "portal/projects/_webhooks.html", context)


def _deliveries(owner: Owner, row: WebhookPolicy) -> str:
    return owner.url("webhook-deliveries", row.pk)


def _menu(owner: Owner, row: WebhookPolicy) -> list[dict[str, object]]:
    items = []
    if "update" in owner.actions:
        label, icon = (_("Disable"), "circle-pause") if row.enabled else (_("Enable"), "circle-play")
        items.append((_("Edit"), owner.url("webhook", row.pk), "pencil", False))
        items.append((_("Send a ping"), owner.url("webhook-ping", row.pk), "send", False))
        items.append((label, owner.url("webhook-toggle", row.pk), icon, False))
    if "delete" in owner.actions:
        items.append((_("Delete"), owner.url("webhook-delete", row.pk), "trash-2", True))
    return row_menu(*items)


@page("GET", "POST")
def create(request: HttpRequest, project: str = "") -> HttpResponse:
    owner = open_owner(request, project, "create")
    form = WebhookForm(request.POST if request.method == "POST" else None)

    def act() -> None:
        values = form.values(enabled=True, kept_header="", others=[])
        services.create(actor_of(request), owner.project, values)

    if request.method == "POST" and submit(form, act, _REFUSALS):
        messages.success(request, _("Webhook %(name)s was created.") % named(form.cleaned_data["name"]))
        return redirect(owner.url("webhooks"))
    return _form(request, owner, form, _("New webhook"))


@page("GET", "POST")
def edit(request: HttpRequest, webhook: int, project: str = "") -> HttpResponse:
    owner = open_owner(request, project, "update")
    row = owner.policy(webhook)
    first, *others = [_target(target) for target in row.targets]
    initial = {
        "name": row.name,
        "description": row.description,
        "event_types": row.event_types,
        "verify": not first["skip_cert_verify"],
    } | {name: first[name] for name in ("type", "address", "payload_format")}
    form = WebhookForm(
        request.POST if request.method == "POST" else None, initial=initial, has_header=bool(first["auth_header"])
    )

    def act() -> None:
        values = form.values(enabled=row.enabled, kept_header=first["auth_header"], others=others)
        services.update(actor_of(request), owner.project, row.pk, values)

    if request.method == "POST" and submit(form, act, _REFUSALS):
        messages.success(request, _("Webhook %(name)s was saved.") % named(form.cleaned_data["name"]))
        return redirect(owner.url("webhooks"))
    return _form(request, owner, form, _("Edit webhook"))


def _target(stored: dict[str, Any]) -> dict[str, Any]:
    """With its header in clear, as the service takes it."""
    return stored | {"auth_header": selectors.auth_header(stored)}


def _form(request: HttpRequest, owner: Owner, form: WebhookForm, title: str) -> HttpResponse:
    context = owner.context | {"form": form, "title": title, "submit": _("Save"), "back": owner.url("webhooks")}
    return render(request, owner.form, context, status=STATUS_WRONG if form.errors else 200)


@page("GET", "POST")
def toggle(request: HttpRequest, webhook: int, project: str = "") -> HttpResponse:
    owner = open_owner(request, project, "update")
    row = owner.policy(webhook)
    name = named(row.name)
    said = Switch(
        title=(_("Enable webhook %(name)s?") % name, _("Disable webhook %(name)s?") % name),
        consequence=(
            _("Events that happen from now on are posted again."),
            _("Events that happen meanwhile are not posted, and not posted later either."),
        ),
        done=(_("Webhook %(name)s was enabled.") % name, _("Webhook %(name)s was disabled.") % name),
        back=owner.url("webhooks"),
    )

    def act(enabled: bool) -> None:
        values = {
            "name": row.name,
            "description": row.description,
            "enabled": enabled,
            "event_types": row.event_types,
            "targets": [_target(target) for target in row.targets],
        }
        services.update(actor_of(request), owner.project, row.pk, values)

    return ask_to_switch(request, said, act, enabled=row.enabled)


@page("GET", "POST")
def delete(request: HttpRequest, webhook: int, project: str = "") -> HttpResponse:
    owner = open_owner(request, project, "delete")
    row = owner.policy(webhook)
    asked = Confirmation(
        title=_("Delete webhook %(name)s?") % named(row.name),
        action=_("Delete webhook"),
        back=owner.url("webhooks"),
        consequences=[
            _("Nothing is posted to %(address)s any more.") % {"address": target["address"]} for target in row.targets
        ],
    )
    done = _("Webhook %(name)s was deleted.") % named(row.name)
    return ask_first(request, asked, lambda: services.delete(actor_of(request), owner.project, row.pk), done)

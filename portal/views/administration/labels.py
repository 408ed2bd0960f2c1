"""Labels of the whole system: usable in every project."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal.administration import administrator, form_page, list_page, page
from portal.colours import hex_of
from portal.forms.labels import COLOURS, LabelForm
from portal.forms.submit import submit
from portal.isolation import named
from portal.listing import Listing
from portal.project_pages import ask_first, row_menu
from portal.shortcuts import Confirmation
from projects.models import Label
from projects.selectors import labels as selectors
from projects.services import labels as services

_REFUSALS = {"CONFLICT": ("name", gettext_lazy("There is a label of this name already."))}


@page("GET")
def label_list(request: HttpRequest) -> HttpResponse:
    """Query: ``q`` (part of a name), ``sort``, ``page``, ``page_size``."""
    administrator(request, "label:list")
    listing = Listing(request, sorts={"name": "name", "created": "creation_time"}, default="name")
    rows = listing.fill(selectors.labels_in(None, name=listing.query))
    uses = selectors.uses_of(row.pk for row in rows)
    context = {
        "title": _("Labels"),
        "about": _("Labels of the whole system can be put on artifacts of every project."),
        "filter_label": _("Filter by name"),
        "listing": listing,
        "rows": [(row, uses.get(row.pk, 0), _menu(row)) for row in rows],
        "create": (_("New label"), reverse("portal:system-label-new"), True),
    }
    return list_page(request, "../projects/_labels", context)


def _menu(row: Label) -> list[dict[str, object]]:
    return row_menu(
        (_("Edit"), reverse("portal:system-label", args=[row.pk]), "pencil", False),
        (_("Delete"), reverse("portal:system-label-delete", args=[row.pk]), "trash-2", True),
    )


def _frame(title: str) -> dict[str, Any]:
    back = reverse("portal:system-labels")
    return {"title": title, "submit": _("Save"), "back": back, "above": _("Labels"), "colours": COLOURS}


@page("GET", "POST")
def create(request: HttpRequest) -> HttpResponse:
    actor = administrator(request, "label:create")
    form = LabelForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and submit(form, lambda: services.create(actor, None, **form.cleaned_data), _REFUSALS):
        messages.success(request, _("Label %(name)s was created.") % named(form.cleaned_data["name"]))
        return redirect("portal:system-labels")
    return form_page(request, form, _frame(_("New label")))


@page("GET", "POST")
def edit(request: HttpRequest, label: int) -> HttpResponse:
    actor = administrator(request, "label:update")
    row = _label(label)
    initial = {"name": row.name, "description": row.description, "color": hex_of(row.color)}
    form = LabelForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and submit(form, lambda: services.update(actor, row, **form.cleaned_data), _REFUSALS):
        messages.success(request, _("Label %(name)s was saved.") % named(form.cleaned_data["name"]))
        return redirect("portal:system-labels")
    return form_page(request, form, _frame(_("Edit label")))


@page("GET", "POST")
def delete(request: HttpRequest, label: int) -> HttpResponse:
    actor = administrator(request, "label:delete")
    row = _label(label)
    uses = selectors.uses_of([row.pk]).get(row.pk, 0)
    told = ngettext("It is taken off %(count)d artifact.", "It is taken off %(count)d artifacts.", uses)
    asked = Confirmation(
        title=_("Delete label %(name)s?") % named(row.name),
        action=_("Delete label"),
        back=reverse("portal:system-labels"),
        consequences=[told % {"count": uses}, _("The artifacts stay as they are.")],
    )
    done = _("Label %(name)s was deleted.") % named(row.name)
    return ask_first(request, asked, lambda: services.delete(actor, row), done)


def _label(label_id: int) -> Label:
    row = selectors.label_find(label_id)
    if row is None or row.project_id is not None:
        raise Http404
    return row

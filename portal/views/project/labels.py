"""Labels of a project."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal.colours import hex_of
from portal.forms.labels import COLOURS, LabelForm
from portal.forms.submit import submit
from portal.isolation import named
from portal.listing import Listing
from portal.project_pages import ask_first, form_page, framed, open_project, row_menu
from portal.shortcuts import Confirmation, ProjectPage, actor_of, page, respond
from projects.models import Label
from projects.selectors import labels as selectors
from projects.services import labels as services

_REFUSALS = {"CONFLICT": ("name", gettext_lazy("There is a label of this name already."))}


@page("GET")
def label_list(request: HttpRequest, project: str) -> HttpResponse:
    """Query: ``q`` (part of a name), ``sort``, ``page``, ``page_size``."""
    found = open_project(request, project, sees="label:list")
    listing = Listing(request, sorts={"name": "name", "created": "creation_time"}, default="name")
    rows = listing.fill(selectors.labels_in(found.project.pk, name=listing.query))
    uses = selectors.uses_of(row.pk for row in rows)
    context = framed(found) | {
        "listing": listing,
        "rows": [(row, uses.get(row.pk, 0), _menu(found, row)) for row in rows],
    }
    return respond(request, "portal/projects/labels.html", "portal/projects/_labels.html", context)


def _menu(found: ProjectPage, row: Label) -> list[dict[str, object]]:
    at = [found.project.pk, row.pk]
    items = []
    if found.may("label:update"):
        items.append((_("Edit"), reverse("portal:label", args=at), "pencil", False))
    if found.may("label:delete"):
        items.append((_("Delete"), reverse("portal:label-delete", args=at), "trash-2", True))
    return row_menu(*items)


@page("GET", "POST")
def create(request: HttpRequest, project: str) -> HttpResponse:
    found = open_project(request, project, sees="label:list", does="label:create")
    form = LabelForm(request.POST if request.method == "POST" else None)

    def act() -> None:
        services.create(actor_of(request), found.project, **form.cleaned_data)

    if request.method == "POST" and submit(form, act, _REFUSALS):
        messages.success(request, _("Label %(name)s was created.") % named(form.cleaned_data["name"]))
        return redirect("portal:labels", found.project.pk)
    return _form(request, found, form, _("New label"))


@page("GET", "POST")
def edit(request: HttpRequest, project: str, label: int) -> HttpResponse:
    found = open_project(request, project, sees="label:list", does="label:update")
    row = _label(found, label)
    initial = {"name": row.name, "description": row.description, "color": hex_of(row.color)}
    form = LabelForm(request.POST if request.method == "POST" else None, initial=initial)

    def act() -> None:
        services.update(actor_of(request), row, **form.cleaned_data)

    if request.method == "POST" and submit(form, act, _REFUSALS):
        messages.success(request, _("Label %(name)s was saved.") % named(form.cleaned_data["name"]))
        return redirect("portal:labels", found.project.pk)
    return _form(request, found, form, _("Edit label"))


def _form(request: HttpRequest, found: ProjectPage, form: LabelForm, title: str) -> HttpResponse:
    more = {
        "title": title,
        "submit": _("Save"),
        "back": reverse("portal:labels", args=[found.project.pk]),
        "colours": COLOURS,
    }
    return form_page(request, found, "portal/projects/form.html", form, more)


@page("GET", "POST")
def delete(request: HttpRequest, project: str, label: int) -> HttpResponse:
    found = open_project(request, project, sees="label:list", does="label:delete")
    row = _label(found, label)
    uses = selectors.uses_of([row.pk]).get(row.pk, 0)
    told = ngettext("It is taken off %(count)d artifact.", "It is taken off %(count)d artifacts.", uses)
    asked = Confirmation(
        title=_("Delete label %(name)s?") % named(row.name),
        action=_("Delete label"),
        back=reverse("portal:labels", args=[found.project.pk]),
        consequences=[told % {"count": uses}, _("The artifacts stay as they are.")],
    )
    done = _("Label %(name)s was deleted.") % named(row.name)
    return ask_first(request, asked, lambda: services.delete(actor_of(request), row), done)


def _label(found: ProjectPage, label_id: int) -> Label:
    row = selectors.label_find(label_id)
    if row is None or row.project_id != found.project.pk:
        raise Http404
    return row

"""Groups of the identity provider, for administrators."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from auth.models import UserGroup
from auth.selectors import groups as selectors
from auth.services import groups as services
from portal.administration import administrator, form_page, list_page, page
from portal.forms.groups import DirectoryGroupForm, GroupForm
from portal.forms.submit import submit
from portal.isolation import named
from portal.listing import Listing
from portal.project_pages import ask_first, row_menu
from portal.shortcuts import Confirmation

_TAKEN = {"CONFLICT": ("name", gettext_lazy("There is a group of this name already."))}
_REFUSED = {
    "CONFLICT": ("dn", gettext_lazy("This group is known already.")),
    "BAD_REQUEST": ("dn", gettext_lazy("This is not a distinguished name.")),
}


@page("GET")
def group_list(request: HttpRequest) -> HttpResponse:
    """Query: ``q`` (part of a name), ``sort``, ``page``, ``page_size``."""
    administrator(request, "user-group:list")
    listing = Listing(request, sorts={"name": "group_name", "created": "creation_time"}, default="name")
    rows = listing.fill(selectors.groups_in_use(listing.query))
    usable = selectors.type_in_use() is not None
    context = {
        "title": _("Groups"),
        "about": _("Groups of the identity provider. A group with a role in a project gives it to all its members."),
        "filter_label": _("Filter by name"),
        "listing": listing,
        "usable": usable,
        "rows": [(row, _menu(row)) for row in rows],
        "create": (_("New group"), reverse("portal:group-new"), True) if usable else None,
    }
    return list_page(request, "_groups", context)


def _menu(row: UserGroup) -> list[dict[str, object]]:
    return row_menu(
        (_("Rename"), reverse("portal:group", args=[row.pk]), "pencil", False),
        (_("Delete"), reverse("portal:group-delete", args=[row.pk]), "trash-2", True),
    )


def _frame(title: str, submit_label: str) -> dict[str, Any]:
    return {"title": title, "submit": submit_label, "back": reverse("portal:groups"), "above": _("Groups")}


@page("GET", "POST")
def create(request: HttpRequest) -> HttpResponse:
    actor = administrator(request, "user-group:create")
    kind = selectors.type_in_use()
    if kind is None:
        raise Http404
    directory = kind is UserGroup.Type.LDAP
    data = request.POST if request.method == "POST" else None
    form = DirectoryGroupForm(data) if directory else GroupForm(data)

    def act() -> None:
        services.create(actor, group_type=kind, **form.cleaned_data)

    if request.method == "POST" and submit(form, act, _REFUSED if directory else _TAKEN):
        messages.success(request, _("The group was added."))
        return redirect("portal:groups")
    return form_page(request, form, _frame(_("New group"), _("Add group")))


@page("GET", "POST")
def rename(request: HttpRequest, group: int) -> HttpResponse:
    actor = administrator(request, "user-group:update")
    row = _group(group)
    form = GroupForm(request.POST if request.method == "POST" else None, initial={"name": row.group_name})
    if request.method == "POST" and submit(
        form, lambda: services.rename(actor, row.pk, form.cleaned_data["name"]), _TAKEN
    ):
        messages.success(request, _("The group is called %(name)s now.") % named(form.cleaned_data["name"]))
        return redirect("portal:groups")
    return form_page(request, form, _frame(_("Rename %(name)s") % named(row.group_name), _("Save")))


@page("GET", "POST")
def delete(request: HttpRequest, group: int) -> HttpResponse:
    actor = administrator(request, "user-group:delete")
    row = _group(group)
    roles = row.memberships.filter(project__deleted=False).count()
    told = ngettext("It loses its role in %(number)d project.", "It loses its roles in %(number)d projects.", roles)
    asked = Confirmation(
        title=_("Delete group %(name)s?") % named(row.group_name),
        action=_("Delete"),
        back=reverse("portal:groups"),
        consequences=[told % {"number": roles}, _("The group stays as it is at the identity provider.")],
    )
    done = _("Group %(name)s was deleted.") % named(row.group_name)
    return ask_first(request, asked, lambda: services.delete(actor, row.pk), done)


def _group(group_id: int) -> UserGroup:
    row = UserGroup.objects.filter(pk=group_id).first()
    if row is None:
        raise Http404
    return row

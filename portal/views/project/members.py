"""Members of a project: who has which role."""

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from auth.models import UserGroup
from auth.rbac import Role
from auth.selectors import groups, users
from auth.services.groups import GroupReference
from harbor_core.lib import pagination
from portal.bulk import Action, Selection
from portal.forms.members import NewMemberForm, RoleForm
from portal.forms.submit import submit
from portal.isolation import isolated, named
from portal.listing import Listing
from portal.project_pages import ask_first, form_page, framed, open_project, row_menu
from portal.roles import ROLES
from portal.shortcuts import Confirmation, ProjectPage, actor_of, page, respond
from projects.models import Member
from projects.selectors import members as selectors
from projects.services import members as services
from projects.services.members import UserReference

CANDIDATES = 12
SHOWN_NAMES = 10
_REFUSALS = {
    "NOT_FOUND": ("name", gettext_lazy("There is nobody of this name.")),
    "CONFLICT": ("name", gettext_lazy("This one is a member already; change the role in the list.")),
}


@page("GET")
def member_list(request: HttpRequest, project: str) -> HttpResponse:
    """Query: ``q`` (part of a name), ``role``, ``sort``, ``page``, ``page_size``."""
    found = open_project(request, project, sees="member:list")
    chosen = request.GET.get("role", "")
    role = int(chosen) if chosen in {str(role.value) for role in Role} else 0
    listing = Listing(
        request,
        sorts={"name": "entity_name", "role": "rank", "added": "creation_time"},
        default="name",
        keep={"role": str(role) if role else ""},
    )
    rows = listing.fill(selectors.members_of(found.project, name=listing.query, role=role))
    context = framed(found) | {
        "listing": listing,
        "rows": [(row, _menu(found, row)) for row in rows],
        "bulk": _bulk(found),
        "roles": [(known, words, about, role == known) for known, (words, about) in ROLES.items()],
        "role_links": [(_("All"), listing.url(role=""), not role)]
        + [(words, listing.url(role=known.value), role == known) for known, (words, _about) in ROLES.items()],
    }
    return respond(request, "portal/projects/members.html", "portal/projects/_members.html", context)


def _bulk(found: ProjectPage) -> list[Action]:
    actions = []
    if found.may("member:update"):
        actions.append(Action(_("Change role"), reverse("portal:member-roles", args=[found.project.pk]), "user-cog"))
    if found.may("member:delete"):
        url = reverse("portal:members-remove", args=[found.project.pk])
        actions.append(Action(_("Remove"), url, "user-minus", danger=True))
    return actions


def _menu(found: ProjectPage, row: Member) -> list[dict[str, object]]:
    """The pages for several members, with this one chosen."""
    return row_menu(
        *((action.label, f"{action.url}?pick={row.pk}", action.icon, action.danger) for action in _bulk(found))
    )


@page("GET", "POST")
def add(request: HttpRequest, project: str) -> HttpResponse:
    found = open_project(request, project, sees="member:list", does="member:create")
    back = reverse("portal:members", args=[found.project.pk])
    form = NewMemberForm(
        request.POST if request.method == "POST" else None,
        search=reverse("portal:member-candidates", args=[found.project.pk]),
        groups=groups.type_in_use() is not None or UserGroup.objects.exists(),
    )
    if request.method == "POST" and submit(form, lambda: _add(request, found, form), _REFUSALS):
        messages.success(request, _("%(name)s is a member now.") % named(form.cleaned_data["name"]))
        return redirect(back)
    more = {"title": _("Add member"), "submit": _("Add member"), "back": back, "candidates": True}
    return form_page(request, found, "portal/projects/form.html", form, more)


def _add(request: HttpRequest, found: ProjectPage, form: NewMemberForm) -> None:
    """A group of LDAP goes by its distinguished name."""
    chosen = form.cleaned_data
    name = chosen["name"].strip()
    if chosen.get("kind") == "group":
        kind = groups.type_in_use()
        by_name = {"dn": name} if kind is UserGroup.Type.LDAP and "=" in name else {"name": name}
        group = GroupReference(type=kind.value if kind else 0, **by_name)
        services.add(actor_of(request), found.project, chosen["role"], group=group)
    else:
        services.add(actor_of(request), found.project, chosen["role"], user=UserReference(name=name))


@page("GET")
def candidates(request: HttpRequest, project: str) -> HttpResponse:
    """Names that hold what was typed (``name``), as options."""
    open_project(request, project, sees="member:list", does="member:create")
    part = request.GET.get("name", "").replace("\0", "").strip()[:255]
    wanted = pagination.Listing(size=CANDIDATES)
    if not part:
        found: list[tuple[str, str]] = []
    elif request.GET.get("kind") == "group":
        found = [(row.group_name, row.ldap_group_dn) for row in groups.group_list(wanted, name=part).items]
    else:
        found = [(row.username, row.realname) for row in users.user_search(wanted, part).items]
    return render(request, "portal/projects/_candidates.html", {"candidates": found})


@page("GET", "POST")
def change_roles(request: HttpRequest, project: str) -> HttpResponse:
    """One role for the members chosen (portal.bulk)."""
    found = open_project(request, project, sees="member:list", does="member:update")
    back = reverse("portal:members", args=[found.project.pk])
    chosen, members = _chosen(request, found)
    if not members:
        return redirect(back)
    form = RoleForm(request.POST if request.method == "POST" else None, initial={"role": members[0].role})

    def change() -> None:
        for member in members:
            services.set_role(actor_of(request), found.project, member.pk, form.cleaned_data["role"])

    if request.method == "POST" and submit(form, change):
        messages.success(request, _("The role was changed."))
        return redirect(back)
    more = {
        "title": _("Change role of %(names)s") % {"names": _names(members)},
        "submit": _("Change role"),
        "back": back,
        "fields": list(chosen.fields),
    }
    return form_page(request, found, "portal/projects/form.html", form, more)


@page("GET", "POST")
def remove(request: HttpRequest, project: str) -> HttpResponse:
    """The members chosen (portal.bulk)."""
    found = open_project(request, project, sees="member:list", does="member:delete")
    back = reverse("portal:members", args=[found.project.pk])
    chosen, members = _chosen(request, found)
    if not members:
        return redirect(back)
    told = [_("Without another role they can no longer push or pull here, at the latest after a minute.")]
    if found.project.public:
        told = [_("They keep what anybody may do in a public project, and lose everything else within a minute.")]
    if not selectors.administrated_without(found.project, chosen.of(selectors.members_of(found.project))):
        told.append(_("Nobody but system administrators will administrate this project."))
    if actor_of(request).user_id in {member.user_id for member in members}:
        told.append(_("You are among them: this page will be closed to you."))
    asked = Confirmation(
        title=_("Remove %(names)s?") % {"names": _names(members)},
        action=ngettext("Remove member", "Remove members", len(members)),
        back=back,
        consequences=told,
        fields=list(chosen.fields),
    )

    def act() -> None:
        for member in members:
            services.remove(actor_of(request), found.project, member.pk)

    return ask_first(
        request, asked, act, ngettext("The member was removed.", "The members were removed.", len(members))
    )


def _chosen(request: HttpRequest, found: ProjectPage) -> tuple[Selection, list[Member]]:
    """Within the filter the table had."""
    given = request.POST if request.method == "POST" else request.GET
    role = given.get("role", "") if request.method == "GET" else ""
    rows = selectors.members_of(
        found.project,
        name=given.get("q", "").replace("\0", ""),
        role=int(role) if role in {str(known.value) for known in Role} else 0,
    )
    chosen = Selection.read(request).settled(rows)
    if chosen.everything and request.method == "GET":  # from here on by name: the form carries no filter
        members = _by_name(chosen.of(rows))
        return Selection(tuple(member.pk for member in members)), members
    return chosen, _by_name(chosen.of(rows))


def _by_name(members: QuerySet[Member]) -> list[Member]:
    return sorted(members, key=lambda member: str(member.entity_name))  # type: ignore[attr-defined]  # annotated


def _names(members: list[Member]) -> str:
    names = [isolated(member.entity_name) for member in members[:SHOWN_NAMES]]  # type: ignore[attr-defined]  # annotated
    if len(members) > SHOWN_NAMES:
        names.append(_("%(count)d more") % {"count": len(members) - SHOWN_NAMES})
    return ", ".join(names)

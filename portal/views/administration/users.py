"""Accounts of people, for administrators."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from auth.actor import Actor
from auth.models import ADMIN_ID, User
from auth.selectors import users as selectors
from auth.services import users as services
from harbor_core.services.config import config_get
from portal.administration import administrator, form_page, list_page, page
from portal.bulk import Action, Selection
from portal.bulk_work import each
from portal.forms.submit import submit
from portal.forms.users import NewUserForm, PasswordForm, ProfileForm
from portal.isolation import named
from portal.listing import Listing
from portal.project_pages import ask_first, row_menu
from portal.shortcuts import Confirmation, confirm, confirmed

SHOWN_NAMES = 10
_TAKEN = {"CONFLICT": ("username", gettext_lazy("This name or e-mail address is taken."))}
_TAKEN_ADDRESS = {"CONFLICT": ("email", gettext_lazy("Somebody else has this e-mail address."))}
_SAME = {"BAD_REQUEST": ("password", gettext_lazy("This is the password the account has already."))}


@page("GET")
def user_list(request: HttpRequest) -> HttpResponse:
    """Query: ``q`` (part of a name or an address), ``sort``, ``page``, ``page_size``."""
    actor = administrator(request, "user:list")
    listing = Listing(request, sorts={"name": "username", "created": "creation_time"}, default="name")
    rows = listing.fill(selectors.people(listing.query))
    local = config_get("auth_mode") == "db_auth"
    context = {
        "title": _("Users"),
        "filter_label": _("Filter by name or e-mail"),
        "listing": listing,
        "rows": [(row, row.pk == actor.user_id, _menu(actor, row, local)) for row in rows],
        "bulk": [Action(_("Delete"), reverse("portal:users-delete"), "trash-2", danger=True)],
        "create": (_("New user"), reverse("portal:user-new"), True) if local else None,
        "notice": "" if local else _("Accounts come from the identity provider and are made when somebody signs in."),
    }
    return list_page(request, "_users", context)


def _menu(actor: Actor, row: User, local: bool) -> list[dict[str, object]]:
    toggle = (_("Take administration away"), "shield-off") if row.sysadmin_flag else (_("Make administrator"), "shield")
    items = [(toggle[0], reverse("portal:user-administrator", args=[row.pk]), toggle[1], False)]
    if local or row.pk == ADMIN_ID:
        items.insert(0, (_("Edit"), reverse("portal:user", args=[row.pk]), "pencil", False))
    if (local or row.pk == ADMIN_ID) and row.pk != actor.user_id:
        items.append((_("Reset password"), reverse("portal:user-password", args=[row.pk]), "key-round", False))
    items.append((_("Personal tokens"), reverse("portal:user-tokens", args=[row.pk]), "ticket", False))
    if row.pk not in (ADMIN_ID, actor.user_id):
        items.append((_("Delete"), f"{reverse('portal:users-delete')}?pick={row.pk}", "trash-2", True))
    menu = row_menu(*items)
    for item in menu:
        item["dialog"] = item["icon"] != "ticket"  # a page of its own
    return menu


def user_or_404(user_id: int) -> User:
    user = selectors.people().filter(pk=user_id).first()
    if user is None:
        raise Http404
    return user


def _frame(title: str, submit_label: str) -> dict[str, Any]:
    return {"title": title, "submit": submit_label, "back": reverse("portal:users"), "above": _("Users")}


@page("GET", "POST")
def create(request: HttpRequest) -> HttpResponse:
    actor = administrator(request, "user:create")
    if config_get("auth_mode") != "db_auth":
        raise Http404
    form = NewUserForm(request.POST if request.method == "POST" else None)

    def act() -> None:
        services.create(actor, **{name: value for name, value in form.cleaned_data.items() if name != "again"})

    if request.method == "POST" and submit(form, act, _TAKEN):
        messages.success(request, _("User %(name)s was created.") % named(form.cleaned_data["username"]))
        return redirect("portal:users")
    return form_page(request, form, _frame(_("New user"), _("Create user")))


@page("GET", "POST")
def edit(request: HttpRequest, user: int) -> HttpResponse:
    actor = administrator(request, "user:update")
    row = user_or_404(user)
    initial = {"realname": row.realname, "email": row.email or "", "comment": row.comment}
    form = ProfileForm(request.POST if request.method == "POST" else None, initial=initial)

    def act() -> None:
        services.update_profile(actor, row.pk, **form.cleaned_data)

    if request.method == "POST" and submit(form, act, _TAKEN_ADDRESS):
        messages.success(request, _("User %(name)s was saved.") % named(row.username))
        return redirect("portal:users")
    return form_page(request, form, _frame(_("Edit %(name)s") % named(row.username), _("Save")))


@page("GET", "POST")
def password(request: HttpRequest, user: int) -> HttpResponse:
    """Of somebody else; one's own is changed with the old one, on the account's own page."""
    actor = administrator(request, "user:update")
    row = user_or_404(user)
    if row.pk == actor.user_id:
        return redirect("portal:password")
    form = PasswordForm(request.POST if request.method == "POST" else None)

    def act() -> None:
        services.change_password(actor, row.pk, new=form.cleaned_data["password"], old="", address="")

    if request.method == "POST" and submit(form, act, _SAME):
        messages.success(request, _("The password of %(name)s was changed.") % named(row.username))
        return redirect("portal:users")
    frame = _frame(_("Reset the password of %(name)s") % named(row.username), _("Change password"))
    text = _("Every session of the account ends. Tell the new password to its owner over a safe way.")
    return form_page(request, form, frame | {"text": text})


@page("GET", "POST")
def administration(request: HttpRequest, user: int) -> HttpResponse:
    """Make somebody administrator, or take it away; the last one stays."""
    actor = administrator(request, "user:update")
    row = user_or_404(user)
    wanted = not row.sysadmin_flag if request.method == "GET" else request.POST.get("administrator") == "1"
    name = named(row.username)
    last = not wanted and not selectors.administrators().exclude(pk=row.pk).exists()
    asked = Confirmation(
        title=(_("Make %(name)s administrator?") if wanted else _("Take administration away from %(name)s?")) % name,
        action=_("Make administrator") if wanted else _("Take away"),
        danger=not wanted,
        back=reverse("portal:users"),
        consequences=_change(wanted, own=row.pk == actor.user_id),
        blockers=[_("This is the last administrator. Make somebody else administrator first.")] if last else [],
        fields=[("administrator", "1" if wanted else "0")],
        typed=row.username if row.pk == actor.user_id and not wanted else "",
    )
    if last and request.method == "POST":
        return confirm(request, asked, status=400)
    done = (_("%(name)s is an administrator now.") if wanted else _("%(name)s is no administrator any more.")) % name
    return ask_first(request, asked, lambda: services.set_sysadmin(actor, row.pk, wanted), done)


def _change(wanted: bool, *, own: bool) -> list[str]:
    if wanted:
        return [_("May see and change everything in every project, all users and all settings.")]
    lines = [_("Keeps only the roles it has in projects.")]
    return [_("This is your own account: you leave administration at once."), *lines] if own else lines


@page("GET", "POST")
def delete(request: HttpRequest) -> HttpResponse:
    """Those picked; the first administrator and oneself are never among them."""
    actor = administrator(request, "user:delete")
    chosen = Selection.read(request)
    rows = _deletable(actor, request)
    picked = chosen.settled(rows)
    rows = picked.of(rows).order_by("username") if picked else rows.none()
    number = rows.count()
    names = list(rows.values_list("username", flat=True)[:SHOWN_NAMES])
    title = _("Delete %(name)s?") % named(names[0]) if number == 1 else _("Delete users?")
    asked = Confirmation(
        title=title,
        action=_("Delete"),
        back=reverse("portal:users"),
        consequences=_deletion(names, number),
        blockers=[] if number else [_("Nobody who could be deleted was chosen. You and the first administrator stay.")],
        fields=list(picked.fields),
    )
    if not number or not confirmed(request, asked):
        return confirm(request, asked, status=400 if request.method == "POST" else 200)
    each(request, list(rows), lambda row: services.delete(actor, row.pk), _("Users deleted: %(number)s."))
    return redirect("portal:users")


def _deletable(actor: Actor, request: HttpRequest) -> QuerySet[User]:
    query = request.GET.get("q", "").replace("\0", "").strip()[:255]
    return selectors.people(query).exclude(pk__in=[ADMIN_ID, actor.user_id])


def _deletion(names: list[str], number: int) -> list[str]:
    rest = _("and %(number)d more") % {"number": number - len(names)} if number > len(names) else ""
    return [
        ", ".join([*names, rest] if rest else names),
        _("They cannot sign in any more; their memberships and personal tokens are deleted."),
        _("What they pushed and the projects they made stay. The audit log keeps their names."),
    ]

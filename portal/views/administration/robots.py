"""Robot accounts of the system."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from auth import robot_names
from auth.models import Robot
from auth.selectors import robots as selectors
from auth.services import robots as services
from portal import preferences, robot_commands, robot_grants
from portal.administration import administrator, form_page, list_page, page
from portal.forms.robots import SecretForm, expiry_fields
from portal.forms.submit import submit
from portal.forms.system_robots import SystemRobotForm, entries, places
from portal.isolation import named
from portal.listing import Listing
from portal.project_pages import ask_first, ask_to_switch, row_menu
from portal.shortcuts import Confirmation, registry_for
from portal.views.project.robots import switch_words
from projects.models import Project

OFFERED_PROJECTS = 200
_REFUSALS = {
    "CONFLICT": ("name", gettext_lazy("This name is taken by a robot account or a user.")),
    "NOT_FOUND": (None, gettext_lazy("One of the projects does not exist.")),
}


@page("GET")
def robot_list(request: HttpRequest) -> HttpResponse:
    """Query: ``q`` (part of a name), ``sort``, ``page``, ``page_size``."""
    administrator(request, "robot:list")
    sorts = {"name": "name", "expires": "expires_at", "used": "last_used_at", "created": "creation_time"}
    listing = Listing(request, sorts=sorts, default="name")
    rows = listing.fill(selectors.robots_in(None, name=listing.query))
    context = {
        "title": _("Robot accounts"),
        "about": _("For machines that work in several projects, or on the system itself."),
        "filter_label": _("Filter by name"),
        "listing": listing,
        "rows": [_described(row) | {"menu": _menu(row)} for row in rows],
        "create": (_("New robot account"), reverse("portal:system-robot-new"), False),
    }
    return list_page(request, "_robots", context)


def _granted(robot: Robot) -> dict[str, list[str]]:
    """Permissions by namespace, those of the system first."""
    return {"/": []} | {entry.namespace: list(entry.permissions) for entry in selectors.entries(robot)}


def _described(robot: Robot) -> dict[str, Any]:
    granted, now, until = _granted(robot), timezone.now(), robot.previous_secret_until
    return {
        "robot": robot,
        "login": robot_names.login(robot),
        "alias": robot_names.alias(robot),
        "on_system": len(granted["/"]),
        "everywhere": "*" in granted,
        "in_projects": [name for name in granted if name not in ("/", "*")],
        "expired": robot.expires_at is not None and robot.expires_at <= now,
        "overlap": until if until and until > now else None,
    }


def _menu(row: Robot) -> list[dict[str, object]]:
    toggle = (_("Enable"), "circle-play") if row.disabled else (_("Disable"), "circle-pause")
    menu = row_menu(
        (_("Edit"), reverse("portal:system-robot-edit", args=[row.pk]), "pencil", False),
        (_("New secret"), reverse("portal:system-robot-secret", args=[row.pk]), "key-round", False),
        (toggle[0], reverse("portal:system-robot-toggle", args=[row.pk]), toggle[1], False),
        (_("Delete"), reverse("portal:system-robot-delete", args=[row.pk]), "trash-2", True),
    )
    menu[0]["dialog"] = False  # the matrices want the whole page
    return menu


def robot_or_404(robot_id: int) -> Robot:
    robot = selectors.robots_in(None).filter(pk=robot_id).first()
    if robot is None:
        raise Http404
    return robot


def _frame(title: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "back": reverse("portal:system-robots"), "above": _("Robot accounts"), **more}


def robot_frame(robot: Robot) -> dict[str, Any]:
    """Context of robots/frame.html."""
    return _frame(robot_names.login(robot)) | _described(robot) | {
        "menu": _menu(robot),
        "trust_count": robot.trusts.count(),
        "detail_url": reverse("portal:system-robot", args=[robot.pk]),
        "trusts_url": reverse("portal:system-trusts", args=[robot.pk]),
    }  # fmt: skip


@page("GET")
def robot_detail(request: HttpRequest, robot: int) -> HttpResponse:
    administrator(request, "robot:read")
    row = robot_or_404(robot)
    granted = _granted(row)
    matrix = robot_grants.matrix(granted["/"], granted["/"]) if granted["/"] else None
    shown = {"matrix": matrix, "places": places(granted, only_granted=True)}
    return render(request, "portal/administration/robot.html", robot_frame(row) | shown)


def _form_page(request: HttpRequest, form: SystemRobotForm, title: str, **more: Any) -> HttpResponse:
    projects = Project.objects.filter(deleted=False).order_by("name").values_list("name", flat=True)
    return form_page(request, form, _frame(title, projects=projects[:OFFERED_PROJECTS], **more), "robot_form")


def _changes_places(request: HttpRequest) -> bool:
    return any(button in request.POST for button in ("add", "add_all", "remove"))


@page("GET", "POST")
def create(request: HttpRequest) -> HttpResponse:
    """The answer to the form shows the secret: nothing can show it again."""
    actor = administrator(request, "robot:create")
    form = SystemRobotForm(request.POST if request.method == "POST" else None)
    made: list[tuple[Robot, str]] = []

    def act() -> None:
        chosen = form.cleaned_data
        wanted = _wanted(form.permissions, chosen["name"], chosen["description"], False, form.duration)
        made.append(services.create(actor, wanted, project=None))

    if _changes_places(request):
        return _placed_again(request, form, _("New robot account"))
    if request.method == "POST" and submit(form, act, _REFUSALS):
        return _secret_page(request, *made[0], _("Robot account created"))
    return _form_page(request, form, _("New robot account"))


def _placed_again(request: HttpRequest, filled: SystemRobotForm, title: str, **more: Any) -> HttpResponse:
    """The form with a project more or less, everything else as it was; nothing is checked yet."""
    filled.place_again(request.POST)
    values = {name: request.POST.get(name, "") for name in filled.fields if name != "add_project"}
    known = "name" not in filled.fields
    return _form_page(request, SystemRobotForm(granted=filled.granted, initial=values, known=known), title, **more)


def _wanted(
    permissions: list[dict[str, Any]], name: str, description: str, disabled: bool, duration: int | None
) -> services.Wanted:
    return services.read_wanted(
        name=name,
        level=Robot.Level.SYSTEM,
        description=description,
        disable=disabled,
        duration=duration,
        permissions=permissions,
    )


@page("GET", "POST")
def edit(request: HttpRequest, robot: int) -> HttpResponse:
    actor = administrator(request, "robot:update")
    row = robot_or_404(robot)
    login, initial = robot_names.login(row), expiry_fields(row.duration) | {"description": row.description}
    data = request.POST if request.method == "POST" else None
    form = SystemRobotForm(data, granted=_granted(row), known=True, initial=initial)

    def act() -> None:
        about = form.cleaned_data["description"]
        services.update(actor, row.pk, _wanted(form.permissions, login, about, row.disabled, form.duration))

    if _changes_places(request):
        return _placed_again(request, form, _("Edit robot account"), login=login)
    if request.method == "POST" and submit(form, act, _REFUSALS):
        messages.success(request, _("The robot account was saved."))
        return redirect("portal:system-robot", row.pk)
    return _form_page(request, form, _("Edit robot account"), login=login)


def _secret_page(request: HttpRequest, robot: Robot, secret: str, title: str) -> HttpResponse:
    registry, alias = registry_for(request), robot_names.alias(robot)
    context = _frame(title) | {
        "robot": robot,
        "login": robot_names.login(robot),
        "alias": alias,
        "secret": secret,
        "login_command": robot_commands.login(registry, preferences.read(request).runtime, alias, secret),
        "kubectl_command": robot_commands.pull_secret(registry, f"{robot.name}-pull".replace("_", "-"), alias, secret),
    }
    response = render(request, "portal/administration/robot_secret.html", context)
    response["Cache-Control"] = "no-store"
    return response


@page("GET", "POST")
def secret(request: HttpRequest, robot: int) -> HttpResponse:
    """A new secret; the answer shows it when it was generated."""
    actor = administrator(request, "robot:update")
    row = robot_or_404(robot)
    form = SecretForm(request.POST if request.method == "POST" else None)
    made: list[str] = []

    def act() -> None:
        chosen = form.cleaned_data
        made.append(services.refresh_secret(actor, row.pk, secret=chosen["secret"], overlap_hours=chosen["overlap"]))

    if request.method == "POST" and submit(form, act):
        if made[0]:
            return _secret_page(request, robot_or_404(robot), made[0], _("New secret"))
        messages.success(request, _("The secret was changed."))
        return redirect("portal:system-robots")
    title = _("New secret for %(name)s") % named(robot_names.login(row))
    return form_page(request, form, _frame(title, submit=_("Make a new secret")))


@page("GET", "POST")
def toggle(request: HttpRequest, robot: int) -> HttpResponse:
    actor = administrator(request, "robot:update")
    row = robot_or_404(robot)

    def act(enabled: bool) -> None:
        wanted = _wanted(entries(_granted(row)), robot_names.login(row), row.description, not enabled, None)
        services.update(actor, row.pk, wanted)

    said = switch_words(row, reverse("portal:system-robots"))
    return ask_to_switch(request, said, act, enabled=not row.disabled)


@page("GET", "POST")
def delete(request: HttpRequest, robot: int) -> HttpResponse:
    actor = administrator(request, "robot:delete")
    row = robot_or_404(robot)
    name = robot_names.login(row)
    asked = Confirmation(
        title=_("Delete %(name)s?") % named(name),
        action=_("Delete robot account"),
        back=reverse("portal:system-robots"),
        consequences=[
            _("Its sign-ins are refused at once; tokens it holds end within a minute."),
            _("Its secret cannot be brought back, a new account of this name gets another one."),
        ],
    )
    done = _("%(name)s was deleted.") % named(name)
    return ask_first(request, asked, lambda: services.delete(actor, row.pk), done)

"""Robot accounts of a project."""

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
from auth.rbac import ROBOT_PROJECT_PERMISSIONS
from auth.selectors import robots as selectors
from auth.services import robots as services
from portal import preferences, robot_commands, robot_grants
from portal.forms.robots import ProjectRobotForm, SecretForm, expiry_fields
from portal.forms.submit import submit
from portal.isolation import named
from portal.listing import Listing
from portal.project_pages import Switch, ask_first, ask_to_switch, form_page, framed, open_project, row_menu
from portal.shortcuts import Confirmation, ProjectPage, actor_of, page, registry_for, respond

GRANTABLE = sorted(ROBOT_PROJECT_PERMISSIONS)
_REFUSALS = {"CONFLICT": ("name", gettext_lazy("This name is taken by a robot account or a user."))}


@page("GET")
def robot_list(request: HttpRequest, project: str) -> HttpResponse:
    """Query: ``q`` (part of a name), ``sort``, ``page``, ``page_size``."""
    found = open_project(request, project, sees="robot:list")
    listing = Listing(
        request,
        sorts={"name": "name", "expires": "expires_at", "used": "last_used_at", "created": "creation_time"},
        default="name",
    )
    rows = listing.fill(selectors.robots_in(found.project, name=listing.query))
    context = framed(found) | {
        "listing": listing,
        "rows": [described(row) | {"menu": menu(found, row)} for row in rows],
    }
    return respond(request, "portal/projects/robots.html", "portal/projects/_robots.html", context)


def described(robot: Robot) -> dict[str, Any]:
    """What lists and pages say of a robot."""
    granted = {name for entry in selectors.entries(robot) for name in entry.permissions}
    now = timezone.now()
    presets = {preset.key: preset.label for preset in robot_grants.presets(GRANTABLE)}
    until = robot.previous_secret_until
    return {
        "robot": robot,
        "login": robot_names.login(robot),
        "alias": robot_names.alias(robot),
        "granted": sorted(granted),
        "preset": presets.get(robot_grants.preset_of(granted, GRANTABLE), ""),
        "expired": robot.expires_at is not None and robot.expires_at <= now,
        "overlap": until if until and until > now else None,
    }


def menu(found: ProjectPage, row: Robot) -> list[dict[str, object]]:
    at = [found.project.pk, row.pk]
    items = []
    if found.may("robot:update"):
        toggle = (_("Enable"), "circle-play") if row.disabled else (_("Disable"), "circle-pause")
        items.append((_("Edit"), reverse("portal:robot-edit", args=at), "pencil", False))
        items.append((_("New secret"), reverse("portal:robot-secret", args=at), "key-round", False))
        items.append((toggle[0], reverse("portal:robot-toggle", args=at), toggle[1], False))
    if found.may("robot:delete"):
        items.append((_("Delete"), reverse("portal:robot-delete", args=at), "trash-2", True))
    made = row_menu(*items)
    for item in made:
        item["dialog"] = item["url"] != reverse("portal:robot-edit", args=at)  # the matrix wants the whole page
    return made


def robot_or_404(found: ProjectPage, robot_id: int) -> Robot:
    robot = selectors.robots_in(found.project).filter(pk=robot_id).first()
    if robot is None:
        raise Http404
    return robot


def robot_frame(found: ProjectPage, robot: Robot) -> dict[str, Any]:
    """Context of robots/frame.html."""
    at = [found.project.pk, robot.pk]
    return framed(found) | described(robot) | {
        "menu": menu(found, robot),
        "trust_count": robot.trusts.count(),
        "detail_url": reverse("portal:robot", args=at),
        "trusts_url": reverse("portal:trusts", args=at),
    }  # fmt: skip


@page("GET")
def robot_detail(request: HttpRequest, project: str, robot: int) -> HttpResponse:
    found = open_project(request, project, sees="robot:read")
    row = robot_or_404(found, robot)
    context = robot_frame(found, row)
    context["matrix"] = robot_grants.matrix(context["granted"], context["granted"])
    return render(request, "portal/robots/detail.html", context)


@page("GET", "POST")
def create(request: HttpRequest, project: str) -> HttpResponse:
    """The answer to the form shows the secret: nothing can show it again."""
    found = open_project(request, project, sees="robot:list", does="robot:create")
    form = ProjectRobotForm(request.POST if request.method == "POST" else None, grantable=GRANTABLE)
    made: list[tuple[Robot, str]] = []

    def act() -> None:
        wanted = _wanted(found, form, name=form.cleaned_data["name"], duration=form.duration, disabled=False)
        made.append(services.create(actor_of(request), wanted, project=found.project))

    if request.method == "POST" and submit(form, act, _REFUSALS):
        robot, secret = made[0]
        return _secret_page(request, found, robot, secret, _("Robot account created"))
    more = {"title": _("New robot account"), "back": reverse("portal:robots", args=[found.project.pk])}
    return form_page(request, found, "portal/robots/form.html", form, more)


def _wanted(
    found: ProjectPage, form: ProjectRobotForm, *, name: str, duration: int | None, disabled: bool
) -> services.Wanted:
    return _as_wanted(found, name, form.cleaned_data["description"], disabled, duration, sorted(form.granted))


def _as_wanted(
    found: ProjectPage, name: str, description: str, disabled: bool, duration: int | None, granted: list[str]
) -> services.Wanted:
    pairs = [permission.split(":") for permission in granted]
    return services.read_wanted(
        name=name,
        level=Robot.Level.PROJECT,
        description=description,
        disable=disabled,
        duration=duration,
        permissions=[
            {
                "kind": "project",
                "namespace": found.project.name,
                "access": [{"resource": resource, "action": action, "effect": ""} for resource, action in pairs],
            }
        ],
    )


def _secret_page(request: HttpRequest, found: ProjectPage, robot: Robot, secret: str, title: str) -> HttpResponse:
    registry, alias = registry_for(request), robot_names.alias(robot)
    context = robot_frame(found, robot) | {
        "title": title,
        "secret": secret,
        "login_command": robot_commands.login(registry, preferences.read(request).runtime, alias, secret),
        "kubectl_command": robot_commands.pull_secret(registry, f"{robot.name}-pull".replace("_", "-"), alias, secret),
    }
    response = render(request, "portal/robots/secret.html", context)
    response["Cache-Control"] = "no-store"
    return response


@page("GET", "POST")
def edit(request: HttpRequest, project: str, robot: int) -> HttpResponse:
    """Description, expiry and permissions."""
    found = open_project(request, project, sees="robot:read", does="robot:update")
    row = robot_or_404(found, robot)
    granted = described(row)["granted"]
    initial = expiry_fields(row.duration) | {
        "description": row.description,
        "preset": robot_grants.preset_of(granted, GRANTABLE),
        "permissions": granted,
    }
    form = ProjectRobotForm(
        request.POST if request.method == "POST" else None, known=True, grantable=GRANTABLE, initial=initial
    )

    def act() -> None:
        wanted = _wanted(found, form, name=robot_names.login(row), duration=form.duration, disabled=row.disabled)
        services.update(actor_of(request), row.pk, wanted)

    if request.method == "POST" and submit(form, act):
        messages.success(request, _("The robot account was saved."))
        return redirect("portal:robot", found.project.pk, row.pk)
    more = {
        "title": _("Edit robot account"),
        "back": reverse("portal:robot", args=[found.project.pk, row.pk]),
        "login": robot_names.login(row),
    }
    return form_page(request, found, "portal/robots/form.html", form, more)


@page("GET", "POST")
def secret(request: HttpRequest, project: str, robot: int) -> HttpResponse:
    """A new secret; the answer shows it when it was generated."""
    found = open_project(request, project, sees="robot:read", does="robot:update")
    row = robot_or_404(found, robot)
    form = SecretForm(request.POST if request.method == "POST" else None)
    made: list[str] = []

    def act() -> None:
        chosen = form.cleaned_data
        made.append(
            services.refresh_secret(actor_of(request), row.pk, secret=chosen["secret"], overlap_hours=chosen["overlap"])
        )

    back = reverse("portal:robot", args=[found.project.pk, row.pk])
    if request.method == "POST" and submit(form, act):
        if made[0]:
            return _secret_page(request, found, robot_or_404(found, robot), made[0], _("New secret"))
        messages.success(request, _("The secret was changed."))
        return redirect(back)
    more = {
        "title": _("New secret for %(name)s") % named(robot_names.login(row)),
        "submit": _("Make a new secret"),
        "back": back,
    }
    return form_page(request, found, "portal/projects/form.html", form, more)


@page("GET", "POST")
def toggle(request: HttpRequest, project: str, robot: int) -> HttpResponse:
    found = open_project(request, project, sees="robot:read", does="robot:update")
    row = robot_or_404(found, robot)

    def act(enabled: bool) -> None:
        granted = described(row)["granted"]
        wanted = _as_wanted(found, robot_names.login(row), row.description, not enabled, None, granted)
        services.update(actor_of(request), row.pk, wanted)

    said = switch_words(row, reverse("portal:robots", args=[found.project.pk]))
    return ask_to_switch(request, said, act, enabled=not row.disabled)


def switch_words(robot: Robot, back: str) -> Switch:
    name = named(robot_names.login(robot))
    return Switch(
        title=(_("Enable %(name)s?") % name, _("Disable %(name)s?") % name),
        consequence=(
            _("It signs in again with the secret it had."),
            _("Its sign-ins are refused at once; tokens it holds end within a minute."),
        ),
        done=(_("%(name)s was enabled.") % name, _("%(name)s was disabled.") % name),
        back=back,
    )


@page("GET", "POST")
def delete(request: HttpRequest, project: str, robot: int) -> HttpResponse:
    found = open_project(request, project, sees="robot:read", does="robot:delete")
    row = robot_or_404(found, robot)
    name = robot_names.login(row)
    asked = Confirmation(
        title=_("Delete %(name)s?") % named(name),
        action=_("Delete robot account"),
        back=reverse("portal:robots", args=[found.project.pk]),
        consequences=[
            _("Its sign-ins are refused at once; tokens it holds end within a minute."),
            _("Its secret cannot be brought back, a new account of this name gets another one."),
        ],
    )
    done = _("%(name)s was deleted.") % named(name)
    return ask_first(request, asked, lambda: services.delete(actor_of(request), row.pk), done)

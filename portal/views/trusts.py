"""Trusts of a robot: whose tokens stand for it, so that no secret has to be stored anywhere."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from auth.models import Robot, RobotTrust
from auth.selectors.trusts import trust_get
from auth.services import trusts as services
from portal.administration import administrator
from portal.forms.robots import TrustForm
from portal.forms.submit import STATUS_WRONG, submit
from portal.isolation import named
from portal.listing import Listing
from portal.project_pages import ask_first, open_project, row_menu
from portal.shortcuts import Confirmation, actor_of, page, registry_for, respond
from portal.views.administration import robots as system_robots
from portal.views.project import robots as project_robots
from projects import access
from projects.models import Project

_REFUSALS = {"CONFLICT": ("name", gettext_lazy("The robot account has a trust of this name already."))}
# What a trust of each kind begins with: its name, issuer and claims. Words in capitals are to be replaced.
PRESETS = {
    "github": (
        "GitHub Actions",
        "https://token.actions.githubusercontent.com",
        "sub = repo:OWNER/REPOSITORY:ref:refs/heads/main",
    ),
    "gitlab": ("GitLab CI/CD", "https://gitlab.com", "sub = project_path:GROUP/PROJECT:ref_type:branch:ref:main"),
    "kubernetes": (
        "Kubernetes",
        "https://kubernetes.default.svc.cluster.local",
        "sub = system:serviceaccount:NAMESPACE:SERVICE_ACCOUNT",
    ),
}


@dataclass(frozen=True, slots=True)
class Owned:
    """A robot of a project, or of the system where there is none, and what one may do with it. ``context`` is that of
    its frame."""

    robot: Robot
    project: Project | None
    actions: frozenset[str]
    context: dict[str, Any]

    def url(self, name: str, *args: int) -> str:
        """``name`` is the page's in a project; those of the system are called alike."""
        if self.project is None:
            return reverse(f"portal:system-{name}", args=[self.robot.pk, *args])
        return reverse(f"portal:{name}", args=[self.project.pk, self.robot.pk, *args])


def _open(request: HttpRequest, project: str, robot: int, does: str = "") -> Owned:
    """``project`` is empty for the system. 404 for who may not see the robot, 403 for who may not do this."""
    names = ("create", "update", "delete")
    if project:
        found = open_project(request, project, sees="robot:read", does=f"robot:{does}" if does else "")
        row = project_robots.robot_or_404(found, robot)
        actions = frozenset(name for name in names if found.may(f"robot:{name}"))
        return Owned(row, found.project, actions, project_robots.robot_frame(found, row))
    actor = administrator(request, f"robot:{does or 'read'}")
    row = system_robots.robot_or_404(robot)
    actions = frozenset(name for name in names if access.can(actor, f"robot:{name}"))
    return Owned(row, None, actions, system_robots.robot_frame(row))


@page("GET")
def trust_list(request: HttpRequest, robot: int, project: str = "") -> HttpResponse:
    owned = _open(request, project, robot)
    listing = Listing(request, sorts={"name": "name", "used": "last_used_at"}, default="name")
    context = owned.context | {
        "listing": listing,
        "rows": [(trust, _menu(owned, trust)) for trust in listing.fill(owned.robot.trusts.all())],
        "presets": [(key, words) for key, (words, _issuer, _claims) in PRESETS.items()],
        "new_url": owned.url("trust-new") if "create" in owned.actions else "",
    }
    return respond(request, "portal/robots/trusts.html", "portal/robots/_trusts.html", context)


def _menu(owned: Owned, trust: RobotTrust) -> list[dict[str, object]]:
    items = []
    if "update" in owned.actions:
        items.append((_("Edit"), owned.url("trust", trust.pk), "pencil", False))
    if "delete" in owned.actions:
        items.append((_("Delete"), owned.url("trust-delete", trust.pk), "trash-2", True))
    return row_menu(*items)


@page("GET", "POST")
def create(request: HttpRequest, robot: int, project: str = "") -> HttpResponse:
    """Query: ``preset``, one of PRESETS, fills in what is known of that kind of issuer."""
    owned = _open(request, project, robot, "create")
    words, issuer, claims = PRESETS.get(request.GET.get("preset", ""), ("", "", ""))
    initial = {"name": words, "issuer": issuer, "claims": claims, "audience": registry_for(request).host}
    form = TrustForm(request.POST if request.method == "POST" else None, initial=initial)

    def act() -> None:
        services.create(actor_of(request), owned.robot, form.wanted)

    if request.method == "POST" and submit(form, act, _REFUSALS):
        messages.success(request, _("Tokens of %(issuer)s are trusted now.") % {"issuer": form.cleaned_data["issuer"]})
        return redirect(owned.url("trusts"))
    return _form(request, owned, form, _("New trust"))


@page("GET", "POST")
def edit(request: HttpRequest, robot: int, trust: int, project: str = "") -> HttpResponse:
    owned = _open(request, project, robot, "update")
    kept = trust_get(owned.robot, trust)
    initial = {
        "name": kept.name,
        "issuer": kept.issuer,
        "audience": kept.audience,
        "claims": "\n".join(f"{name} = {pattern}" for name, pattern in kept.claims.items()),
        "jwks_uri": kept.jwks_uri,
        "jwks": kept.jwks,
        "ca_certificate": kept.ca_certificate,
    }
    form = TrustForm(request.POST if request.method == "POST" else None, initial=initial)

    def act() -> None:
        services.update(actor_of(request), owned.robot, kept.pk, form.wanted)

    if request.method == "POST" and submit(form, act, _REFUSALS):
        messages.success(request, _("The trust was saved."))
        return redirect(owned.url("trusts"))
    return _form(request, owned, form, _("Edit trust"))


def _form(request: HttpRequest, owned: Owned, form: TrustForm, title: str) -> HttpResponse:
    context = owned.context | {"title": title, "submit": _("Save"), "back": owned.url("trusts"), "form": form}
    template = f"portal/{'projects' if owned.project else 'administration'}/form.html"
    return render(request, template, context, status=STATUS_WRONG if form.errors else 200)


@page("GET", "POST")
def delete(request: HttpRequest, robot: int, trust: int, project: str = "") -> HttpResponse:
    owned = _open(request, project, robot, "delete")
    kept = trust_get(owned.robot, trust)
    asked = Confirmation(
        title=_("Delete trust %(name)s?") % named(kept.name),
        action=_("Delete trust"),
        back=owned.url("trusts"),
        consequences=[
            _("Tokens of %(issuer)s no longer stand for this robot account.") % {"issuer": kept.issuer},
            _("Registry tokens that were issued by it end within a minute."),
        ],
    )
    done = _("Trust %(name)s was deleted.") % named(kept.name)
    return ask_first(request, asked, lambda: services.delete(actor_of(request), owned.robot, kept.pk), done)

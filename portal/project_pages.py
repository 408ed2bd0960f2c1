"""What every page of a project begins with: may one see it, may one do this there, and the frame around it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from harbor_core.lib.errors import HarborError
from portal.forms.submit import STATUS_WRONG
from portal.shortcuts import Confirmation, ProjectPage, confirm, confirmed, project_or_404


def open_project(request: HttpRequest, reference: str, *, sees: str, does: str = "") -> ProjectPage:
    """404 for who lacks the permission ``sees``, 403 for who sees it but may not do this."""
    found = project_or_404(request, reference, sees)
    if does and not found.may(does):
        raise HarborError("FORBIDDEN")
    return found


def framed(found: ProjectPage) -> dict[str, Any]:
    """Context of portal/projects/frame.html."""
    return {"found": found, "project": found.project, "permissions": found.access.permissions}


def form_page(
    request: HttpRequest, found: ProjectPage, template: str, form: Any, more: Mapping[str, Any] | None = None
) -> HttpResponse:
    """A form as it was filled in; with an error status where it was refused."""
    context = framed(found) | {"form": form} | dict(more or {})
    return render(request, template, context, status=STATUS_WRONG if form.errors else 200)


def ask_first(request: HttpRequest, asked: Confirmation, act: Callable[[], object], done: str) -> HttpResponse:
    """What cannot be taken back: says what would happen, and does it when that was confirmed."""
    if not confirmed(request, asked):
        wrong = request.method == "POST"
        error = _("This is not the word that was asked for.") if wrong else ""
        return confirm(request, asked, status=STATUS_WRONG if wrong else 200, error=error)
    act()
    messages.success(request, done)
    return redirect(asked.back)


@dataclass(frozen=True, slots=True)
class Switch:
    """What is said where something is enabled or disabled; each is a pair, the first for enabling."""

    title: tuple[str, str]
    consequence: tuple[str, str]
    done: tuple[str, str]
    back: str


def ask_to_switch(request: HttpRequest, said: Switch, act: Callable[[bool], object], *, enabled: bool) -> HttpResponse:
    """Enable what is disabled, disable what is ``enabled``; ``act`` is told which. What was asked counts, whatever
    somebody else did meanwhile."""
    wanted = request.POST.get("enabled") == "1" if request.method == "POST" else not enabled
    at = 0 if wanted else 1
    asked = Confirmation(
        title=said.title[at],
        action=_("Enable") if wanted else _("Disable"),
        back=said.back,
        consequences=[said.consequence[at]],
        fields=[("enabled", "1" if wanted else "0")],
        danger=not wanted,
    )
    return ask_first(request, asked, lambda: act(wanted), said.done[at])


def row_menu(*items: tuple[str, str, str, bool]) -> list[dict[str, object]]:
    """(what it says, where it leads, icon, dangerous) for components/_menu.html; all of them open in the dialog."""
    return [
        {"label": label, "url": url, "icon": icon, "danger": danger, "dialog": True}
        for label, url, icon, danger in items
    ]


def switch_menu(found: ProjectPage, row: int, *, resource: str, route: str, enabled: bool) -> list[dict[str, object]]:
    """What one may do with a row that can be switched off: ``resource`` is that of its permissions, ``route`` the name
    of its page, which those of the actions begin with."""
    at = [found.project.pk, row]
    items = []
    if found.may(f"{resource}:update"):
        label, icon = (_("Disable"), "circle-pause") if enabled else (_("Enable"), "circle-play")
        items.append((_("Edit"), reverse(route, args=at), "pencil", False))
        items.append((label, reverse(f"{route}-toggle", args=at), icon, False))
    if found.may(f"{resource}:delete"):
        items.append((_("Delete"), reverse(f"{route}-delete", args=at), "trash-2", True))
    return row_menu(*items)

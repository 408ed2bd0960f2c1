"""What every page of webhooks begins with: whose they are, and the frame around them."""

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from harbor_core.lib.errors import HarborError
from portal.administration import administrator
from portal.project_pages import framed, open_project
from projects import access
from projects.models import Project, WebhookPolicy
from projects.selectors import webhooks as selectors

RESOURCE = "notification-policy"
ACTIONS = ("create", "read", "update", "delete", "list")


@dataclass(frozen=True, slots=True)
class Owner:
    """A project, or the system where there is none. ``context`` is that of its frame."""

    project: Project | None
    actions: frozenset[str]
    context: dict[str, Any]

    def url(self, name: str, *args: int) -> str:
        """``name`` is the page's in a project; those of the system are called alike."""
        return reverse(
            f"portal:{name}" if self.project else f"portal:system-{name}",
            args=[self.project.pk, *args] if self.project else args,
        )

    def policy(self, webhook: int) -> WebhookPolicy:
        """404 for one it does not have."""
        try:
            return selectors.policy_get(self.project, webhook)
        except HarborError as error:
            raise Http404 from error

    @property
    def form(self) -> str:
        """The template of its forms."""
        return f"portal/{'projects' if self.project else 'administration'}/form.html"


def open_owner(request: HttpRequest, project: str, does: str = "") -> Owner:
    """``project`` is empty for the system. 404 for who may not see its webhooks, 403 for who may not do this."""
    if project:
        found = open_project(request, project, sees=f"{RESOURCE}:list", does=f"{RESOURCE}:{does}" if does else "")
        actions = frozenset(action for action in ACTIONS if found.may(f"{RESOURCE}:{action}"))
        return Owner(found.project, actions, framed(found) | {"frame": "portal/projects/frame.html"})
    actor = administrator(request, f"{RESOURCE}:{does or 'list'}")
    actions = frozenset(action for action in ACTIONS if access.can(actor, f"{RESOURCE}:{action}"))
    frame = {"frame": "portal/administration/webhooks.html", "above": _("Webhooks")}
    return Owner(None, actions, frame)

"""What every page does: who asks, may they see it, and which half of the page to answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy

from auth.actor import ANONYMOUS, Actor
from auth.authentication import session_actor
from harbor_core.lib import tracing
from harbor_core.lib.errors import HarborError
from harbor_core.lib.public import public_url
from harbor_core.services.config import config_get
from portal import preferences
from portal.commands import Registry, registry_of
from portal.resume import ask_again
from portal.views.errors import error_page
from projects import access
from projects.access import ProjectAccess
from projects.models import Project, Repository
from projects.selectors import browsing

P = ParamSpec("P")
_READ_ONLY = gettext_lazy("The registry is read-only at the moment: pulls work, pushes and deletions are refused.")
_REDIRECTS = (301, 302, 303)
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def page(*methods: str, works_read_only: bool = False, anonymous: bool = False) -> Callable[[View[P]], View[P]]:
    """A page that answers these methods and no other. Expected failures become error pages; nothing is kept by shared
    caches, since what is shown depends on who asks. Forms are refused in read-only mode unless ``works_read_only``, and
    need somebody signed in unless ``anonymous``: what was typed is kept while one signs in again."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method not in allowed:
                response = error_page(request, 405)
                response["Allow"] = ", ".join(sorted(allowed))
                return response
            actor = actor_of(request)
            preferences.apply(request)
            if request.method == "POST" and not anonymous and not actor.is_authenticated:
                return ask_again(request)
            if request.method == "POST" and not works_read_only and config_get("read_only"):
                return error_page(request, 403, text=str(_READ_ONLY))
            try:
                response = view(request, *args, **kwargs)
            except HarborError as error:
                response = error_page(request, error.status)
                for name, value in error.headers.items():
                    response[name] = value
            if getattr(request, "htmx", None) and response.status_code in _REDIRECTS:
                response = _led_on(request, response)
            patch_cache_control(response, private=True, no_cache=True)
            patch_vary_headers(response, ("Cookie", "Accept-Language", "HX-Request"))
            return response

        return wrapped

    allowed = frozenset(methods) | ({"HEAD"} if "GET" in methods else set())
    return decorate


def _led_on(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """A script would follow a redirect by itself and put the page into the place of a part: let the browser go. Who is
    led back to the list that they came from finds it filtered and sorted as it was."""
    here, there = request.htmx.current_url_abs_path or "", response["Location"]  # type: ignore[attr-defined]  # HtmxMiddleware
    led = HttpResponse(status=204)
    led.cookies = response.cookies
    led["HX-Redirect"] = here if here.partition("?")[0] == there else there
    return led


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in user or anonymous; read once per request. Pages know sessions only, no other credential."""
    if not hasattr(request, "portal_actor"):
        actor = session_actor(request) or ANONYMOUS
        request.portal_actor = actor  # type: ignore[attr-defined]  # for the rest of the request
        tracing.acting(actor)
    return request.portal_actor  # type: ignore[attr-defined]


def registry_for(request: HttpRequest) -> Registry:
    """The address under which this browser reaches us, so that shown commands work from where it stands; on pages of a
    private project with who has to sign in there."""
    found = registry_of(public_url(request.META.get("HTTP_HOST", "")))
    page: ProjectPage | None = getattr(request, "portal_project", None)
    actor = actor_of(request)
    if page is None or page.project.public or not actor.is_authenticated:
        return found
    return replace(found, user=actor.name)


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """A project somebody may see, and what they may do in it."""

    project: Project
    access: ProjectAccess

    def may(self, permission: str) -> bool:
        return permission in self.access.permissions


def project_or_404(request: HttpRequest, reference: str, permission: str) -> ProjectPage:
    """What one may not see does not exist: both are 404, and alike. Two queries and those of the session."""
    project = access.find_project(reference)
    if project is not None:
        granted = access.project_access(actor_of(request), project.name)
        if granted is not None and permission in granted.permissions:
            found = ProjectPage(project, granted)
            request.portal_project = found  # type: ignore[attr-defined]  # for its tabs
            return found
    raise Http404


def repository_or_404(page: ProjectPage, name: str) -> Repository:
    """``name`` inside the project."""
    repository = browsing.repository_find(page.project, name)
    if repository is None:
        raise Http404
    return repository


def respond(request: HttpRequest, template: str, partial: str, context: dict[str, Any]) -> HttpResponse:
    """The whole page, or to htmx only the part that it puts in place."""
    htmx = getattr(request, "htmx", None)
    wants_part = htmx and not htmx.boosted and not htmx.history_restore_request
    return render(request, partial if wants_part else template, context)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a person is asked before something cannot be taken back. ``consequences`` are sentences; with ``blockers``
    it cannot be done and they say why. ``fields`` are hidden inputs that the form carries along; ``typed`` is a word
    that has to be typed, for what would hurt most. Without ``danger`` nothing is lost by it."""

    title: str
    action: str
    back: str
    consequences: Sequence[str] = ()
    blockers: Sequence[str] = ()
    fields: Sequence[tuple[str, str]] = ()
    typed: str = ""
    text: str = ""
    danger: bool = True


def confirm(request: HttpRequest, asked: Confirmation, *, status: int = 200, error: str = "") -> HttpResponse:
    """Ask, as a page or in the dialog. The form posts to where it was shown."""
    context = {"confirmation": asked, "error": error}
    return render(request, "portal/components/confirm.html", context, status=status)


def confirmed(request: HttpRequest, asked: Confirmation) -> bool:
    """Was the form sent, with the word typed where one is asked for?"""
    return request.method == "POST" and (not asked.typed or request.POST.get("typed", "").strip() == asked.typed)


def safe_next(value: str) -> str:
    """A path of this site to go back to, empty for anything else."""
    inside = value.startswith("/") and url_has_allowed_host_and_scheme(value, allowed_hosts=None)
    return value if inside else ""

from datetime import UTC, date, datetime, time
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from auth.actor import Actor
from portal.forms.project import PATTERNS, SettingsForm
from portal.forms.submit import submit
from portal.project_pages import form_page, open_project
from portal.shortcuts import actor_of, page
from projects import access
from projects.models import CVEAllowlist, Project
from projects.selectors.projects import allowlist_of
from projects.services import metadata, projects
from projects.services.allowlist import get as allowlist_get

_DEFAULTS = {
    "severity": "low",
    "reuse_sys_cve_allowlist": "true",
    "proxy_speed_kb": "-1",
    "max_upstream_conn": "-1",
    "proxy_cache_filter_kind": "doublestar",
    "proxy_cache_freshness": "always",
}
_ON = {"proxy_cache_local_on_not_found": "true"}  # flags that are on unless they were switched off


@page("GET", "POST")
def configuration(request: HttpRequest, project: str) -> HttpResponse:
    """Settings of a project, for who may not change them as they are."""
    change = "project:update" if request.method == "POST" else ""
    found = open_project(request, project, sees="configuration:read", does=change)
    allowlist = allowlist_of(found.project)
    form = SettingsForm(
        request.POST if request.method == "POST" else None,
        project=found.project,
        administers=access.can(actor_of(request), "project:create"),
        initial=_initial(found.project, allowlist),
    )
    if request.method == "POST" and submit(form, lambda: _store(actor_of(request), found.project, form)):
        messages.success(request, _("The settings were saved."))
        return redirect("portal:project-configuration", found.project.pk)
    locked = not (found.may("configuration:update") and found.may("project:update"))
    if locked:
        for field in form.fields.values():
            field.disabled = True
    more = {"locked": locked, "system_list": allowlist_get(None)}
    return form_page(request, found, "portal/projects/configuration.html", form, more)


def _initial(project: Project, allowlist: CVEAllowlist) -> dict[str, Any]:
    values: dict[str, Any] = _DEFAULTS | _ON | metadata.shown(project)
    flags = {name: value == "true" for name, value in values.items() if name not in _DEFAULTS}
    pattern = {name: values.get(name, "") for name in PATTERNS}
    expires = allowlist.expires_at
    return (
        values
        | flags
        | pattern
        | {
            "allowlist": "\n".join(allowlist.items),
            "expires": _day(expires) if expires is not None else None,
        }
    )


def _day(seconds: int) -> date:
    """UTC; what lies beyond the calendar is its last day."""
    try:
        return datetime.fromtimestamp(seconds, UTC).date()
    except (OverflowError, ValueError, OSError):
        return date.max


def _store(actor: Actor, project: Project, form: SettingsForm) -> None:
    chosen = form.cleaned_data
    day = chosen["expires"]
    expires = int(datetime.combine(day, time.max, UTC).timestamp()) if day else None
    if "expires" not in form.changed_data:
        expires = allowlist_of(project).expires_at
    cves = None
    if {"allowlist", "expires"} & set(form.changed_data):
        cves = projects.Allowlist(chosen["allowlist"], expires)
    projects.update(actor, project.pk, form.metadata, cves=cves)

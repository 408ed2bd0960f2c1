from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.utils.translation import gettext as _

from auth.rbac import ROLE_ORDER
from harbor_core.selectors import activity
from portal.charts import Bar, BarChart
from portal.project_pages import framed, open_project
from portal.shortcuts import page
from portal.templatetags.portal import size
from portal.trends import activity_chart, storage_chart
from projects.models.quota import UNLIMITED
from projects.selectors import storage
from projects.selectors.projects import Summary, allowlist_of
from projects.selectors.projects import summary as project_summary
from projects.selectors.repositories import RepositorySize, largest_repositories

LARGEST = 8


@page("GET")
def summary(request: HttpRequest, project: str) -> HttpResponse:
    """A project at a glance: how full, how many, whose, what happens in it, and what takes the space."""
    found = open_project(request, project, sees="project:read")
    figures = project_summary(found.project, found.access.permissions)
    largest = largest_repositories(found.project, LARGEST) if found.may("repository:list") else []
    over_time = storage.in_project(found.project.pk, figures.used) if figures.used is not None else None
    context = framed(found) | {
        "figures": figures,
        "quota": _quota(figures),
        "members": [(role.value, (figures.members or {}).get(role, 0)) for role in ROLE_ORDER],
        "over_time": storage_chart(over_time) if over_time else None,
        "activity": activity_chart(activity.per_day_in(found.project.pk)) if found.may("log:list") else None,
        "largest": _largest_chart(largest) if largest else None,
        "allowlist": allowlist_of(found.project),
    }
    return render(request, "portal/projects/summary.html", context)


def _largest_chart(found: list[RepositorySize]) -> BarChart:
    """What a repository has for itself, and what others have too."""
    bars = []
    for item in found:
        shared = item.size - item.own
        text = _("%(size)s, %(shared)s of it shared") % {"size": size(item.size), "shared": size(shared)}
        name = item.repository.name.partition("/")[2]
        url = resolve_url("portal:repository", item.repository.project_id, name)
        parts = [(item.own, "accent"), (shared, "second")]
        bars.append(Bar(name, text if shared else size(item.size), parts, url))
    legend = [(_("only here"), "accent"), (_("in other repositories, too"), "second")]
    return BarChart(_("Largest repositories"), bars, legend)


def _quota(figures: Summary) -> dict[str, object] | None:
    """Percent 0 to 100 (None without a limit) and how serious that is."""
    if figures.hard is None or figures.used is None:
        return None
    if figures.hard == UNLIMITED:
        return {"used": figures.used, "hard": None, "percent": None, "state": "accent"}
    percent = min(100, figures.used * 100 // figures.hard)
    state = "danger" if percent >= 95 else "warning" if percent >= 85 else "accent"
    return {"used": figures.used, "hard": figures.hard, "percent": percent, "state": state}

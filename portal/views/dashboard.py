"""The first look: how much there is, what happened, who needs room."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.utils.translation import gettext as _

from harbor_core.selectors import activity
from portal import system_log
from portal.charts import Bar, BarChart
from portal.shortcuts import actor_of, page
from portal.templatetags.portal import size
from portal.trends import activity_chart, storage_chart
from portal.views.profile import asked_to_sign_in
from projects.models import Quota
from projects.selectors import overview, storage
from projects.selectors.overview import LargeRepository
from projects.selectors.projects import statistics

_SHOWN, _RECENT = 8, 10


@page("GET")
def dashboard(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    if not actor.is_authenticated:
        return asked_to_sign_in(request)
    quotas = overview.project_storage(actor, _SHOWN)
    days = activity.per_day(actor)
    context = {
        "statistics": statistics(actor),
        "activity": activity_chart(days) if days else None,
        "over_time": storage_chart(storage.by_project(actor)) if quotas else None,
        "storage": _storage_chart(quotas),
        "largest": _largest_chart(overview.largest_repositories(actor, _SHOWN)),
        "quotas": [quota for quota in quotas if quota.hard >= 0],
        "own": quotas,
        "recent": system_log.described(activity.newest(actor, _RECENT)),
    }
    return render(request, "portal/dashboard.html", context)


def _storage_chart(quotas: list[Quota]) -> BarChart:
    used = [quota for quota in quotas if quota.total]  # type: ignore[attr-defined]  # annotated
    bars = [
        Bar(
            quota.project.name,
            size(quota.total),  # type: ignore[attr-defined]  # annotated
            [(quota.total, "accent")],  # type: ignore[attr-defined]  # annotated
            resolve_url("portal:project", quota.project_id),
        )
        for quota in used
    ]
    return BarChart(_("Storage by project"), bars)


def _largest_chart(found: list[LargeRepository]) -> BarChart:
    bars = [
        Bar(
            item.name,
            size(item.size),
            [(item.size, "accent")],
            resolve_url("portal:repository", item.project_id, item.name.partition("/")[2]),
        )
        for item in found
    ]
    return BarChart(_("Largest repositories"), bars)

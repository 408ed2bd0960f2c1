"""Storage limits of projects."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from harbor_core.services import configurations
from harbor_core.services.config import config_get, is_pinned
from jobservice.services import system_jobs
from portal.administration import administrator, form_page, list_page, page
from portal.forms.quotas import QuotaForm, limit_fields
from portal.forms.submit import submit
from portal.isolation import named
from portal.listing import Listing
from portal.project_pages import ask_first, row_menu
from portal.shortcuts import Confirmation
from portal.templatetags.portal import size
from portal.trends import storage_chart
from projects.models import Quota
from projects.models.quota import UNLIMITED
from projects.selectors import quotas as selectors
from projects.selectors import storage
from projects.services import quota as services


@page("GET")
def quota_list(request: HttpRequest) -> HttpResponse:
    """Query: ``q`` (part of a project's name), ``sort``, ``page``, ``page_size``."""
    actor = administrator(request, "quota:list")
    sorts = {"used": "total", "limit": "hard", "project": "project__name"}
    listing = Listing(request, sorts=sorts, default="-used")
    found = selectors.with_usage().filter(project__deleted=False)
    rows = listing.fill(found.filter(project__name__icontains=listing.query) if listing.query else found)
    default = config_get("storage_per_project")
    extra = [(_("Count usage again"), reverse("portal:quota-resync"), True, "refresh-cw")]
    if not is_pinned("storage_per_project"):
        extra.insert(0, (_("Default limit"), reverse("portal:quota-default"), True, "pencil"))
    off = _("Limits are switched off: usage is counted, nothing is refused.")
    limit = _("none") if default == UNLIMITED else size(default)
    context = {
        "title": _("Quotas"),
        "about": _("Limit for new projects: %(limit)s.") % {"limit": limit},
        "notice": "" if config_get("quota_per_project_enable") else off,
        "filter_label": _("Filter by project"),
        "listing": listing,
        "rows": [(row, int(row.total), _menu(row)) for row in rows],
        "extra": extra,
        "lead": "portal/administration/_quota_chart.html",
        "over_time": storage_chart(storage.by_project(actor)),
    }
    return list_page(request, "_quotas", context)


def _menu(row: Quota) -> list[dict[str, object]]:
    return row_menu((_("Change limit"), reverse("portal:quota", args=[row.pk]), "pencil", False))


def _frame(title: str, text: str = "") -> dict[str, Any]:
    back = reverse("portal:quotas")
    return {"title": title, "submit": _("Save"), "back": back, "above": _("Quotas"), "text": text}


@page("GET", "POST")
def edit(request: HttpRequest, quota: int) -> HttpResponse:
    actor = administrator(request, "quota:update")
    row = selectors.quota_get(quota)
    form = QuotaForm(request.POST if request.method == "POST" else None, initial=limit_fields(row.hard))
    if request.method == "POST" and submit(form, lambda: services.set_limit(actor, row.pk, form.bytes)):
        messages.success(request, _("The limit of %(name)s was changed.") % named(row.project.name))
        return redirect("portal:quotas")
    used = _("%(size)s are in use.") % {"size": size(int(row.total))}  # type: ignore[attr-defined]  # annotated by the selector
    return form_page(request, form, _frame(_("Storage limit of %(name)s") % named(row.project.name), used))


@page("GET", "POST")
def default(request: HttpRequest) -> HttpResponse:
    """What new projects get."""
    actor = administrator(request, "configuration:update")
    initial = limit_fields(config_get("storage_per_project"))
    form = QuotaForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and submit(
        form, lambda: configurations.update(actor, {"storage_per_project": form.bytes})
    ):
        messages.success(request, _("The limit for new projects was changed."))
        return redirect("portal:quotas")
    return form_page(request, form, _frame(_("Limit for new projects"), _("Projects there are keep their limits.")))


@page("GET", "POST")
def resync(request: HttpRequest) -> HttpResponse:
    actor = administrator(request, "quota:update")
    asked = Confirmation(
        title=_("Count usage again?"),
        action=_("Count again"),
        danger=False,
        back=reverse("portal:quotas"),
        consequences=[
            _("The usage of every project is counted anew from its artifacts, and corrected where it is wrong."),
            _("This takes a while in the background; pushes go on meanwhile."),
        ],
    )
    done = _("Counting has begun. The numbers are right when it is through.")
    return ask_first(request, asked, lambda: system_jobs.start(actor, "QUOTA_SYNC", {}), done)

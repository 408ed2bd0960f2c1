"""Garbage collection and log rotation: run, schedule, watch and stop."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from harbor_core.lib.errors import HarborError
from jobservice.models import Execution
from jobservice.selectors import executions as selectors
from jobservice.services import gc, purge, system_jobs
from jobservice.states import FINAL, SYSTEM
from portal.administration import administrator, form_page, list_page, page
from portal.forms.jobs import CollectionForm, PurgeForm
from portal.forms.submit import submit
from portal.job_facts import facts
from portal.job_schedules import Scheduled, schedule_page, schedule_text
from portal.job_words import TRIGGERS, badge_of, run_rows
from portal.listing import Listing
from portal.logview import log_chunk, offset_of
from portal.project_pages import ask_first
from portal.shortcuts import Confirmation
from portal.trends import collection_chart, collection_rate
from projects import access
from projects.selectors import collection
from projects.services.collection import retry_parked

DAYS, PARKED_SHOWN = 30, 50


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of job: where its pages are, and what its parameters are asked with."""

    job_type: str
    route: str
    permission: str
    title: str | Promise
    now: str | Promise
    form: Callable[..., Any]
    checked: Callable[[Mapping[str, Any]], dict[str, Any]]
    lead: str = ""


JOBS = {
    "gc": Job(
        "GARBAGE_COLLECTION",
        "gc",
        "garbage-collection",
        gettext_lazy("Garbage collection"),
        gettext_lazy("Collect now"),
        CollectionForm,
        gc.checked,
        "portal/jobs/_gc.html",
    ),
    "audit-log-purge": Job(
        "PURGE_AUDIT_LOG",
        "audit-log-purge",
        "purge-audit",
        gettext_lazy("Log rotation"),
        gettext_lazy("Purge now"),
        PurgeForm,
        purge.checked,
    ),
}


def _job(name: str) -> Job:
    if name not in JOBS:
        raise Http404
    return JOBS[name]


@page("GET")
def run_list(request: HttpRequest, job: str) -> HttpResponse:
    found = _job(job)
    actor = administrator(request, f"{found.permission}:list")
    listing = Listing(request, sorts={"started": "start_time"}, default="-started")
    rows = listing.fill(selectors.executions([found.job_type], [SYSTEM]))
    create = (found.now, reverse("portal:job-run", args=[job]), True)
    context = {
        "title": found.title,
        "listing": listing,
        "rows": run_rows(rows, selectors.progress(rows), lambda run: reverse("portal:job-execution", args=[job, run])),
        "alive": any(row.end_time is None for row in rows),
        "about": schedule_text(found.job_type),
        "create": create if _may(actor, found, "create") else None,
        "extra": [(_("Schedule"), reverse("portal:job-schedule", args=[job]), True, "calendar-clock")],
        "lead": found.lead,
    }
    if job == "gc":
        context |= _collection()
    return list_page(request, "../jobs/_runs", context)


def _collection() -> dict[str, Any]:
    days = collection.days(DAYS)
    return {
        "state": collection.state(),
        "parked": collection.parked()[:PARKED_SHOWN],
        "collected": collection_chart(days),
        "rate": collection_rate(days),
    }


def _may(actor: Any, job: Job, action: str) -> bool:
    return access.can(actor, f"{job.permission}:{action}")


@page("GET", "POST")
def run(request: HttpRequest, job: str) -> HttpResponse:
    found = _job(job)
    actor = administrator(request, f"{found.permission}:create")
    form = found.form(request.POST if request.method == "POST" else None)
    dry_run = "dry_run" in request.POST
    started: list[Execution] = []

    def start() -> None:
        parameters = found.checked(form.values() | {"dry_run": dry_run})
        started.append(system_jobs.start(actor, found.job_type, parameters))

    if request.method == "POST" and submit(form, start):
        return redirect("portal:job-execution", job=job, execution=started[0].pk)
    context = {
        "title": found.now,
        "submit": found.now,
        "back": reverse("portal:jobs", args=[job]),
        "above": found.title,
        "second": ("dry_run", _("Dry run")),
    }
    return form_page(request, form, context)


@page("GET", "POST")
def schedule(request: HttpRequest, job: str) -> HttpResponse:
    found = _job(job)
    actor = administrator(request, f"{found.permission}:update")
    back = reverse("portal:jobs", args=[job])
    return schedule_page(request, actor, Scheduled(found.job_type, found.title, back, found.form, found.checked))


def _execution(request: HttpRequest, job: str, execution: int) -> tuple[Any, Job, Execution]:
    found = _job(job)
    actor = administrator(request, f"{found.permission}:read")
    try:
        return actor, found, selectors.execution_get(selectors.executions([found.job_type], [SYSTEM]), execution)
    except HarborError as error:
        raise Http404 from error


@page("GET")
def execution_detail(request: HttpRequest, job: str, execution: int) -> HttpResponse:
    actor, found, row = _execution(request, job, execution)
    text, ended = _log(row)
    context = {
        "title": f"{found.title} {row.pk}",
        "back": reverse("portal:jobs", args=[job]),
        "above": found.title,
        "job": job,
        "row": row,
        "badge": badge_of(row.status),
        "trigger": TRIGGERS.get(row.trigger, row.trigger),
        "progress": selectors.progress([row])[row.pk],
        "results": facts(row.extra_attrs),
        "may_stop": row.status not in FINAL and _may(actor, found, "stop"),
        "log": {
            "text": text,
            "offset": len(text),
            "url": reverse("portal:job-log", args=[job, row.pk]),
            "ended": ended,
        },
    }
    return render(request, "portal/jobs/execution.html", context)


def _log(row: Execution) -> tuple[str, bool]:
    """The log as far as it is written. Lines are plain text of ours; a cut character is left for the next time."""
    try:
        text = selectors.execution_log(row).decode(errors="ignore")
    except HarborError:
        return _("The log of this run is not kept any more."), True
    return text, row.end_time is not None


@page("GET")
def execution_log(request: HttpRequest, job: str, execution: int) -> HttpResponse:
    _actor, _found, row = _execution(request, job, execution)
    text, ended = _log(row)
    return log_chunk(text[offset_of(request) :], offset=len(text), ended=ended)


@page("GET", "POST")
def stop(request: HttpRequest, job: str, execution: int) -> HttpResponse:
    actor, found, row = _execution(request, job, execution)
    administrator(request, f"{found.permission}:stop")
    asked = Confirmation(
        title=_("Stop this run?"),
        action=_("Stop"),
        back=reverse("portal:job-execution", args=[job, row.pk]),
        consequences=[_("What it has removed stays removed; what it has not reached is left for the next run.")],
    )
    return ask_first(request, asked, lambda: system_jobs.stop(actor, row), _("The run is being stopped."))


@page("GET", "POST")
def retry(request: HttpRequest) -> HttpResponse:
    """Blobs that storage refused to delete are tried again with the next run."""
    administrator(request, "garbage-collection:update")
    asked = Confirmation(
        title=_("Try parked blobs again?"),
        action=_("Try again"),
        danger=False,
        back=reverse("portal:jobs", args=["gc"]),
        consequences=[_("The next run tries to delete them, whatever their pause.")],
    )
    return ask_first(request, asked, retry_parked, _("The next run tries them again."))

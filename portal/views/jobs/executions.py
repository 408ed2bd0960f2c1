"""Executions and tasks of every type: how far they are, their logs, and stopping them."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from harbor_core.lib.errors import HarborError
from jobservice.models import Execution, Task
from jobservice.selectors import executions as selectors
from jobservice.services import control, system_jobs
from jobservice.states import FINAL
from portal.administration import administrator, page
from portal.forms.job_filter import ExecutionFilter, TaskFilter
from portal.job_facts import facts
from portal.job_words import TRIGGERS, badge_of, name_of, projects_of
from portal.listing import Listing
from portal.logview import log_chunk, offset_of, task_piece
from portal.project_pages import ask_first
from portal.shortcuts import Confirmation, respond
from portal.views.jobs.service import LIST, STOP, framed


@page("GET")
def execution_list(request: HttpRequest) -> HttpResponse:
    """Query: ``type``, ``state``, ``trigger``, ``sort``, ``page``, ``page_size``."""
    actor = administrator(request, LIST)
    chosen = ExecutionFilter(request.GET.dict())
    listing = Listing(request, sorts={"started": "pk"}, default="-started", keep=chosen.chosen)
    rows = listing.fill(selectors.every_execution(**chosen.columns))
    progress, owners = selectors.progress(rows), projects_of(rows)
    context = framed(actor, "job-executions") | {
        "listing": listing,
        "filter": chosen,
        "rows": [
            {
                "row": row,
                "name": name_of(row.vendor_type),
                "project": owners.get((row.vendor_type, row.vendor_id)),
                "badge": badge_of(row.status),
                "trigger": TRIGGERS.get(row.trigger, row.trigger),
                "progress": progress[row.pk],
            }
            for row in rows
        ],
        "alive": any(row.end_time is None for row in rows),
    }
    return respond(request, "portal/jobs/service/executions.html", "portal/jobs/service/_executions.html", context)


def _execution(execution: int) -> Execution:
    try:
        return selectors.execution_get(selectors.every_execution(), execution)
    except HarborError as error:
        raise Http404 from error


def _task(task: int) -> Task:
    found = Task.objects.select_related("execution").filter(pk=task).first()
    if found is None:
        raise Http404
    return found


@page("GET")
def execution_detail(request: HttpRequest, execution: int) -> HttpResponse:
    """How far it is, and its tasks; the log where there is one task. Query: ``state``, ``page``, ``page_size``."""
    actor = administrator(request, LIST)
    row = _execution(execution)
    chosen = TaskFilter(request.GET.dict())
    listing = Listing(request, sorts={"id": "pk", "ended": "end_time"}, default="id", keep=chosen.chosen)
    tasks = listing.fill(row.tasks.filter(**chosen.columns))
    progress = selectors.progress([row])[row.pk]
    alone = tasks[0] if progress.all_tasks == 1 and tasks else None
    context = framed(actor, "job-executions", current="true") | {
        "row": row,
        "name": name_of(row.vendor_type),
        "project": projects_of([row]).get((row.vendor_type, row.vendor_id)),
        "badge": badge_of(row.status),
        "trigger": TRIGGERS.get(row.trigger, row.trigger),
        "progress": progress,
        "results": facts(row.extra_attrs),
        "listing": listing,
        "filter": chosen,
        "tasks": [(task, badge_of(task.status), selectors.task_percent(task)) for task in tasks],
        "alive": row.end_time is None,
        "log": None if alone is None else _log(alone),
        "alone": alone,
    }
    part = "_tasks" if request.headers.get("HX-Target") == "list" else "_execution"
    return respond(request, "portal/jobs/service/execution.html", f"portal/jobs/service/{part}.html", context)


@page("GET")
def task_detail(request: HttpRequest, task: int) -> HttpResponse:
    """One task, with its parameters and its log while it grows."""
    actor = administrator(request, LIST)
    row = _task(task)
    context = framed(actor, "job-executions", current="true") | {
        "task": row,
        "name": name_of(row.job_type),
        "badge": badge_of(row.status),
        "percent": selectors.task_percent(row),
        "parameters": facts(row.parameters),
        "results": facts(row.extra_attrs),
        "alive": row.status not in FINAL,
        "log": _log(row),
    }
    return respond(request, "portal/jobs/service/task.html", "portal/jobs/service/_task.html", context)


def _log(task: Task) -> dict[str, Any]:
    """Context of components/_log.html: what is there of the log now, up to a megabyte; the viewer asks for more."""
    text, offset, ended = task_piece(task, 0)
    return {"text": text, "offset": offset, "ended": ended, "url": reverse("portal:job-task-log", args=[task.pk])}


@page("GET")
def task_log(request: HttpRequest, task: int) -> HttpResponse:
    """What follows ``offset``, in bytes."""
    administrator(request, LIST)
    text, offset, ended = task_piece(_task(task), offset_of(request))
    return log_chunk(text, offset=offset, ended=ended)


@page("GET", "POST")
def execution_stop(request: HttpRequest, execution: int) -> HttpResponse:
    actor = administrator(request, STOP)
    row = _execution(execution)
    asked = Confirmation(
        title=_("Stop this execution?"),
        action=_("Stop"),
        back=reverse("portal:job-any-execution", args=[row.pk]),
        text=f"{name_of(row.vendor_type)} {row.pk}",
        consequences=[
            _("Its tasks that wait end at once, those that run at their next step. What was done stays done."),
        ],
    )
    return ask_first(request, asked, lambda: system_jobs.stop(actor, row), _("The run is being stopped."))


@page("GET", "POST")
def task_stop(request: HttpRequest, task: int) -> HttpResponse:
    actor = administrator(request, STOP)
    row = _task(task)
    asked = Confirmation(
        title=_("Stop this task?"),
        action=_("Stop"),
        back=reverse("portal:job-task", args=[row.pk]),
        text=f"{name_of(row.job_type)} {row.pk}",
        consequences=[_("It ends at its next step. What it has done stays done; other tasks go on.")],
    )
    return ask_first(request, asked, lambda: control.stop_job(actor, str(row.pk)), _("The task is being stopped."))

"""Runs of tag retention: start one, watch its repositories, stop it."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from harbor_core.lib.errors import HarborError
from jobservice.models import Execution, Task
from jobservice.selectors import executions
from jobservice.states import FINAL
from portal.job_words import TRIGGERS, badge_of
from portal.listing import Listing
from portal.logview import log_chunk, offset_of, task_piece
from portal.project_pages import ask_first, framed, open_project
from portal.shortcuts import Confirmation, ProjectPage, actor_of, confirm, confirmed, page, respond
from portal.views.project.retention import CHANGES, SEES
from projects.models import RetentionPolicy
from projects.selectors import retention as selectors
from projects.services import retention as services


def _policy(found: ProjectPage) -> RetentionPolicy:
    policy = selectors.policy_of(found.project.pk)
    if policy is None:
        raise Http404
    return policy


def _run(found: ProjectPage, run: int) -> tuple[RetentionPolicy, Execution]:
    policy = _policy(found)
    try:
        return policy, executions.execution_get(executions.executions([services.JOB], [policy.pk]), run)
    except HarborError as error:
        raise Http404 from error


@page("GET", "POST")
def start(request: HttpRequest, project: str) -> HttpResponse:
    """Query ``dry_run``: find out only."""
    found = open_project(request, project, sees=SEES, does=CHANGES)
    policy, dry_run = _policy(found), "dry_run" in request.GET
    text = (
        _("Nothing is deleted: the log of each repository says what would be.")
        if dry_run
        else _("What no rule keeps goes to the trash, from every repository that a rule selects.")
    )
    asked = Confirmation(
        title=_("Try the rules out?") if dry_run else _("Run the rules now?"),
        action=_("Dry run") if dry_run else _("Run now"),
        danger=not dry_run,
        back=reverse("portal:retention", args=[found.project.pk]),
        consequences=[text],
    )
    if not confirmed(request, asked):
        return confirm(request, asked)
    made = services.start(actor_of(request), policy, dry_run=dry_run)
    return redirect("portal:retention-run", found.project.pk, made.pk)


@page("GET")
def detail(request: HttpRequest, project: str, run: int) -> HttpResponse:
    """Query: ``sort``, ``page``, ``page_size`` of its repositories."""
    found = open_project(request, project, sees=SEES)
    _found, row = _run(found, run)
    listing = Listing(request, sorts={"id": "pk", "ended": "end_time"}, default="id")
    tasks = listing.fill(row.tasks.filter(extra_attrs__has_key="repository"))
    context = framed(found) | {
        "row": row,
        "badge": badge_of(row.status),
        "trigger": TRIGGERS.get(row.trigger, row.trigger),
        "progress": executions.progress([row])[row.pk],
        "listing": listing,
        "rows": [(task, badge_of(task.status)) for task in tasks],
        "alive": row.end_time is None,
        "may_stop": found.may(CHANGES),
        "back": reverse("portal:retention", args=[found.project.pk]),
    }
    return respond(request, "portal/projects/retention_run.html", "portal/projects/_retention_run.html", context)


@page("GET", "POST")
def stop(request: HttpRequest, project: str, run: int) -> HttpResponse:
    found = open_project(request, project, sees=SEES, does=CHANGES)
    policy, row = _run(found, run)
    asked = Confirmation(
        title=_("Stop this run?"),
        action=_("Stop"),
        back=reverse("portal:retention-run", args=[found.project.pk, row.pk]),
        consequences=[_("What it has removed stays removed; what it has not reached is left for the next run.")],
    )
    act = lambda: services.stop(actor_of(request), policy, row.pk)  # noqa: E731  # one line says it
    return ask_first(request, asked, act, _("The run is being stopped."))


def _task(found: ProjectPage, run: int, task: int) -> Task:
    try:
        return executions.task_get(_run(found, run)[1], task)
    except HarborError as error:
        raise Http404 from error


@page("GET")
def task_detail(request: HttpRequest, project: str, run: int, task: int) -> HttpResponse:
    """What happened to one repository, and why."""
    found = open_project(request, project, sees=SEES)
    row = _task(found, run, task)
    text, offset, ended = task_piece(row, 0)
    at = [found.project.pk, run]
    url = reverse("portal:retention-task-log", args=[*at, row.pk])
    context = framed(found) | {
        "task": row,
        "badge": badge_of(row.status),
        "alive": row.status not in FINAL,
        "log": {"text": text, "offset": offset, "ended": ended, "url": url},
        "back": reverse("portal:retention-run", args=at),
    }
    return respond(request, "portal/projects/retention_task.html", "portal/projects/_retention_task.html", context)


@page("GET")
def task_log(request: HttpRequest, project: str, run: int, task: int) -> HttpResponse:
    row = _task(open_project(request, project, sees=SEES), run, task)
    text, offset, ended = task_piece(row, offset_of(request))
    return log_chunk(text, offset=offset, ended=ended)

"""The job service: what waits, what is scheduled, who works; and holding, going on and stopping it."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from auth.actor import Actor
from harbor_core.lib.errors import HarborError
from jobservice.models import Schedule
from jobservice.selectors import executions as selectors
from jobservice.selectors import monitor
from jobservice.services import control
from jobservice.states import SCHEDULER
from portal.administration import administrator, page
from portal.charts import Bar, BarChart
from portal.job_words import name_of, projects_of
from portal.listing import Listing
from portal.navigation import Link
from portal.project_pages import ask_first
from portal.shortcuts import Confirmation, respond
from portal.templatetags.portal import count
from projects import access

LIST, STOP = "jobservice-monitor:list", "jobservice-monitor:stop"
_TABS = (
    ("job-queues", gettext_lazy("Queues"), "list-ordered"),
    ("job-executions", gettext_lazy("Executions"), "list-checks"),
    ("job-schedules", gettext_lazy("Schedules"), "calendar-clock"),
    ("job-workers", gettext_lazy("Worker processes"), "cpu"),
)


def framed(actor: Actor, route: str, *, current: str = "page") -> dict[str, Any]:
    """Context of portal/jobs/service/frame.html on the page ``route``, or (``true``) on one below it."""
    return {
        "tabs": [Link(label, reverse(f"portal:{name}"), icon, current if name == route else "")
                 for name, label, icon in _TABS],
        "may_stop": access.can(actor, STOP),
    }  # fmt: skip


@page("GET")
def queues(request: HttpRequest) -> HttpResponse:
    """Every queue, with how long its first job has waited."""
    actor = administrator(request, LIST)
    found = monitor.queue_list()
    rows = sorted(found, key=lambda queue: (not queue.count, not queue.running, name_of(queue.job_type)))
    context = framed(actor, "job-queues") | {
        "rows": [(queue, name_of(queue.job_type)) for queue in rows if queue.job_type != SCHEDULER],
        "schedules_paused": any(queue.paused for queue in found if queue.job_type == SCHEDULER),
        "any_paused": any(queue.paused for queue in found),
        "all_paused": all(queue.paused for queue in found),
        "depth": _depth_chart(rows),
        "waiting": sum(queue.count for queue in rows if queue.job_type != SCHEDULER),
        "running": sum(queue.running for queue in rows),
    }
    return respond(request, "portal/jobs/service/queues.html", "portal/jobs/service/_queues.html", context)


def _depth_chart(queues: list[monitor.Queue]) -> BarChart | None:
    """None where nothing waits and nothing runs."""
    bars = [
        Bar(
            name_of(queue.job_type),
            _("%(waiting)s wait, %(running)s run") % {"waiting": count(queue.count), "running": count(queue.running)},
            [(queue.running, "accent"), (queue.count, "second")],
        )
        for queue in sorted(queues, key=lambda queue: -queue.count)
        if queue.job_type != SCHEDULER and (queue.count or queue.running)
    ]
    legend = [(_("at work"), "accent"), (_("waiting"), "second")]
    return BarChart(_("Queue depth"), bars, legend) if bars else None


_ASKED = {
    "pause": (
        gettext_lazy("Pause?"),
        gettext_lazy("Pause"),
        gettext_lazy("Jobs that wait go on waiting, and new ones wait with them. What runs goes on."),
        gettext_lazy("It is paused."),
    ),
    "resume": (
        gettext_lazy("Resume?"),
        gettext_lazy("Resume"),
        gettext_lazy("Jobs that waited start, the most urgent first."),
        gettext_lazy("It goes on."),
    ),
    "stop": (
        gettext_lazy("Stop all jobs that wait?"),
        gettext_lazy("Stop"),
        gettext_lazy("Jobs that wait end as stopped, and nothing starts them again. What runs goes on."),
        gettext_lazy("The jobs that waited are stopped."),
    ),
}


@page("GET", "POST")
def queue_action(request: HttpRequest, queue: str, action: str) -> HttpResponse:
    """Pause, resume or stop one queue, or ``all``; the queue SCHEDULER stands for all schedules."""
    actor = administrator(request, STOP)
    if action not in _ASKED or (queue == SCHEDULER and action == "stop"):
        raise Http404
    try:
        control.queue_types(queue)
    except HarborError as error:
        raise Http404 from error
    title, label, meant, done = _ASKED[action]
    consequence = str(meant)
    if queue == SCHEDULER:
        consequence = (
            _("No schedule starts anything. A time that was missed is made up for once, when schedules go on.")
            if action == "pause"
            else _("Schedules whose time came meanwhile start once now.")
        )
    asked = Confirmation(
        title=str(title),
        action=str(label),
        danger=action != "resume",
        back=reverse("portal:job-schedules" if queue == SCHEDULER else "portal:job-queues"),
        text=_("All queues and schedules") if queue == control.ALL else name_of(queue),
        consequences=[consequence],
    )
    return ask_first(request, asked, lambda: control.act_on_queue(actor, queue, action), str(done))


@page("GET")
def schedules(request: HttpRequest) -> HttpResponse:
    """Everything that starts by itself; the next first."""
    actor = administrator(request, LIST)
    listing = Listing(request, sorts={"next": "next_time", "last": "last_time", "id": "pk"}, default="next")
    rows = listing.fill(Schedule.objects.all())
    owners = projects_of(rows)
    context = framed(actor, "job-schedules") | {
        "listing": listing,
        "rows": [(row, name_of(row.vendor_type), owners.get((row.vendor_type, row.vendor_id))) for row in rows],
        "paused": monitor.schedules_paused(),
    }
    return respond(request, "portal/jobs/service/schedules.html", "portal/jobs/service/_schedules.html", context)


@page("GET")
def workers(request: HttpRequest) -> HttpResponse:
    """Worker processes that live, and what they are at."""
    actor = administrator(request, LIST)
    threads = monitor.worker_list(monitor.ALL)
    pools = monitor.pool_list()
    at_work = {pool.pk: [one.task for one in threads if one.pool_id == pool.pk and one.task] for pool in pools}
    context = framed(actor, "job-workers") | {
        "pools": [
            (pool, [(task, name_of(task.job_type), selectors.task_percent(task)) for task in at_work[pool.pk]])
            for pool in pools
        ],
        "busy": any(at_work.values()),
    }
    return respond(request, "portal/jobs/service/workers.html", "portal/jobs/service/_workers.html", context)


@page("GET", "POST")
def stop_running(request: HttpRequest) -> HttpResponse:
    """Everything that runs."""
    actor = administrator(request, STOP)
    asked = Confirmation(
        title=_("Stop everything that runs?"),
        action=_("Stop"),
        back=reverse("portal:job-workers"),
        consequences=[
            _("Every job that runs ends at its next step. What it has done stays done."),
            _("Jobs that wait start in their place; pause the queues to prevent that."),
        ],
    )
    return ask_first(request, asked, lambda: control.stop_job(actor, control.ALL), _("The jobs are being stopped."))

"""Storage audits: what storage has and the database does not know, or the other way round, and settling it."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from auth.actor import Actor
from harbor_core.lib.errors import HarborError
from jobservice.models import Execution, StorageFinding
from jobservice.selectors import executions as selectors
from jobservice.selectors import findings
from jobservice.services import storage_audit as services
from jobservice.services import system_jobs
from jobservice.states import SYSTEM
from portal.administration import administrator, list_page, page
from portal.forms.jobs import NoParameters
from portal.job_schedules import Scheduled, schedule_page, schedule_text
from portal.job_words import badge_of
from portal.listing import Listing
from portal.logview import task_piece
from portal.project_pages import ask_first
from portal.shortcuts import Confirmation, confirm, confirmed, respond
from portal.storage_words import KINDS, STATES
from projects import access
from projects.services.storage_mend import ADOPTABLE, DELETABLE

CHANGE = "garbage-collection:create"
_DIGITS_MAX = 18


@page("GET")
def run_list(request: HttpRequest) -> HttpResponse:
    """Query: ``sort``, ``page``, ``page_size``."""
    actor = administrator(request, "garbage-collection:list")
    listing = Listing(request, sorts={"started": "start_time"}, default="-started")
    rows = listing.fill(selectors.executions([services.JOB_TYPE], [SYSTEM]))
    progress = selectors.progress(rows)
    about = _("Compares storage with the database, both ways, while pushes go on.")
    context = {
        "title": _("Storage audit"),
        "about": f"{about} {schedule_text(services.JOB_TYPE)}",
        "extra": [(_("Schedule"), reverse("portal:storage-audit-schedule"), True, "calendar-clock")],
        "listing": listing,
        "rows": [(row, progress[row.pk], badge_of(row.status)) for row in rows],
        "create": (_("Compare now"), reverse("portal:storage-audit-start"), True)
        if access.can(actor, CHANGE)
        else None,
    }
    return list_page(request, "../jobs/storage/_runs", context)


@page("GET", "POST")
def start(request: HttpRequest) -> HttpResponse:
    actor = administrator(request, CHANGE)
    asked = Confirmation(
        title=_("Compare storage with the database?"),
        action=_("Compare now"),
        danger=False,
        back=reverse("portal:storage-audit"),
        consequences=[_("Everything in storage is listed, which takes a while. Nothing is changed.")],
    )
    return ask_first(
        request, asked, lambda: system_jobs.start(actor, services.JOB_TYPE, {}), _("The comparison has begun.")
    )


@page("GET", "POST")
def schedule(request: HttpRequest) -> HttpResponse:
    actor = administrator(request, "garbage-collection:update")
    back = reverse("portal:storage-audit")
    job = Scheduled(services.JOB_TYPE, _("Storage audit"), back, NoParameters, services.checked)
    return schedule_page(request, actor, job)


def _run(request: HttpRequest, execution: int, permission: str) -> tuple[Actor, Execution]:
    actor = administrator(request, permission)
    try:
        return actor, selectors.execution_get(selectors.executions([services.JOB_TYPE], [SYSTEM]), execution)
    except HarborError as error:
        raise Http404 from error


@page("GET")
def detail(request: HttpRequest, execution: int) -> HttpResponse:
    """A report with its findings, or how settling went. Query: ``kind``, ``sort``, ``page``, ``page_size``."""
    actor, row = _run(request, execution, "garbage-collection:read")
    kind = request.GET.get("kind", "") if request.GET.get("kind") in KINDS else ""
    listing = Listing(request, sorts={"id": "pk", "size": "size"}, default="id", keep={"kind": kind})
    rows = listing.fill(findings.findings(row, **({"kind": kind} if kind else {})))
    may_change = access.can(actor, CHANGE) and row.end_time is not None
    task = row.tasks.order_by("pk").first()
    context = {
        "title": f"{_('Storage audit')} {row.pk}",
        "above": _("Storage audit"),
        "back": reverse("portal:storage-audit"),
        "row": row,
        "badge": badge_of(row.status),
        "progress": selectors.progress([row])[row.pk],
        "listing": listing,
        "kind": kind,
        "kinds": _kinds(row, may_change),
        "rows": [_finding(item, may_change) for item in rows],
        "report": row.extra_attrs.get("report"),
        "alive": row.end_time is None,
        "may_stop": row.end_time is None and access.can(actor, "garbage-collection:stop"),
        "log": _log(row, task),
    }
    return respond(request, "portal/jobs/storage/report.html", "portal/jobs/storage/_findings.html", context)


def _log(row: Execution, task: Any) -> dict[str, Any] | None:
    if task is None:
        return None
    text, offset, ended = task_piece(task, 0)
    return {"text": text, "offset": offset, "ended": ended, "url": reverse("portal:job-task-log", args=[task.pk])}


def _kinds(row: Execution, may_change: bool) -> list[dict[str, Any]]:
    """Those the report has, each with how many were found and are open, and what one can do about all of them."""
    still_open = findings.open_kinds(row)
    found = []
    for kind, (name, meaning) in KINDS.items():
        number = row.extra_attrs.get(kind)
        if not number:
            continue
        can = may_change and still_open.get(kind)
        found.append(
            {
                "kind": kind,
                "name": name,
                "meaning": meaning,
                "number": number,
                "open": still_open.get(kind, 0),
                "adopt": can and kind in ADOPTABLE,
                "delete": can and kind in DELETABLE,
            }
        )
    return found


def _finding(item: StorageFinding, may_change: bool) -> dict[str, Any]:
    can = may_change and item.state in (StorageFinding.State.OPEN, StorageFinding.State.REFUSED)
    return {
        "row": item,
        "name": KINDS[item.kind][0],
        "state": STATES[item.state],
        "adopt": can and item.kind in ADOPTABLE,
        "delete": can and item.kind in DELETABLE,
    }


@page("GET", "POST")
def settle(request: HttpRequest, execution: int, action: str) -> HttpResponse:
    """Adopt or delete. Query: ``kind`` for all of a kind, or ``finding`` for one."""
    actor, row = _run(request, execution, CHANGE)
    kind, number = request.GET.get("kind", ""), request.GET.get("finding", "")
    one = int(number) if number.isascii() and number.isdigit() and len(number) <= _DIGITS_MAX else 0
    found = findings.findings(row).filter(pk=one).first() if one else None
    possible = {services.ADOPT: ADOPTABLE, services.DELETE: DELETABLE}.get(action, ())
    if (found.kind if found else kind) not in possible:
        raise Http404
    asked = _question(row, action, kind, found)
    if not confirmed(request, asked):
        return confirm(request, asked)
    try:
        started = services.start_settling(
            actor, row, action, kinds=() if found else (kind,), findings=(found.pk,) if found else ()
        )
    except HarborError as error:  # the run has not ended
        raise Http404 from error
    messages.success(request, _("It is being done."))
    return redirect("portal:storage-audit-run", execution=started.pk)


def _question(row: Execution, action: str, kind: str, found: StorageFinding | None) -> Confirmation:
    what = found.path if found else str(KINDS[kind][0])
    if action == services.ADOPT:
        title = _("Adopt: %(what)s?") % {"what": what}
        consequences = [
            _("Bytes are read and become known when they have the digest they are stored under."),
            _("Links need a project of that name; manifests become artifacts without a tag."),
        ]
    else:
        title = _("Delete: %(what)s?") % {"what": what}
        consequences = [
            _("This cannot be taken back."),
            _("What has come to be known, or was written anew, stays."),
        ]
    return Confirmation(
        title=title,
        action=_("Adopt") if action == services.ADOPT else _("Delete"),
        danger=action != services.ADOPT,
        back=reverse("portal:storage-audit-run", args=[row.pk]),
        consequences=consequences,
    )

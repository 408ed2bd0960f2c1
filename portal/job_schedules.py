"""When a job of the system runs by itself: what its list says of it, and the form that changes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from auth.actor import Actor
from jobservice.selectors.monitor import schedule_get
from jobservice.services import system_jobs
from jobservice.states import SYSTEM
from portal.administration import form_page
from portal.forms.jobs import NONE, ScheduleForm
from portal.forms.submit import submit


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A job; ``form`` asks for its parameters, ``checked`` refuses wrong ones, ``back`` is the address of its list."""

    job_type: str
    title: str | Promise
    back: str
    form: Callable[..., Any]
    checked: Callable[[Mapping[str, Any]], dict[str, Any]]


def schedule_text(job_type: str) -> str:
    schedule = schedule_get(job_type, SYSTEM)
    if schedule is None:
        return _("It runs when it is started; there is no schedule.")
    return _("Scheduled: %(cron)s (UTC).") % {"cron": schedule.cron}


def schedule_page(request: HttpRequest, actor: Actor, job: Scheduled) -> HttpResponse:
    """The form of the schedule together with the job's own."""
    current = schedule_get(job.job_type, SYSTEM)
    posted = request.POST if request.method == "POST" else None
    own = job.form(posted, initial=_initial(current))
    form = ScheduleForm(posted, initial={"type": current.cron_type, "cron": current.cron} if current else None)

    def act() -> None:
        kind = form.cleaned_data["type"]
        parameters = {} if kind == NONE else job.checked(own.values())
        cron = form.cleaned_data["cron"] if kind == "Custom" else ""
        system_jobs.set_schedule(actor, job.job_type, kind, cron, parameters)

    refused = {"BAD_REQUEST": ("cron", _("This is not a cron expression that can be a schedule."))}
    if request.method == "POST" and own.is_valid() and submit(form, act, refused):
        messages.success(request, _("The schedule was changed."))
        return redirect(job.back)
    form.fields |= own.fields
    if own.is_bound:
        for name, errors in own.errors.items():
            form.errors[name] = errors
    else:
        form.initial = {**form.initial, **own.initial}
    context = {"title": _("Schedule"), "submit": _("Save"), "back": job.back, "above": job.title}
    return form_page(request, form, context)


def _initial(current: Any) -> dict[str, Any]:
    values = dict(current.parameters) if current else {}
    if isinstance(values.get("include_event_types"), str):
        values["include_event_types"] = values["include_event_types"].split(",")
    return values

"""Rules of replication: what is copied from where to where, what a rule takes, and its runs."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobservice.models import Execution
from jobservice.selectors import executions
from portal.administration import administrator, form_page, list_page, page
from portal.forms.replication import TRIGGERS, ReplicationForm, initial
from portal.forms.submit import submit
from portal.isolation import named
from portal.job_words import badge_of, run_rows
from portal.listing import Listing
from portal.project_pages import Switch, ask_first, ask_to_switch, row_menu
from portal.shortcuts import Confirmation, respond
from replication.models import ReplicationPolicy
from replication.selectors import policies as selectors
from replication.selectors.registries import registries_named
from replication.services import planning
from replication.services import policies as services

SEES, CHANGES, RUNS = "replication-policy:list", "replication-policy:update", "replication:create"
SHOWN_TAGS = 30  # of a repository in a preview
_REFUSALS = {"CONFLICT": ("name", gettext_lazy("There is a rule of this name already."))}


@page("GET")
def rule_list(request: HttpRequest) -> HttpResponse:
    """Query: ``q`` (part of a name), ``sort``, ``page``, ``page_size``."""
    administrator(request, SEES)
    listing = Listing(request, sorts={"name": "name", "created": "creation_time"}, default="name")
    rows = listing.fill(selectors.policies_named(listing.query))
    runs = selectors.last_runs(row.pk for row in rows)
    has_registries = bool(rows) or registries_named().exists()
    context = {
        "title": _("Replication"),
        "about": _("Rules copy images and other artifacts to other registries, or from them, and go on where a run was "
                   "cut off."),
        "filter_label": _("Filter by name"),
        "listing": listing,
        "rows": [(row, _trigger(row), _run(runs.get(row.pk)), _menu(row)) for row in rows],
        "has_registries": has_registries,
        "extra": [(_("Compare all"), reverse("portal:replications-compare"), True, "git-compare")] if rows else [],
        "create": (_("New rule"), reverse("portal:replication-new"), False) if has_registries else None,
    }  # fmt: skip
    return list_page(request, "_replications", context)


def _trigger(row: ReplicationPolicy) -> str:
    return str(TRIGGERS.get(row.trigger, row.trigger))


def _run(run: Execution | None) -> tuple[Execution, tuple[str, str]] | None:
    return None if run is None else (run, badge_of(run.status))


def _menu(row: ReplicationPolicy) -> list[dict[str, object]]:
    label, icon = (_("Disable"), "circle-pause") if row.enabled else (_("Enable"), "circle-play")
    items = [(_("Run now"), reverse("portal:replication-run", args=[row.pk]), "play", False)] if row.enabled else []
    items += [
        (_("Edit"), reverse("portal:replication-edit", args=[row.pk]), "pencil", False),
        (label, reverse("portal:replication-toggle", args=[row.pk]), icon, False),
        (_("Delete"), reverse("portal:replication-delete", args=[row.pk]), "trash-2", True),
    ]
    menu = row_menu(*items)
    for item in menu:
        item["dialog"] = item["icon"] != "pencil"
    return menu


def rule_of(policy: int) -> ReplicationPolicy:
    row = selectors.policies_named().filter(pk=policy).first()
    if row is None:
        raise Http404
    return row


@page("GET")
def rule_detail(request: HttpRequest, policy: int) -> HttpResponse:
    """What it says, and its runs. Query: ``sort``, ``page``, ``page_size`` of the runs."""
    administrator(request, SEES)
    row = rule_of(policy)
    listing = Listing(request, sorts={"started": "start_time"}, default="-started")
    rows = listing.fill(selectors.executions_of(row.pk))
    context = {
        "rule": row,
        "filters": {item["type"]: item for item in row.filters},
        "trigger": _trigger(row),
        "listing": listing,
        "rows": run_rows(rows, executions.progress(rows), lambda run: reverse("portal:job-any-execution", args=[run])),
        "alive": any(run.end_time is None for run in rows),
    }
    return respond(request, "portal/replication/rule.html", "portal/jobs/_runs.html", context)


@page("GET")
def preview(request: HttpRequest, policy: int) -> HttpResponse:
    """What a run would copy now."""
    administrator(request, SEES)
    row = rule_of(policy)
    context = {"rule": row, **_previewed(row)}
    return render(request, "portal/replication/preview.html", context)


def _previewed(policy: ReplicationPolicy) -> dict[str, Any]:
    shown = planning.preview(policy)
    rows = [(taken, taken.tags[:SHOWN_TAGS], len(taken.tags) - SHOWN_TAGS) for taken in shown.rows]
    return {"preview": shown, "taken": rows}


def _frame(title: str, back: str, above: str) -> dict[str, Any]:
    return {"title": title, "submit": _("Save"), "second": ("preview", _("Preview")), "back": back, "above": above}


@page("GET", "POST")
def create(request: HttpRequest) -> HttpResponse:
    """With ``preview`` in the form nothing is stored: the answer shows what the rule would copy."""
    actor = administrator(request, "replication-policy:create")
    form = ReplicationForm(request.POST if request.method == "POST" else None, registries=registries_named())
    frame = _frame(_("New replication rule"), reverse("portal:replications"), _("Replication"))
    return _answer(request, form, lambda: services.create(actor, form.values).pk, frame)


@page("GET", "POST")
def edit(request: HttpRequest, policy: int) -> HttpResponse:
    """As :func:`create`."""
    actor = administrator(request, CHANGES)
    row = rule_of(policy)
    data = request.POST if request.method == "POST" else None
    form = ReplicationForm(data, registries=registries_named(), initial=initial(row))
    frame = _frame(_("Edit %(name)s") % named(row.name), reverse("portal:replication", args=[row.pk]), row.name)

    def act() -> int:
        services.update(actor, row.pk, form.values)
        return row.pk

    return _answer(request, form, act, frame)


def _answer(request: HttpRequest, form: ReplicationForm, act: Any, frame: dict[str, Any]) -> HttpResponse:
    made: list[Any] = []
    if request.method == "POST" and "preview" in request.POST:
        if submit(form, lambda: made.append(services.draft(form.values)), _REFUSALS):
            frame |= _previewed(made[0])
    elif request.method == "POST" and submit(form, lambda: made.append(act()), _REFUSALS):
        messages.success(request, _("Rule %(name)s was saved.") % named(form.cleaned_data["name"]))
        return redirect("portal:replication", made[0])
    return form_page(request, form, frame, "replication_form")


@page("GET", "POST")
def run(request: HttpRequest, policy: int) -> HttpResponse:
    actor = administrator(request, RUNS)
    row = rule_of(policy)
    blockers = [] if row.enabled else [_("The rule is disabled.")]
    told = (
        _("Tags that are different there are replaced.")
        if row.override
        else _("Tags that exist there stay as they are.")
    )
    asked = Confirmation(
        title=_("Run rule %(name)s now?") % named(row.name),
        action=_("Run now"),
        danger=row.override or row.replicate_deletion,
        back=reverse("portal:replication", args=[row.pk]),
        consequences=[_("What the rule takes and the destination does not have is copied."), told],
        blockers=blockers,
    )
    return ask_first(request, asked, lambda: services.start(actor, row.pk), _("The run has begun."))


@page("GET", "POST")
def toggle(request: HttpRequest, policy: int) -> HttpResponse:
    actor = administrator(request, CHANGES)
    row = rule_of(policy)
    name = named(row.name)
    said = Switch(
        title=(_("Enable rule %(name)s?") % name, _("Disable rule %(name)s?") % name),
        consequence=(
            _("Its schedule or its events start it again."),
            _("Nothing starts it any more. What runs now goes on."),
        ),
        done=(_("The rule is enabled."), _("The rule is disabled.")),
        back=reverse("portal:replications"),
    )
    return ask_to_switch(request, said, lambda on: services.set_enabled(actor, row.pk, on), enabled=row.enabled)


@page("GET", "POST")
def delete(request: HttpRequest, policy: int) -> HttpResponse:
    actor = administrator(request, "replication-policy:delete")
    row = rule_of(policy)
    running = selectors.executions_of(row.pk).filter(end_time=None).exists()
    asked = Confirmation(
        title=_("Delete rule %(name)s?") % named(row.name),
        action=_("Delete"),
        back=reverse("portal:replications"),
        consequences=[_("What was copied stays at the destination.")],
        blockers=[_("A run of it goes on. Stop it first.")] if running else [],
    )
    done = _("Rule %(name)s was deleted.") % named(row.name)
    return ask_first(request, asked, lambda: services.delete(actor, row.pk), done)

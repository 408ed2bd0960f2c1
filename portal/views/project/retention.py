"""Which artifacts of a project are kept: rules, their schedule, and what they would do now."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from harbor_core.lib.errors import HarborError
from jobservice.selectors import executions
from jobservice.services.schedules import check
from portal.forms import retention as forms
from portal.forms.jobs import NONE
from portal.forms.submit import submit
from portal.job_words import run_rows
from portal.listing import Listing
from portal.project_pages import Switch, ask_first, ask_to_switch, form_page, framed, open_project, row_menu
from portal.retention_words import rule_words, why
from portal.shortcuts import Confirmation, ProjectPage, actor_of, page, respond
from projects.models import Repository, RetentionPolicy
from projects.selectors import retention as selectors
from projects.selectors.browsing import artifact_counts
from projects.selectors.immutability import Rules, rules_of
from projects.services import retention as services

SEES, CHANGES = "tag-retention:list", "tag-retention:update"
PREVIEWED = 10  # repositories of a page
PREVIEWED_ARTIFACTS = 1000  # of one repository, unless it is asked for alone
SHOWN = 50  # artifacts of a repository, of those that go and of those that stay
_REFUSALS = {"CONFLICT": (None, gettext_lazy("The project has this rule already."))}


@page("GET")
def overview(request: HttpRequest, project: str) -> HttpResponse:
    """Rules, schedule and runs. Query: ``sort``, ``page``, ``page_size`` of the runs."""
    found = open_project(request, project, sees=SEES)
    policy = selectors.policy_of(found.project.pk)
    listing = Listing(request, sorts={"started": "start_time"}, default="-started")
    rows = listing.fill(executions.executions([services.JOB], [policy.pk if policy else 0]))
    context = framed(found) | {
        "policy": policy,
        "rules": [(rule, rule_words(rule), _menu(found, rule)) for rule in (policy.rules if policy else [])],
        "listing": listing,
        "rows": run_rows(
            rows, executions.progress(rows), lambda run: reverse("portal:retention-run", args=[found.project.pk, run])
        ),
        "alive": any(row.end_time is None for row in rows),
    }
    return respond(request, "portal/projects/retention.html", "portal/jobs/_runs.html", context)


def _menu(found: ProjectPage, rule: dict[str, Any]) -> list[dict[str, object]]:
    if not found.may(CHANGES):
        return []
    at = [found.project.pk, selectors.identity(rule)]
    disabled = rule.get("disabled")
    items = [(_("Edit"), reverse("portal:retention-rule", args=at), "pencil", False)]
    label, icon = (_("Enable"), "circle-play") if disabled else (_("Disable"), "circle-pause")
    items.append((label, reverse("portal:retention-rule-toggle", args=at), icon, False))
    items.append((_("Delete"), reverse("portal:retention-rule-delete", args=at), "trash-2", True))
    return row_menu(*(item for item in items if item[2] != "pencil" or forms.initial(rule) is not None))


def _rule(found: ProjectPage, identity: str) -> dict[str, Any]:
    policy = selectors.policy_of(found.project.pk)
    for rule in policy.rules if policy else []:
        if selectors.identity(rule) == identity:
            return dict(rule)
    raise Http404


def _replace(identity: str, put: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> Callable[[dict[str, Any]], None]:
    """A change of the values of a policy: this rule becomes what ``put`` makes of it."""

    def change(values: dict[str, Any]) -> None:
        at = [number for number, rule in enumerate(values["rules"]) if selectors.identity(rule) == identity]
        if not at:
            raise HarborError("NOT_FOUND", "the rule has just been changed or deleted by somebody else")
        values["rules"][at[0] : at[0] + 1] = put(values["rules"][at[0]])

    return change


@page("GET", "POST")
def create(request: HttpRequest, project: str) -> HttpResponse:
    found = open_project(request, project, sees=SEES, does="tag-retention:create")
    form = forms.RetentionRuleForm(request.POST if request.method == "POST" else None)

    def act() -> None:
        services.revise(actor_of(request), found.project, lambda values: values["rules"].append(form.values))

    if request.method == "POST" and submit(form, act, _REFUSALS):
        messages.success(request, _("The rule was added; it counts from the next run on."))
        return redirect("portal:retention", found.project.pk)
    return _form(request, found, form, _("New retention rule"))


@page("GET", "POST")
def edit(request: HttpRequest, project: str, rule: str) -> HttpResponse:
    found = open_project(request, project, sees=SEES, does=CHANGES)
    row = _rule(found, rule)
    shown = forms.initial(row)
    if shown is None:
        raise Http404
    shown["untagged"] = selectors.takes_untagged(row["tag_selectors"][0])
    form = forms.RetentionRuleForm(request.POST if request.method == "POST" else None, initial=shown)

    def act() -> None:
        change = _replace(rule, lambda old: [form.values | {"disabled": old["disabled"]}])
        services.revise(actor_of(request), found.project, change)

    if request.method == "POST" and submit(form, act, _REFUSALS):
        messages.success(request, _("The rule was saved."))
        return redirect("portal:retention", found.project.pk)
    return _form(request, found, form, _("Edit retention rule"))


def _form(request: HttpRequest, found: ProjectPage, form: Any, title: str) -> HttpResponse:
    more = {"title": title, "submit": _("Save"), "back": reverse("portal:retention", args=[found.project.pk])}
    return form_page(request, found, "portal/projects/form.html", form, more)


@page("GET", "POST")
def settings(request: HttpRequest, project: str) -> HttpResponse:
    found = open_project(request, project, sees=SEES, does=CHANGES)
    policy = selectors.policy_of(found.project.pk) or RetentionPolicy(cron="")
    shown = {
        "type": "Custom" if policy.cron else NONE,
        "cron": policy.cron,
        "keep_newest": policy.keep_newest,
        "max_delete_percent": policy.max_delete_percent,
    }
    form = forms.RetentionSettingsForm(request.POST if request.method == "POST" else None, initial=shown)

    def act() -> None:
        chosen = form.cleaned_data
        kind = chosen["type"]
        cron = "" if kind == NONE else check(kind, chosen["cron"] if kind == "Custom" else "")

        def change(values: dict[str, Any]) -> None:
            values["trigger"]["settings"]["cron"] = cron
            values |= {name: chosen[name] for name in ("keep_newest", "max_delete_percent")}

        services.revise(actor_of(request), found.project, change)

    refused = {"BAD_REQUEST": ("cron", _("This is not a cron expression that can be a schedule."))}
    if request.method == "POST" and submit(form, act, refused):
        messages.success(request, _("The settings were saved."))
        return redirect("portal:retention", found.project.pk)
    return _form(request, found, form, _("Schedule and limits"))


@page("GET", "POST")
def toggle(request: HttpRequest, project: str, rule: str) -> HttpResponse:
    found = open_project(request, project, sees=SEES, does=CHANGES)
    said = Switch(
        title=(_("Enable this rule?"), _("Disable this rule?")),
        consequence=(
            _("The next run keeps what this rule says, and deletes the rest of the repositories it selects."),
            _("What only this rule keeps is deleted by the next run, where another rule selects the repository."),
        ),
        done=(_("The rule counts from the next run on."), _("The rule was disabled.")),
        back=reverse("portal:retention", args=[found.project.pk]),
    )

    def act(enabled: bool) -> None:
        change = _replace(rule, lambda old: [old | {"disabled": not enabled}])
        services.revise(actor_of(request), found.project, change)

    return ask_to_switch(request, said, act, enabled=not _rule(found, rule)["disabled"])


@page("GET", "POST")
def delete(request: HttpRequest, project: str, rule: str) -> HttpResponse:
    found = open_project(request, project, sees=SEES, does=CHANGES)
    words = rule_words(_rule(found, rule))
    asked = Confirmation(
        title=_("Delete this rule?"),
        action=_("Delete rule"),
        back=reverse("portal:retention", args=[found.project.pk]),
        text=words["keeps"],
        consequences=[
            _("What only this rule keeps is deleted by the next run, where another rule selects the repository.")
        ],
    )
    act = lambda: services.revise(actor_of(request), found.project, _replace(rule, lambda old: []))  # noqa: E731  # one line says it
    return ask_first(request, asked, act, _("The rule was deleted."))


@page("GET")
def preview(request: HttpRequest, project: str) -> HttpResponse:
    """What a run would do now, with the reason for each artifact; a repository with very many is judged when it is
    asked for alone. Query: ``repository`` (its name without the project's), ``page``."""
    found = open_project(request, project, sees=SEES)
    policy = selectors.policy_of(found.project.pk)
    listing = Listing(request, sorts={"name": "name"}, default="name")
    listing.page_size = PREVIEWED
    selected = [row.pk for row in selectors.repositories_of(policy)] if policy else []
    alone = f"{found.project.name}/{request.GET['repository']}" if request.GET.get("repository") else ""
    chosen = found.project.repositories.filter(pk__in=selected)
    rows = listing.fill(chosen.filter(name=alone) if alone else chosen)
    counts, immutable = artifact_counts(rows), rules_of(found.project.pk)
    context = framed(found) | {
        "listing": listing,
        "rows": [
            _previewed(policy, row, immutable)
            if alone or counts[row.pk] <= PREVIEWED_ARTIFACTS
            else _left_out(row, counts[row.pk])
            for row in rows
            if policy
        ],
        "back": reverse("portal:retention", args=[found.project.pk]),
    }
    return render(request, "portal/projects/retention_preview.html", context)


def _left_out(repository: Repository, number: int) -> dict[str, Any]:
    name = repository.name.partition("/")[2]
    return {"repository": repository, "number": number, "url": f"?{urlencode({'repository': name})}"}


def _previewed(policy: RetentionPolicy, repository: Repository, immutable: Rules) -> dict[str, Any]:
    verdicts = selectors.verdicts_of(policy, repository, timezone.now(), immutable) or []
    go = [verdict for verdict in verdicts if not verdict.keep]
    stay = [verdict for verdict in verdicts if verdict.keep]
    return {
        "repository": repository,
        "lists": [
            (kind, len(rows), [(row.candidate, why(row)) for row in rows[:SHOWN]], len(rows) - SHOWN)
            for kind, rows in (("go", go), ("stay", stay))
        ],
    }

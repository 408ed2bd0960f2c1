"""What the two ends of a replication rule do not have alike, and bringing the destination up to the source."""

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobservice.selectors import executions
from portal.administration import administrator, page
from portal.isolation import named
from portal.job_words import badge_of
from portal.project_pages import ask_first
from portal.shortcuts import Confirmation, respond
from portal.views.administration.replications import rule_of
from replication.selectors import policies as selectors
from replication.services import drift
from replication.services import policies as services

# What it is called, and the kind and icon of its badge.
STATES = {
    drift.MISSING: (gettext_lazy("missing"), "warning", "circle-minus"),
    drift.DIFFERENT: (gettext_lazy("different"), "danger", "triangle-alert"),
    drift.EXTRA: (gettext_lazy("extra"), "neutral", "circle-plus"),
}


@page("GET")
def page_of(request: HttpRequest, policy: int) -> HttpResponse:
    """What the last comparison found, and how the one is that is under way."""
    administrator(request, "replication-policy:list")
    row = rule_of(policy)
    found = selectors.drifts_of([row.pk]).get(row.pk)
    run = selectors.last_comparisons([row.pk]).get(row.pk)
    context = {
        "rule": row,
        "found": found,
        "rows": [(item, STATES[item["state"]]) for item in (found.rows if found else [])],
        "run": run,
        "badge": badge_of(run.status) if run else None,
        "progress": executions.progress([run])[run.pk] if run else None,
        "problem": selectors.problems_of([run]).get(run.pk, "") if run else "",
        "alive": run is not None and run.end_time is None,
    }
    return respond(request, "portal/replication/drift.html", "portal/replication/_drift.html", context)


@page("GET", "POST")
def compare(request: HttpRequest, policy: int) -> HttpResponse:
    row = rule_of(policy)
    back = reverse("portal:replication-drift", args=[row.pk])
    return _compare(request, _("Compare the ends of rule %(name)s?") % named(row.name), back, [row.pk])


@page("GET", "POST")
def compare_all(request: HttpRequest) -> HttpResponse:
    rules = list(selectors.policies_named().order_by("pk").values_list("pk", flat=True)[: drift.POLICIES_MAX])
    return _compare(request, _("Compare the ends of all rules?"), reverse("portal:replications"), rules)


def _compare(request: HttpRequest, title: str, back: str, rules: list[int]) -> HttpResponse:
    actor = administrator(request, "replication:create")
    asked = Confirmation(
        title=title,
        action=_("Compare now"),
        danger=False,
        back=back,
        consequences=[_("Both ends are asked for all that a rule takes, which takes a while. Nothing is changed.")],
    )
    return ask_first(request, asked, lambda: drift.start(actor, rules), _("The comparison has begun."))


@page("GET", "POST")
def repair(request: HttpRequest, policy: int) -> HttpResponse:
    """With ``extra`` in the query what the source does not have is taken away as well."""
    actor = administrator(request, "replication:create")
    row = rule_of(policy)
    delete = request.GET.get("extra") == "1" or request.POST.get("extra") == "1"
    consequences = [
        _("The rule looks again and copies what is missing at the destination."),
        _("Tags that are different there are replaced, also if the rule leaves them otherwise."),
    ]
    if delete:
        consequences.append(_("Tags that the source does not have are deleted at the destination."))
    asked = Confirmation(
        title=_("Repair the destination of rule %(name)s?") % named(row.name),
        action=_("Repair"),
        back=reverse("portal:replication", args=[row.pk]),
        consequences=consequences,
        blockers=[] if row.enabled else [_("The rule is disabled.")],
        fields=[("extra", "1")] if delete else [],
    )
    return ask_first(request, asked, lambda: services.repair(actor, row.pk, delete=delete), _("The run has begun."))

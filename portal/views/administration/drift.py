"""What the two ends of a replication rule do not have alike, and bringing the destination up to the source."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.administration import administrator, page
from portal.isolation import named
from portal.project_pages import ask_first
from portal.shortcuts import Confirmation
from portal.views.administration.replications import rule_of
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
    """Both ends are asked for some seconds."""
    administrator(request, "replication-policy:list")
    row = rule_of(policy)
    found = drift.compare(row.pk)
    context = {
        "rule": row,
        "found": found,
        "rows": [(item, STATES[item.state]) for item in found.rows],
        "has_extra": any(item.state == drift.EXTRA for item in found.rows),
    }
    return render(request, "portal/replication/drift.html", context)


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

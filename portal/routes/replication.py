"""Rules of replication."""

from django.urls import path
from django.utils.translation import gettext_lazy as _

from portal.navigation import Entry, Section, add
from portal.views.administration import drift, replications

_RULE = "harbor/replications/<int:policy>"

urlpatterns = [
    path("harbor/replications", replications.rule_list, name="replications"),
    path("harbor/replications/new", replications.create, name="replication-new"),
    path("harbor/replications/compare", drift.compare_all, name="replications-compare"),
    path(_RULE, replications.rule_detail, name="replication"),
    path(f"{_RULE}/edit", replications.edit, name="replication-edit"),
    path(f"{_RULE}/differences", drift.page_of, name="replication-drift"),
    path(f"{_RULE}/compare", drift.compare, name="replication-compare"),
    path(f"{_RULE}/repair", drift.repair, name="replication-repair"),
    path(f"{_RULE}/preview", replications.preview, name="replication-preview"),
    path(f"{_RULE}/run", replications.run, name="replication-run"),
    path(f"{_RULE}/state", replications.toggle, name="replication-toggle"),
    path(f"{_RULE}/delete", replications.delete, name="replication-delete"),
]
add(Entry(Section.ADMINISTRATION, 50, "portal:replications", _("Replication"), "copy-check", "replication-policy:list"))

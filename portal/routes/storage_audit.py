"""Storage audits."""

from django.urls import path
from django.utils.translation import gettext_lazy as _

from portal.navigation import Entry, Section, add
from portal.views.jobs import storage_audit

_AUDIT = "harbor/storage-audit"

urlpatterns = [
    path(_AUDIT, storage_audit.run_list, name="storage-audit"),
    path(f"{_AUDIT}/start", storage_audit.start, name="storage-audit-start"),
    path(f"{_AUDIT}/schedule", storage_audit.schedule, name="storage-audit-schedule"),
    path(f"{_AUDIT}/<int:execution>", storage_audit.detail, name="storage-audit-run"),
    path(f"{_AUDIT}/<int:execution>/<str:action>", storage_audit.settle, name="storage-audit-settle"),
]
add(
    Entry(
        Section.ADMINISTRATION, 85, "portal:storage-audit", _("Storage audit"), "scan-search", "garbage-collection:list"
    )
)

"""Jobs of the whole system."""

from django.urls import path
from django.utils.translation import gettext_lazy as _

from portal.navigation import Entry, Section, add
from portal.views.jobs import kept, system

_JOB = "harbor/clearing-job/<str:job>"

urlpatterns = [
    path("harbor/clearing-job/gc/parked/retry", system.retry, name="gc-retry"),
    path("harbor/clearing-job/gc/blob", kept.kept, name="gc-blob"),
    path("harbor/clearing-job/gc", system.run_list, {"job": "gc"}, name="gc"),
    path("harbor/clearing-job/audit-log-purge", system.run_list, {"job": "audit-log-purge"}, name="log-rotation"),
    path(_JOB, system.run_list, name="jobs"),
    path(f"{_JOB}/run", system.run, name="job-run"),
    path(f"{_JOB}/schedule", system.schedule, name="job-schedule"),
    path(f"{_JOB}/<int:execution>", system.execution_detail, name="job-execution"),
    path(f"{_JOB}/<int:execution>/log", system.execution_log, name="job-log"),
    path(f"{_JOB}/<int:execution>/stop", system.stop, name="job-stop"),
]
add(
    Entry(Section.ADMINISTRATION, 80, "portal:gc", _("Garbage collection"), "recycle", "garbage-collection:list"),
    Entry(Section.ADMINISTRATION, 90, "portal:log-rotation", _("Log rotation"), "archive", "purge-audit:list"),
)

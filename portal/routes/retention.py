"""Tag retention of a project."""

from django.urls import path
from django.utils.translation import gettext_lazy as _

from portal.navigation import Entry, Section, add
from portal.views.project import retention, retention_runs

_RETENTION = "harbor/projects/<str:project>/tag-retention"
_RULE = f"{_RETENTION}/rules/<slug:rule>"
_RUN = f"{_RETENTION}/runs/<int:run>"

urlpatterns = [
    path(_RETENTION, retention.overview, name="retention"),
    path(f"{_RETENTION}/settings", retention.settings, name="retention-settings"),
    path(f"{_RETENTION}/preview", retention.preview, name="retention-preview"),
    path(f"{_RETENTION}/new-rule", retention.create, name="retention-rule-new"),
    path(_RULE, retention.edit, name="retention-rule"),
    path(f"{_RULE}/state", retention.toggle, name="retention-rule-toggle"),
    path(f"{_RULE}/delete", retention.delete, name="retention-rule-delete"),
    path(f"{_RETENTION}/run", retention_runs.start, name="retention-run-start"),
    path(_RUN, retention_runs.detail, name="retention-run"),
    path(f"{_RUN}/stop", retention_runs.stop, name="retention-run-stop"),
    path(f"{_RUN}/tasks/<int:task>", retention_runs.task_detail, name="retention-task"),
    path(f"{_RUN}/tasks/<int:task>/log", retention_runs.task_log, name="retention-task-log"),
]
add(Entry(Section.PROJECT, 55, "portal:retention", _("Tag retention"), "archive", "tag-retention:list"))

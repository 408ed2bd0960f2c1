"""The job service, with every execution and task."""

from django.urls import path
from django.utils.translation import gettext_lazy as _

from portal.navigation import Entry, Section, add
from portal.views.jobs import executions, service

_BASE = "harbor/job-service-dashboard"

urlpatterns = [
    path(_BASE, service.queues, name="job-queues"),
    path(f"{_BASE}/pending-jobs", service.queues),
    path(f"{_BASE}/queues/<str:queue>/<str:action>", service.queue_action, name="job-queue-action"),
    path(f"{_BASE}/schedules", service.schedules, name="job-schedules"),
    path(f"{_BASE}/workers", service.workers, name="job-workers"),
    path(f"{_BASE}/workers/stop", service.stop_running, name="job-stop-running"),
    path(f"{_BASE}/executions", executions.execution_list, name="job-executions"),
    path(f"{_BASE}/executions/<int:execution>", executions.execution_detail, name="job-any-execution"),
    path(f"{_BASE}/executions/<int:execution>/stop", executions.execution_stop, name="job-any-execution-stop"),
    path(f"{_BASE}/tasks/<int:task>", executions.task_detail, name="job-task"),
    path(f"{_BASE}/tasks/<int:task>/log", executions.task_log, name="job-task-log"),
    path(f"{_BASE}/tasks/<int:task>/stop", executions.task_stop, name="job-task-stop"),
]
add(Entry(Section.ADMINISTRATION, 100, "portal:job-queues", _("Job service"), "cpu", "jobservice-monitor:list"))

"""Routes below ``/api/v2.0`` about jobs."""

from django.urls import URLPattern, path

from jobservice.api import deliveries, gc, monitor, purge, storage_audit

POLICY = "webhook/policies/<str:webhook_policy_id>"


def _deliveries(owner: str) -> list[URLPattern]:
    """Below the policies of a project and of the system alike."""
    execution = f"{owner}/{POLICY}/executions/<str:execution_id>"
    return [
        path(f"{owner}/{POLICY}/ping", deliveries.PolicyPing.as_view()),
        path(f"{owner}/{POLICY}/executions", deliveries.PolicyExecutions.as_view()),
        path(f"{execution}/redelivery", deliveries.PolicyRedelivery.as_view()),
        path(f"{execution}/tasks", deliveries.PolicyTasks.as_view()),
        path(f"{execution}/tasks/<str:task_id>/log", deliveries.PolicyTaskLog.as_view()),
    ]


urlpatterns = [
    *_deliveries("projects/<str:project_name_or_id>"),
    *_deliveries("system"),
    path("jobservice/pools", monitor.Pools.as_view()),
    path("jobservice/pools/<str:pool_id>/workers", monitor.Workers.as_view()),
    path("jobservice/queues", monitor.Queues.as_view()),
    path("jobservice/queues/<str:job_type>", monitor.QueueItem.as_view()),
    path("jobservice/jobs/<str:job_id>", monitor.Job.as_view()),
    path("jobservice/jobs/<str:job_id>/log", monitor.JobLog.as_view()),
    path("schedules", monitor.Schedules.as_view()),
    path("schedules/<str:job_type>/paused", monitor.SchedulesPaused.as_view()),
    path("system/gc", gc.GCHistory.as_view()),
    path("system/gc/schedule", gc.GCSchedule.as_view()),
    path("system/gc/state", gc.GCState.as_view()),
    path("system/gc/blobs/<str:digest>", gc.GCBlob.as_view()),
    path("system/gc/<str:gc_id>", gc.GCRun.as_view()),
    path("system/gc/<str:gc_id>/log", gc.GCLog.as_view()),
    path("system/purgeaudit", purge.PurgeHistory.as_view()),
    path("system/purgeaudit/schedule", purge.PurgeSchedule.as_view()),
    path("system/purgeaudit/<str:purge_id>", purge.PurgeRun.as_view()),
    path("system/purgeaudit/<str:purge_id>/log", purge.PurgeLog.as_view()),
    path("system/storageaudit", storage_audit.AuditHistory.as_view()),
    path("system/storageaudit/schedule", storage_audit.AuditSchedule.as_view()),
    path("system/storageaudit/<str:audit_id>", storage_audit.AuditRun.as_view()),
    path("system/storageaudit/<str:audit_id>/log", storage_audit.AuditLog.as_view()),
    path("system/storageaudit/<str:audit_id>/findings", storage_audit.AuditFindings.as_view()),
]

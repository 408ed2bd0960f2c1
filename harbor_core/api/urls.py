"""The REST API's routes, under ``/api``."""

from django.urls import URLPattern, URLResolver, include, path, re_path

from harbor_core.api import audit, configurations, health, internal, openapi, system
from harbor_core.api.base import not_found

v2: list[URLPattern | URLResolver] = [
    path("", include("projects.api.urls")),
    path("", include("auth.api.urls")),
    path("", include("replication.api.urls")),
    path("", include("jobservice.api.urls")),
    path("openapi.json", openapi.OpenAPI.as_view()),
    path("configurations", configurations.Configurations.as_view()),
    path("audit-logs", audit.AuditLogs.as_view()),
    path("auditlog-exts", audit.AuditLogExts.as_view()),
    path("auditlog-exts/events", audit.EventTypes.as_view()),
    path("projects/<str:project_name>/logs", audit.ProjectLogs.as_view()),
    path("projects/<str:project_name>/auditlog-exts", audit.ProjectAuditLogExts.as_view()),
    path("internalconfig", configurations.InternalConfig.as_view()),
    path("ping", system.Ping.as_view()),
    path("health", health.Health.as_view()),
    path("systeminfo", system.SystemInfo.as_view()),
    path("systeminfo/getcert", system.GetCert.as_view()),
    path("systeminfo/volumes", system.Volumes.as_view()),
]
urlpatterns = [
    path("version", system.Version.as_view()),
    path("internal/syncquota", internal.SyncQuota.as_view()),
    path("internal/renameadmin", internal.RenameAdmin.as_view()),
    path("v2.0/", include(v2)),
    re_path(r"^", not_found),
]

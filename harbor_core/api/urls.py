"""The REST API's routes, under ``/api``."""

from django.urls import URLPattern, URLResolver, include, path, re_path

from harbor_core.api import health, system
from harbor_core.api.base import not_found

v2: list[URLPattern | URLResolver] = [
    path("", include("projects.api.urls")),
    path("", include("auth.api.urls")),
    path("ping", system.Ping.as_view()),
    path("health", health.Health.as_view()),
    path("systeminfo", system.SystemInfo.as_view()),
    path("systeminfo/getcert", system.GetCert.as_view()),
    path("systeminfo/volumes", system.Volumes.as_view()),
]
urlpatterns = [
    path("version", system.Version.as_view()),
    path("v2.0/", include(v2)),
    re_path(r"^", not_found),
]

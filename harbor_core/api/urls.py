"""The REST API's routes, under ``/api``."""

from django.urls import path, re_path

from harbor_core.api import system

urlpatterns = [
    path("version", system.Version.as_view()),
    path("v2.0/ping", system.Ping.as_view()),
    path("v2.0/health", system.Health.as_view()),
    path("v2.0/systeminfo", system.SystemInfo.as_view()),
    path("v2.0/systeminfo/getcert", system.GetCert.as_view()),
    re_path(r"^", system.Unknown.as_view()),
]

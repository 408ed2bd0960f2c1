"""The exporter: ``/metrics`` for Prometheus from a process of its own, so that counting what there is competes with no
request. It answers what the database knows (docs/metrics.md); what a core counted is asked of that core.

``gunicorn harbor_core.exporter:application``
"""

import os
from collections.abc import Callable, Iterable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "harbor_core.settings")
os.environ.setdefault("HARBOR_METRICS", "on")

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.test.utils import override_settings

django.setup(set_prefix=False)

from harbor_core.lib import traffic  # noqa: E402 - needs the settings

if settings.TRAFFIC_LISTEN:
    traffic.listen(settings.TRAFFIC_LISTEN)
with override_settings(MIDDLEWARE=settings.LEAN_MIDDLEWARE):
    _handler = WSGIHandler()

# What is asked for -> where Django has it.
_PATHS = {"/metrics": "/_metrics", "/_metrics": "/_metrics", "/health": "/api/v2.0/ping"}


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path = _PATHS.get(environ["PATH_INFO"], "")
    if not path or environ["REQUEST_METHOD"] not in ("GET", "HEAD") or "comp=core" in environ["QUERY_STRING"]:
        start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"there is nothing here but /metrics and /health\n"]
    return _handler(environ | {"PATH_INFO": path}, start_response)

"""WSGI entry point: one application in front of several chains.

* pulls of manifests take the fast path (harbor_core.registry.fast) when it can answer;
* ``/v2``, the token service and the gateway's questions run on Django with LEAN_MIDDLEWARE;
* REST calls that bring no session run with API_MIDDLEWARE;
* everything else runs on the full chain.
"""

import os
from collections.abc import Callable, Iterable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "harbor_core.settings")

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.test.utils import override_settings

django.setup(set_prefix=False)

from harbor_core.lib import metrics, tracing, traffic, waiting  # noqa: E402 - needs the settings
from harbor_core.registry import fast, mirrors  # noqa: E402 - needs the app registry


class _Handler(WSGIHandler):
    def __init__(self, middleware: list[str]) -> None:
        with override_settings(MIDDLEWARE=middleware):
            super().__init__()


_full = _Handler(settings.MIDDLEWARE)
_lean = _Handler(settings.LEAN_MIDDLEWARE)
_api = _Handler(settings.API_MIDDLEWARE)
_SESSION_COOKIE = f"{settings.SESSION_COOKIE_NAME}="


def _answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    return waiting.served(environ, lambda: _routed(environ, start_response))


def _routed(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if not path.startswith(settings.LEAN_PREFIXES) and path != "/v2":
        with_session = _SESSION_COOKIE in environ.get("HTTP_COOKIE", "")
        handler = _full if with_session or not path.startswith("/api/") else _api
        return handler(environ, start_response)
    answer = fast.answer(environ, start_response)
    return answer if answer is not None else _lean(environ, mirrors.answering(environ, start_response))


def _numbers_only(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """On the address of HARBOR_CORE_METRICS: what this core counted, and nothing else."""
    if environ["PATH_INFO"] == "/metrics" and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
        return _lean(environ | {"PATH_INFO": "/_metrics", "QUERY_STRING": "comp=core"}, start_response)
    start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
    return [b"there is nothing here but /metrics\n"]


application: metrics.Application = _answer
if metrics.ON:
    from harbor_core.api.metrics import resources

    application = metrics.counted(_answer, resources())
if tracing.ON:
    application = tracing.traced(application, fast.route)
    tracing.start("harbor-core")
if settings.TRAFFIC_LISTEN:
    traffic.listen(settings.TRAFFIC_LISTEN)
if settings.CORE_METRICS:
    application = metrics.by_port(int(settings.CORE_METRICS.rpartition(":")[2]), _numbers_only, application)

"""``/health``: every component is really asked."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core import registry_client
from harbor_core.api.base import PUBLIC, ApiView
from harbor_core.celery import app
from harbor_core.lib import http
from harbor_core.lib.schema import TEXT, array, choice, obj

WORKER_SECONDS = 1.0  # how long a worker may take to answer
WORKER_KEY, WORKER_KNOWN_SECONDS, WORKER_MISSED_SECONDS = "health:jobservice", 5, 1


def _database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone() == (1,))
    except DatabaseError:
        return False


def _redis() -> bool:
    try:
        with settings.REDIS.client(socket_timeout=1, socket_connect_timeout=1) as client:
            return bool(client.ping())
    except (RedisError, OSError):
        return False


def _core() -> bool:
    """This process answers; where another one asks (the exporter), core is asked over the network."""
    if not settings.CORE_URL:
        return True
    try:
        authority = Path(settings.INTERNAL_TLS.authority).read_text(encoding="ascii") if settings.INTERNAL_TLS else ""
        where = f"{settings.CORE_URL}/api/v2.0/ping"
        return http.request("GET", where, seconds=3, private=True, ca_certificate=authority).status == 200
    except (http.OutboundError, OSError):
        return False


def _worker() -> bool:
    """Does any worker answer? Its answer is kept for a few seconds."""
    known = cache.get(WORKER_KEY)
    if known is None:
        try:
            known = bool(app.control.ping(timeout=WORKER_SECONDS, limit=1))
        except (OperationalError, RedisError, OSError):
            known = False
        cache.set(WORKER_KEY, known, WORKER_KNOWN_SECONDS if known else WORKER_MISSED_SECONDS)
    return bool(known)


def _portal() -> bool:
    """Pages come from this process: are their templates and the collected static files there?"""
    try:
        get_template("portal/base.html")
    except TemplateDoesNotExist:
        return False
    return (Path(settings.STATIC_ROOT) / "staticfiles.json").is_file()


def components() -> dict[str, bool]:
    """Name -> is it healthy. Workers are asked through Redis, so without it there is no use in waiting for them."""
    redis = _redis()
    return {
        "core": _core(),
        "database": _database(),
        "jobservice": redis and _worker(),
        "portal": _portal(),
        "redis": redis,
        "registry": registry_client.ping(),
    }


STATUS = choice("healthy", "unhealthy")
OVERALL = obj(
    "OverallHealthStatus",
    {
        "status": STATUS,
        "components": array(obj("ComponentHealthStatus", {"name": TEXT, "status": STATUS, "error?": TEXT})),
    },
)


def _json(name: str, healthy: bool) -> dict[str, Any]:
    if healthy:
        return {"name": name, "status": "healthy"}
    return {"name": name, "status": "unhealthy", "error": f"{name} does not answer"}


class Health(ApiView):
    """Always 200; ``status`` tells whether all is well."""

    permissions = {"GET": PUBLIC}
    answers = {"GET": OVERALL}

    def get(self, request: Request) -> Response:
        found = components()
        status = "healthy" if all(found.values()) else "unhealthy"
        return Response({"status": status, "components": [_json(name, healthy) for name, healthy in found.items()]})

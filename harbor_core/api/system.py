"""The system's own operations: ping, version, health, information, certificate."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import FileResponse
from redis import Redis
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from harbor_core import registry_client
from harbor_core.celery import app
from harbor_core.lib.errors import HarborError
from harbor_core.lib.public import public_url
from harbor_core.services.config import config_get


class Ping(APIView):
    def get(self, request: Request) -> Response:
        return Response("Pong")


class Version(APIView):
    def get(self, request: Request) -> Response:
        return Response({"version": "v2.0"})


class Unknown(APIView):
    """What the contract has and this server has not, and what nobody has."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise HarborError("NOT_FOUND", f"{request.path} is not an operation of this API")


def _core() -> bool:
    return True  # it is answering


def _database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return cursor.fetchone() == (1,)
    except DatabaseError:
        return False


def _redis() -> bool:
    try:
        with Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as client:
            return bool(client.ping())
    except (RedisError, OSError):
        return False


def _jobservice() -> bool:
    """Does a worker answer? Asked at most every five seconds."""
    known = cache.get("health:jobservice")
    if known is None:
        try:
            known = bool(app.control.ping(timeout=1.0, limit=1))
        except (RedisError, OSError, app.connection_for_write().connection_errors):
            known = False
        cache.set("health:jobservice", known, 5 if known else 1)
    return known


COMPONENTS: dict[str, Callable[[], bool]] = {
    "core": _core,
    "database": _database,
    "jobservice": _jobservice,
    "portal": _core,
    "redis": _redis,
    "registry": registry_client.ping,
}


class Health(APIView):
    """Always 200; each component is really asked."""

    def get(self, request: Request) -> Response:
        found = {name: ask() for name, ask in COMPONENTS.items()}
        components = [
            {"name": name, "status": "healthy"}
            if healthy
            else {"name": name, "status": "unhealthy", "error": f"{name} does not answer"}
            for name, healthy in found.items()
        ]
        return Response({"status": "healthy" if all(found.values()) else "unhealthy", "components": components})


class SystemInfo(APIView):
    def get(self, request: Request) -> Response:
        info = {
            "auth_mode": config_get("auth_mode"),
            "banner_message": config_get("banner_message"),
            "harbor_version": settings.VERSION,
            "primary_auth_mode": config_get("primary_auth_mode"),
            "self_registration": config_get("self_registration"),
        }
        if request.user.is_authenticated:
            own = public_url(request.META.get("HTTP_HOST", ""))
            info |= {
                "external_url": own,
                "registry_url": own.partition("://")[2],
                "has_ca_root": bool(settings.CA_FILE),
                "project_creation_restriction": config_get("project_creation_restriction"),
                "read_only": config_get("read_only"),
                "notification_enable": config_get("notification_enable"),
                "registry_storage_provider_name": settings.STORAGE_DRIVER,
            }
        return Response(info)


class GetCert(APIView):
    """The certificate authority clients have to trust, as a download."""

    def get(self, request: Request) -> FileResponse:
        if not settings.CA_FILE or not Path(settings.CA_FILE).is_file():
            raise HarborError("NOT_FOUND", "this registry has no certificate authority of its own")
        return FileResponse(
            Path(settings.CA_FILE).open("rb"), as_attachment=True, filename="ca.crt", content_type="application/x-x509-ca-cert"
        )

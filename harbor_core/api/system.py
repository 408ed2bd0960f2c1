"""The system's own operations: ping, version, information, certificate, volumes."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import FileResponse, HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import PUBLIC, ApiView
from harbor_core.lib import storage
from harbor_core.lib.errors import HarborError
from harbor_core.lib.public import public_url
from harbor_core.lib.schema import BINARY, FLAG, INT, TEXT, TIME, Answer, array, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import compact
from harbor_core.services.config import config_get

AUTHPROXY = obj(
    "AuthproxySetting",
    {
        "endpoint?": TEXT,
        "tokenreivew_endpoint?": TEXT,  # spelt like this in the contract
        "skip_search?": FLAG,
        "verify_cert?": FLAG,
        "server_certificate?": TEXT,
    },
)
SYSTEM_INFO = obj(
    "GeneralInfo",
    {
        "auth_mode": TEXT,
        "banner_message": TEXT,
        "primary_auth_mode": FLAG,
        "self_registration": FLAG,
        "project_creation_restriction?": TEXT,
        "read_only?": FLAG,
        "notification_enable?": FLAG,
        "current_time?": TIME,
        "external_url?": TEXT,
        "registry_url?": TEXT,
        "has_ca_root?": FLAG,
        "harbor_version?": TEXT,
        "registry_storage_provider_name?": TEXT,
        "oidc_provider_name?": TEXT,
        "authproxy_settings?": AUTHPROXY,
    },
)


class Ping(ApiView):
    permissions = {"GET": PUBLIC}
    answers = {"GET": Answer(TEXT, media_type="text/plain")}

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse("Pong", content_type="text/plain; charset=utf-8")


class Version(ApiView):
    permissions = {"GET": PUBLIC}
    answers = {"GET": obj("Version", {"version": TEXT})}

    def get(self, request: Request) -> Response:
        return Response({"version": "v2.0"})


class SystemInfo(ApiView):
    """Everybody learns how to sign in, accounts learn the rest. Flags are there also when they are false."""

    permissions = {"GET": PUBLIC}
    answers = {"GET": SYSTEM_INFO}

    def get(self, request: Request) -> Response:
        keys = ["auth_mode", "banner_message", "primary_auth_mode", "self_registration"]
        info = _login_details(self.actor.is_authenticated)
        if self.actor.is_authenticated:
            keys += ["project_creation_restriction", "read_only", "notification_enable"]
            own = public_url(request.META.get("HTTP_HOST", ""))
            info |= {
                "current_time": rfc3339(timezone.now()),
                "external_url": own,
                "registry_url": own.partition("://")[2],
                "has_ca_root": _ca_file() is not None,
                "harbor_version": settings.VERSION,
                "registry_storage_provider_name": settings.STORAGE_DRIVER,
            }
        return Response({key: config_get(key) for key in keys} | info)


def _login_details(authenticated: bool) -> dict[str, Any]:
    """What belongs to one way of signing in only. Addresses of the login proxy are for accounts."""
    mode = config_get("auth_mode")
    if mode == "oidc_auth" and config_get("oidc_name"):
        return {"oidc_provider_name": config_get("oidc_name")}
    if mode == "http_auth" and authenticated:
        proxy = {
            "endpoint": config_get("http_authproxy_endpoint"),
            "tokenreivew_endpoint": config_get("http_authproxy_tokenreview_endpoint"),
            "skip_search": config_get("http_authproxy_skip_search"),
            "verify_cert": config_get("http_authproxy_verify_cert"),
            "server_certificate": config_get("http_authproxy_server_certificate"),
        }
        return {"authproxy_settings": compact(proxy)}
    return {}


def _ca_file() -> Path | None:
    path = Path(settings.CA_FILE) if settings.CA_FILE else None
    return path if path is not None and path.is_file() else None


class GetCert(ApiView):
    """The certificate authority clients have to trust, as a download."""

    permissions = {"GET": PUBLIC}
    answers = {"GET": Answer(BINARY, media_type="application/x-x509-ca-cert")}
    errors = {"GET": (404,)}

    def get(self, request: Request) -> FileResponse:
        path = _ca_file()
        if path is None:
            raise HarborError("NOT_FOUND", "this registry has no certificate authority of its own")
        media_type = "application/x-x509-ca-cert"
        return FileResponse(path.open("rb"), as_attachment=True, filename="ca.crt", content_type=media_type)


class Volumes(ApiView):
    """Bytes in all and free where blobs are stored; nothing where storage has no size (object storage)."""

    permissions = {"GET": "system-volumes:read"}
    answers = {"GET": obj("SystemVolumes", {"storage": array(obj("Storage", {"total": INT, "free": INT}))})}

    def get(self, request: Request) -> Response:
        store = storage.backend()
        total, free = store.total_bytes(), store.free_bytes()
        volumes = [] if total is None or free is None else [{"total": total, "free": free}]
        return Response({"storage": volumes})

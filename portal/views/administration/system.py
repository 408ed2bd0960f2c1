"""What runs here, and whether it is well."""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from harbor_core.api.health import components
from harbor_core.lib import storage
from portal.administration import administrator, page

# What each part is for.
_ABOUT = {
    "core": _("Pages, API and the registry's front"),
    "database": _("Projects, users, what was pushed"),
    "jobservice": _("Work in the background"),
    "portal": _("These pages"),
    "redis": _("Queues and what is remembered for a moment"),
    "registry": _("Content of images"),
}


@page("GET")
def information(request: HttpRequest) -> HttpResponse:
    """Every component is asked now."""
    administrator(request, "system-volumes:read")
    store = storage.backend()
    total, free = store.total_bytes(), store.free_bytes()
    context = {
        "components": [(name, _ABOUT.get(name, ""), healthy) for name, healthy in components().items()],
        "storage_driver": settings.STORAGE_DRIVER,
        "database": "PostgreSQL" if connection.vendor == "postgresql" else "SQLite",
        "total": total,
        "used": None if total is None or free is None else total - free,
        "free": free,
        "authority": _authority(),
    }
    return render(request, "portal/administration/system.html", context)


def _authority() -> dict[str, Any] | None:
    """The certificate authority clients have to trust; None where a public one signed."""
    path = Path(settings.CA_FILE) if settings.CA_FILE else None
    if path is None or not path.is_file():
        return None
    try:
        certificate = load_pem_x509_certificate(path.read_bytes())
    except ValueError:
        return {}
    return {
        "subject": certificate.subject.rfc4514_string(),
        "until": certificate.not_valid_after_utc,
        "fingerprint": certificate.fingerprint(SHA256()).hex(":").upper(),
    }

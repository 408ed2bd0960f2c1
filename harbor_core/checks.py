"""System checks: a deployment that cannot work is refused with an id and a hint before it serves anything."""

from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register


@register()
def secrets_and_keys(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if len(settings.SECRET_KEY) < 32:
        found.append(
            Error(
                "the secret key is missing or shorter than 32 characters",
                hint="Set HARBOR_SECRET_KEY (or HARBOR_SECRET_KEY_FILE); `make run` generates one.",
                id="harbor.E001",
            )
        )
    if settings.STORAGE_DRIVER in ("swift", "oss"):
        found.append(
            Error(
                f"storage driver {settings.STORAGE_DRIVER} cannot be written by the control plane",
                hint="Use the provider's S3 gateway: HARBOR_STORAGE_DRIVER=s3 with HARBOR_STORAGE_S3_REGIONENDPOINT.",
                id="harbor.E002",
            )
        )
    package = {"gcs": "google.cloud.storage", "azure": "azure.storage.blob"}.get(settings.STORAGE_DRIVER)
    if package and not _installed(package):
        found.append(
            Error(
                f"storage driver {settings.STORAGE_DRIVER} needs the Python package {package}, which is not installed",
                hint=f"pip install django-storages[{'google' if settings.STORAGE_DRIVER == 'gcs' else 'azure'}]",
                id="harbor.E003",
            )
        )
    return found


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


@register(deploy=True)
def default_password(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if settings.ADMIN_PASSWORD_IS_DEFAULT:
        return [
            Warning(
                "the initial password of admin is the documented default",
                hint="Set HARBOR_ADMIN_PASSWORD before the first start, or change it after signing in.",
                id="harbor.W001",
            )
        ]
    return []

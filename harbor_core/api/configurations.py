"""``/configurations`` and ``/internalconfig``."""

import hmac

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ApiView
from harbor_core.lib.config_keys import EDITABLE, SETTINGS, Scope
from harbor_core.lib.schema import ANY, DONE, FLAG, Schema, mapping, obj
from harbor_core.services import configurations

_LISTED = {key: item for key, item in SETTINGS.items() if item.scope is Scope.USER and not item.secret}
CONFIGURATIONS = obj(
    "ConfigurationsResponse",
    {key: obj("", {"value": Schema(item.reader.schema()), "editable": FLAG}) for key, item in _LISTED.items()},
)
INTERNAL_SCHEME = "harbor-secret "


class Configurations(ApiView):
    """Partial: keys that are not sent stay as they are, keys that are not known are ignored."""

    permissions = {"GET": "configuration:read", "PUT": "configuration:update"}
    bodies = {"PUT": EDITABLE}
    answers = {"GET": CONFIGURATIONS, "PUT": DONE}
    works_read_only = True

    def get(self, request: Request) -> Response:
        return Response(configurations.shown())

    def put(self, request: Request) -> Response:
        configurations.update(self.actor, self.body)
        return self.done()


class InternalConfig(ApiView):
    """For the system's own parts, with secrets in clear, when they bring ``Authorization: Harbor-Secret <secret>``.
    Administrators see the same without secrets."""

    permissions = {"GET": "configuration:read"}
    answers = {"GET": mapping(obj("InternalConfigurationValue", {"value": ANY, "editable": FLAG}))}

    def authorize(self, permission: str) -> None:
        if not self._is_internal():
            super().authorize(permission)

    def _is_internal(self) -> bool:
        header = self.request.headers.get("Authorization", "")
        given = header[len(INTERNAL_SCHEME) :].strip() if header.lower().startswith(INTERNAL_SCHEME) else ""
        known = settings.INTERNAL_SECRET
        return bool(known) and hmac.compare_digest(given.encode(), known.encode())

    def get(self, request: Request) -> Response:
        return Response(configurations.everything(secrets=self._is_internal()))

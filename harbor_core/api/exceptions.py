"""Turn whatever a view raises into the contract's error body."""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.views import set_rollback

from harbor_core.lib.errors import HarborError

logger = logging.getLogger(__name__)
CONTENT_TYPE = "application/json; charset=utf-8"


def exception_handler(exc: Exception, context: dict[str, Any]) -> HttpResponse:
    """Expected failures answer with their code; anything else is logged and answered UNKNOWN, without a detail."""
    set_rollback()
    error = _translate(exc)
    if error.status >= 500:
        logger.error("%s %s", context["request"].method, context["request"].path, exc_info=exc)
    return error_response(error)


def error_response(error: HarborError) -> HttpResponse:
    return HttpResponse(error.body(), status=error.status, content_type=CONTENT_TYPE, headers=error.headers)


def _translate(exc: Exception) -> HarborError:
    match exc:
        case HarborError():
            return exc
        case exceptions.UnsupportedMediaType():
            return HarborError("UNSUPPORTED_MEDIA_TYPE", "the body must be application/json")
        case exceptions.ParseError():
            return HarborError("BAD_REQUEST", str(exc.detail))
        case exceptions.MethodNotAllowed():
            return HarborError("METHOD_NOT_ALLOWED")
        case RequestDataTooBig():
            return HarborError("REQUEST_ENTITY_TOO_LARGE")
        case Http404():
            return HarborError("NOT_FOUND")
        case PermissionDenied():
            return HarborError("FORBIDDEN")
        case OperationalError() | InterfaceError():
            return HarborError("SERVICE_UNAVAILABLE", "the database cannot be reached", headers={"Retry-After": "5"})
        case OSError():
            return HarborError("SERVICE_UNAVAILABLE", "the storage cannot be used", headers={"Retry-After": "5"})
    return HarborError("UNKNOWN")

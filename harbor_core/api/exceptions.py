"""Every failure of the REST API as the contract's error body."""

import logging
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from rest_framework import exceptions, status

from harbor_core.lib.errors import HarborError

logger = logging.getLogger(__name__)
JSON = "application/json; charset=utf-8"
_BY_STATUS = {
    status.HTTP_400_BAD_REQUEST: "BAD_REQUEST",
    status.HTTP_401_UNAUTHORIZED: "UNAUTHORIZED",
    status.HTTP_403_FORBIDDEN: "FORBIDDEN",
    status.HTTP_404_NOT_FOUND: "NOT_FOUND",
    status.HTTP_405_METHOD_NOT_ALLOWED: "METHOD_NOT_ALLOWED",
    status.HTTP_406_NOT_ACCEPTABLE: "NOT_ACCEPTABLE",
    status.HTTP_415_UNSUPPORTED_MEDIA_TYPE: "UNSUPPORTED_MEDIA_TYPE",
    status.HTTP_429_TOO_MANY_REQUESTS: "TOO_MANY_REQUEST",
}


def render(error: HarborError) -> HttpResponse:
    return HttpResponse(error.body(), status=error.status, content_type=JSON, headers=error.headers)


def exception_handler(exc: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's hook: what is expected keeps its code, what is not becomes UNKNOWN and a log entry."""
    if isinstance(exc, HarborError):
        return render(exc)
    if isinstance(exc, Http404):
        return render(HarborError("NOT_FOUND"))
    if isinstance(exc, exceptions.ValidationError):
        return render(HarborError("UNPROCESSABLE_ENTITY", str(exc.detail)))
    if isinstance(exc, exceptions.APIException):
        return render(HarborError(_BY_STATUS.get(exc.status_code, "BAD_REQUEST"), str(exc.detail)))
    if isinstance(exc, OperationalError | InterfaceError):
        logger.error("database error: %s", exc)
        return render(HarborError("SERVICE_UNAVAILABLE", headers={"Retry-After": "5"}))
    logger.error("unexpected error", exc_info=exc)
    return render(HarborError("UNKNOWN"))

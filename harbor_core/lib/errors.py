"""Every error a client can see is a row of this table: code -> HTTP status and default message.

The body is the same on all surfaces, ``{"errors": [{"code": ..., "message": ..., "detail": ...}]}`` (distribution
spec, "Error Codes"; Harbor's REST API uses the same shape). A surface renders a :class:`HarborError`; nothing else
builds error bodies.
"""

import json
from typing import Any

CODES: dict[str, tuple[int, str]] = {
    # distribution spec
    "BLOB_UNKNOWN": (404, "blob unknown to registry"),
    "BLOB_UPLOAD_INVALID": (400, "blob upload invalid"),
    "BLOB_UPLOAD_UNKNOWN": (404, "blob upload unknown to registry"),
    "DIGEST_INVALID": (400, "provided digest did not match uploaded content"),
    "MANIFEST_BLOB_UNKNOWN": (404, "manifest references a manifest or blob unknown to registry"),
    "MANIFEST_INVALID": (400, "manifest invalid"),
    "MANIFEST_UNKNOWN": (404, "manifest unknown to registry"),
    "NAME_INVALID": (400, "invalid repository name"),
    "NAME_UNKNOWN": (404, "repository name not known to registry"),
    "SIZE_INVALID": (400, "provided length did not match content length"),
    "TAG_INVALID": (400, "manifest tag did not match the grammar"),
    "UNAUTHORIZED": (401, "authentication required"),
    "DENIED": (403, "requested access to the resource is denied"),
    "UNSUPPORTED": (400, "the operation is unsupported"),
    "TOOMANYREQUESTS": (429, "too many requests"),
    "UPSTREAM_FAILED": (502, "the registry this project is a cache of did not answer as it should"),  # ours
    "RANGE_INVALID": (416, "invalid content range"),
    "PAGINATION_NUMBER_INVALID": (400, "invalid number of results requested"),
    # Harbor's REST API
    "BAD_REQUEST": (400, "bad request"),
    "FORBIDDEN": (403, "forbidden"),
    "NOT_FOUND": (404, "not found"),
    "METHOD_NOT_ALLOWED": (405, "method not allowed"),
    "NOT_ACCEPTABLE": (406, "not acceptable"),
    "CONFLICT": (409, "conflict"),
    "PRECONDITION": (412, "precondition failed"),
    "VIOLATE_FOREIGN_KEY_CONSTRAINT": (412, "the resource is still referenced"),
    "PROJECTPOLICYVIOLATION": (412, "the project's policy forbids this"),
    "REQUEST_ENTITY_TOO_LARGE": (413, "request entity too large"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "unsupported media type"),
    "UNPROCESSABLE_ENTITY": (422, "unprocessable entity"),
    "TOO_MANY_REQUEST": (429, "too many requests"),
    "UNKNOWN": (500, "internal server error"),
    "SERVICE_UNAVAILABLE": (503, "service unavailable, retry later"),
}


class HarborError(Exception):
    """An expected failure with a code of the table.

    ``status`` overrides the table's status where one code is answered with several (UNSUPPORTED: 400 or 405);
    ``headers`` are added to the answer (``Retry-After``, ``Location``, ``WWW-Authenticate``).
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        detail: Any = None,
        status: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        table_status, table_message = CODES[code]
        self.code = code
        self.status = status or table_status
        self.message = message or table_message
        self.detail = detail
        self.headers = headers or {}
        super().__init__(f"{code}: {self.message}")

    def body(self) -> bytes:
        return error_body(self.code, self.message, self.detail)


def error_body(code: str, message: str, detail: Any = None) -> bytes:
    """The JSON body of one error, as bytes ending in a newline."""
    error: dict[str, Any] = {"code": code, "message": message}
    if detail is not None:
        error["detail"] = detail
    return json.dumps({"errors": [error]}, ensure_ascii=False).encode() + b"\n"

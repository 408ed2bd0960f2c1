"""The gateway's questions. It asks before it moves a byte: 204 is yes, 403 is no.

nginx's auth_request understands nothing else, so a refusal carries its true status, headers and body in
``X-Harbor-Denied``; the gateway brings it back to ``/_denied``, which renders it. Repository, digest and upload id are
the gateway's captures in ``X-Harbor-*`` headers, never the raw request line.
"""

import base64
import json
from typing import Any

from django.conf import settings
from django.http import QueryDict

from auth.keys import registry_token
from harbor_core import registry_client
from harbor_core.lib import names, storage
from harbor_core.lib.errors import HarborError
from harbor_core.lib.reply import Reply, error_reply
from harbor_core.registry import mirrors
from harbor_core.registry.authorize import authorize
from harbor_core.registry.base import refuse_changes, refuse_writes, single
from projects.services import blobs


def _refusal(error: HarborError) -> Reply:
    text = json.dumps(
        {
            "status": error.status,
            "code": error.code,
            "message": error.message,
            "headers": error.headers,
            "detail": error.detail,
        }
    )
    denied = base64.urlsafe_b64encode(text.encode()).decode()
    return Reply(403, headers={"X-Harbor-Denied": denied, "X-Accel-Expires": "0", "Content-Length": "0"})


def blob(environ: dict[str, Any]) -> Reply:
    """May the client GET or HEAD this blob? A HEAD also touches it, so that it is not collected under the client.

    ``X-Harbor-Repository`` says whose blob it is, since a client of a mirror does not name the project.
    ``X-Accel-Expires`` says how many seconds the gateway may remember a yes: tokens only, and never past their end.
    """
    repository, digest = mirrors.repository_of(environ), environ["HTTP_X_HARBOR_DIGEST"]
    try:
        caller = authorize(environ, repository, "pull")
        is_here = environ["HTTP_X_HARBOR_METHOD"] != "HEAD" or blobs.touch(repository, digest)
        if not (is_here or caller.project.proxy):  # whose upstream may have it: without a file the gateway asks core
            raise HarborError("BLOB_UNKNOWN", detail=digest)
    except HarborError as error:
        return _refusal(error)
    seconds = int(min(settings.AUTHZ_CACHE_SECONDS, caller.token_seconds))
    proxied = {"X-Harbor-Proxy": "1"} if caller.project.proxy else {}  # for what the gateway counts
    return Reply(204, headers={"X-Accel-Expires": str(seconds), "X-Harbor-Repository": repository} | proxied)


def upload(environ: dict[str, Any]) -> Reply:
    """May the client PATCH or PUT this upload session? Yes comes with a narrow registry token and the exact query the
    registry shall see."""
    try:
        args = _upload(environ)
    except HarborError as error:
        return _refusal(error)
    token = registry_token((environ["HTTP_X_HARBOR_REPOSITORY"], ("pull", "push")))
    return Reply(204, headers={"X-Registry-Token": token, "X-Registry-Args": args})


def _upload(environ: dict[str, Any]) -> str:
    repository, identifier = environ["HTTP_X_HARBOR_REPOSITORY"], environ["HTTP_X_HARBOR_UPLOAD"]
    found = blobs.upload_session(identifier, repository)
    row, granted = found or (None, False)
    caller = authorize(environ, repository, "push", grant_of=row.subject if row and granted else None)
    if row is None or row.subject != caller.actor.key:
        raise HarborError("BLOB_UPLOAD_UNKNOWN", detail=identifier)
    match environ["HTTP_X_HARBOR_METHOD"]:
        case "PATCH" | "PUT":
            refuse_writes()
        case "DELETE":
            refuse_changes()
    query = QueryDict(environ.get("HTTP_X_HARBOR_QUERY", ""))
    state = single(query, "_state")
    offset = registry_client.state_offset(state) if state else storage.upload_offset(repository, identifier)
    if offset is None:
        raise HarborError("BLOB_UPLOAD_INVALID", "the upload session's state is missing or unreadable")
    state = state or registry_client.upload_state(repository, identifier, offset)
    length = _length(environ)
    received = offset + (length or 0)  # what a chunk of unknown length adds, the next request and a sweeper see
    args = QueryDict(mutable=True)
    args["_state"] = state
    _check_range(environ.get("HTTP_CONTENT_RANGE", ""), offset, length)
    if environ["HTTP_X_HARBOR_METHOD"] == "PUT":
        digest = single(query, "digest")
        if not names.is_digest(digest):
            raise HarborError("DIGEST_INVALID", "digest must be sha256: and 64 hexadecimal digits", detail=digest[:200])
        blobs.commit(row, digest, received)
        args["digest"] = digest
    else:
        blobs.note_progress(row, received)
    return args.urlencode()


def _length(environ: dict[str, Any]) -> int | None:
    """Bytes the client announces; None when the length is not known (chunked)."""
    text = environ.get("HTTP_X_HARBOR_LENGTH", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _check_range(value: str, offset: int, length: int | None) -> None:
    """``Content-Range: <start>-<end>`` of a chunk must continue where the session is (distribution spec, Pushing a
    blob in chunks). Raises RANGE_INVALID (416)."""
    if not value:
        return
    start, dash, end = value.removeprefix("bytes ").partition("/")[0].partition("-")
    valid = bool(dash) and start.isascii() and start.isdigit() and end.isascii() and end.isdigit()
    if not valid or int(start) != offset or (length is not None and int(end) - int(start) + 1 != length):
        raise HarborError(
            "RANGE_INVALID", f"the next byte of this upload is {offset}", headers={"Range": _range(offset)}
        )


def _range(offset: int) -> str:
    return f"0-{max(offset - 1, 0)}"


def denied(environ: dict[str, Any]) -> Reply:
    """Render a refusal the gateway brought back."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(environ.get("HTTP_X_HARBOR_DENIED", "")))
        error = HarborError(
            parts["code"], parts["message"], status=parts["status"], headers=parts["headers"], detail=parts["detail"]
        )
    except (ValueError, KeyError, TypeError):
        error = HarborError("SERVICE_UNAVAILABLE", headers={"Retry-After": "5"})
    return error_reply(error)

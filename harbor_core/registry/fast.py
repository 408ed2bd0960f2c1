"""The hot routes as a plain WSGI callable in front of Django: manifest GET and HEAD, the gateway's questions, tokens.

Django's request, middleware and resolver would cost several times what the answer costs.
"""

import http
import logging
import re
from collections.abc import Callable, Iterable
from typing import Any

from django.db import InterfaceError, OperationalError, connection

from auth import token_api
from harbor_core.lib import logs, names, waiting
from harbor_core.lib.errors import HarborError
from harbor_core.lib.reply import Reply, error_reply
from harbor_core.registry import gateway, mirrors, pull
from harbor_core.registry.base import API_VERSION, HOSTILE_PATH, unavailable

logger = logging.getLogger(__name__)
_MANIFEST = re.compile(rf"/v2/({names.REPOSITORY})/manifests/([^/]{{1,512}})")
_LINES = {status.value: f"{status.value} {status.phrase}" for status in http.HTTPStatus}
_WHOLE_PATHS: dict[str, Callable[[dict[str, Any]], Reply | None]] = {
    "/service/token": token_api.answer,
    # Internal: the gateway lets no client reach them.
    "/_authz/blob": gateway.blob,
    "/_authz/upload": gateway.upload,
    "/_denied": gateway.denied,
}
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


def route(path: str) -> str:
    """The template of a path that may be answered here, else empty."""
    if path in _WHOLE_PATHS:
        return path
    return "/v2/{name}/manifests/{reference}" if _MANIFEST.fullmatch(path) else ""


def answer(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes] | None:
    """The response, or None when the route is not one of these."""
    path = environ["PATH_INFO"]
    handler = _WHOLE_PATHS.get(path, _manifest)
    reply = _run(environ, lambda: handler(environ))
    if reply is None:
        return None
    common = API_VERSION if path != "/service/token" else {}
    mirrors.answering(environ, start_response)(_LINES[reply.status], [*common.items(), *reply.headers.items()])
    return [reply.body] if reply.body and environ["REQUEST_METHOD"] != "HEAD" else []


def _manifest(environ: dict[str, Any]) -> Reply | None:
    """None for a request that is not for a manifest; it is led to its project all the same."""
    mirrors.enter(environ)
    match = _MANIFEST.fullmatch(environ["PATH_INFO"])
    if match is None or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return None
    repository, reference = match.groups()
    if len(repository) > names.REPOSITORY_MAX or HOSTILE_PATH.search(environ.get("RAW_URI", "").partition("?")[0]):
        return None
    return pull.manifest(environ, repository, reference)


def _run(environ: dict[str, Any], handler: Callable[[], Reply | None]) -> Reply | None:
    identifier = logs.identifier(environ.get("HTTP_X_REQUEST_ID", ""))
    token = logs.request_id.set(identifier)
    address = logs.client_address.set(environ.get("HTTP_X_REAL_IP", ""))
    try:
        try:
            reply = handler()
        except (OperationalError, InterfaceError):
            connection.close()  # the kept connection may have gone stale: what these routes do may be done twice
            reply = handler()
    except HarborError as error:
        reply = error_reply(error)
    except waiting.WaitElsewhere:
        reply = Reply(200, headers=waiting.location(environ))
    except (OperationalError, InterfaceError) as error:
        connection.close()
        reply = error_reply(unavailable(error))
    except Exception:
        logger.exception("unexpected error in %s %s", environ["REQUEST_METHOD"], environ["PATH_INFO"])
        reply = error_reply(HarborError("UNKNOWN"))
    finally:
        logs.request_id.reset(token)
        logs.client_address.reset(address)
    if reply is not None:
        reply.headers["X-Request-Id"] = identifier
    return reply

"""The published OpenAPI 3.0 document: built from the routes and from what their views declare, never by hand.

``GET /api/v2.0/openapi.json`` serves it; names and summaries come from harbor_core.api.operations.
"""

import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.request import Request

from harbor_core.api.base import LOGIN, PREFIX, PUBLIC, ApiView
from harbor_core.api.exceptions import CONTENT_TYPE
from harbor_core.api.operations import OPERATIONS, named
from harbor_core.lib.schema import ANY, JSON, TEXT, Answer, Schema, answer, array, mapping, obj
from harbor_core.lib.wire import Flag, Reader, Text, described, object_schema

VERSION_PREFIX = PREFIX.removeprefix("/api/")
ERRORS = obj(
    "Errors",
    {"errors": array(obj("Error", {"code": TEXT, "message": TEXT, "detail?": ANY}))},
    about="Why a request was refused. Codes are stable, messages are for people.",
)
DOCUMENT = mapping()

STATUSES = {
    400: "The request cannot be understood, or a value is not allowed.",
    401: "Nobody is signed in, or the credentials are wrong.",
    403: "The account may not do this, or the system is read-only.",
    404: "It does not exist.",
    405: "This is not done to a thing of this kind.",
    409: "It exists already, or something else changed it meanwhile.",
    412: "The state of things does not allow it.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "A value has the wrong type, size or range, or a required one is missing.",
    429: "Too many attempts; Retry-After says when to come back.",
    500: "Something went wrong here; it was recorded under the request's id.",
    502: "Another system that is needed for this did not answer well.",
    503: "A part of the system does not answer; Retry-After says when to come back.",
}
PARAMETERS = {
    "X-Request-Id": Text(about="Echoed in the answer and named in the logs."),
    "X-Is-Resource-Name": Flag(about="Take the project for a name even if it is all digits."),
}
HEADERS = {
    "X-Request-Id": "The request's id.",
    "X-Total-Count": "How many rows there are in all.",
    "Link": "Paths of the previous and the next page.",
    "Location": "The path of what was created.",
    "X-Harbor-CSRF-Token": "To be sent with the next unsafe request of a session.",
}
ABOUT = """\
Sign in with Basic authentication: a user, a robot account, or a user with a personal access token as password. A
browser's session works too; its unsafe requests send the CSRF token of an earlier answer.

Lists take page and page_size, most take q and sort; X-Total-Count and Link tell what else there is. Properties that are
false, 0 or empty may be left out of an answer.
"""
_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")


def routes(patterns: "Sequence[URLPattern | URLResolver] | None" = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every route below ``/api`` with the class of its view: ``/v2.0/projects/{project_name_or_id}``."""
    for pattern in get_resolver("harbor_core.api.urls").url_patterns if patterns is None else patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif hasattr(pattern.callback, "view_class"):
            yield "/" + _VARIABLE.sub(r"{\1}", route), pattern.callback.view_class


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document as data; the same object every time."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Schema] = {schema.name: schema for schema in ERRORS.named()}
    names = named()
    for route, view in routes():
        path = route.removeprefix(f"/{VERSION_PREFIX}")
        item: dict[str, Any] = {} if path != route else {"servers": [{"url": "/api"}]}
        for verb in view.permissions:
            body = answer(view.answers[verb]).body
            schemas |= {schema.name: schema for schema in (body.named() if body else ())}
            item[verb.lower()] = _operation(view, verb, path, names[f"{verb} {path}"])
        paths[path] = item
    return {
        "openapi": "3.0.3",
        "info": {"title": "Harbor API", "version": settings.VERSION, "description": ABOUT},
        "servers": [{"url": PREFIX}],
        "security": [{"basic": []}, {"token": []}, {"session": []}, {}],
        "tags": [{"name": tag} for tag in OPERATIONS],
        "paths": paths,
        "components": _components(schemas),
    }


def _components(schemas: Mapping[str, Schema]) -> dict[str, Any]:
    content = {JSON: {"schema": ERRORS.rendered()}}
    return {
        "schemas": {name: schemas[name].definition() for name in sorted(schemas)},
        "responses": {
            str(status): {"description": text, "content": content, "headers": _headers("X-Request-Id")}
            for status, text in STATUSES.items()
        },
        "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in HEADERS.items()},
        "parameters": {name: _parameter(name, "header", reader) for name, reader in PARAMETERS.items()},
        "securitySchemes": {
            "basic": {"type": "http", "scheme": "basic"},
            "token": {"type": "http", "scheme": "bearer", "description": "A personal token."},
            "session": {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME},
        },
    }


def _operation(view: type[ApiView], verb: str, path: str, names: tuple[str, str, str]) -> dict[str, Any]:
    tag, identifier, summary = names
    permission = view.permissions[verb]
    operation: dict[str, Any] = {
        "operationId": identifier,
        "tags": [tag],
        "summary": summary,
        "parameters": _parameters(view, verb, path),
        "responses": _responses(view, verb, path),
    }
    own = view.__dict__.get("__doc__")
    about = [inspect.cleandoc(own).replace("``", "`")] if own else []
    if permission not in (PUBLIC, LOGIN):
        about.append(f"Permission: `{permission}`.")
    if about:
        operation["description"] = "\n\n".join(about)
    if permission != PUBLIC:
        operation["security"] = [{"basic": []}, {"token": []}, {"session": []}]
    fields = view.bodies.get(verb)
    if fields is not None:
        schema = fields.schema() if isinstance(fields, Reader) else object_schema(fields)
        operation["requestBody"] = {"content": {JSON: {"schema": schema}}, "required": bool(schema.get("required"))}
    return operation


def _parameters(view: type[ApiView], verb: str, path: str) -> list[dict[str, Any]]:
    in_path = [
        _parameter(name, "path", view.paths.get(name, Text())) | {"required": True}
        for name in re.findall(r"{(\w+)}", path)
    ]
    in_query = [_parameter(name, "query", reader) for name, reader in view.parameters.get(verb, {}).items()]
    in_headers = [_parameter(name, "header", reader) for name, reader in view.request_headers.get(verb, {}).items()]
    shared = ["X-Request-Id", *(["X-Is-Resource-Name"] if "{project_name_or_id}" in path else [])]
    return in_path + in_query + in_headers + [{"$ref": f"#/components/parameters/{name}"} for name in shared]


def _parameter(name: str, place: str, reader: Reader) -> dict[str, Any]:
    schema = described(reader)
    about = {"description": schema.pop("description")} if reader.about else {}
    return {"name": name, "in": place} | about | {"required": reader.required, "schema": schema}


def _responses(view: type[ApiView], verb: str, path: str) -> dict[str, Any]:
    given = answer(view.answers[verb])
    listing = ["X-Total-Count", "Link"] if "page" in view.parameters.get(verb, {}) else []
    success: dict[str, Any] = {
        "description": _title(given),
        "headers": _headers("X-Request-Id", *given.headers, *listing),
    }
    if given.body is not None:
        success["content"] = {given.media_type: {"schema": given.body.rendered()}}
    if given.may_be_empty:
        success |= {"description": "What was asked for, or no body: there is none.", "x-may-be-empty": True}
    errors = sorted(_errors(view, verb, path) | set(view.errors.get(verb, ())))
    return {str(given.status): success} | {
        str(status): {"$ref": f"#/components/responses/{status}"} for status in errors
    }


def _title(given: Answer) -> str:
    if given.body is None:
        return "Created." if given.status == 201 else "Done."
    return "Created." if given.status == 201 else "What was asked for."


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _errors(view: type[ApiView], verb: str, path: str) -> set[int]:
    """Statuses that follow from what a view reads and asks for (harbor_core.api.base)."""
    permission, body = view.permissions[verb], verb in view.bodies
    # Whatever is asked for: a personal token may not be for the API, and whoever guesses passwords has to wait.
    statuses = {403, 429, 500, 503}
    if "{" in path:
        statuses |= {400, 404}
    if body or view.parameters.get(verb):
        statuses |= {400, 422}
    if view.paths:
        statuses |= {422}
    if body:
        statuses |= {413, 415}
    if permission != PUBLIC:
        statuses |= {401}
    return statuses


@cache
def published() -> bytes:
    return json.dumps(document(), ensure_ascii=False).encode()


class OpenAPI(ApiView):
    permissions = {"GET": PUBLIC}
    answers = {"GET": DOCUMENT}

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(published(), content_type=CONTENT_TYPE)

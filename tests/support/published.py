"""Are answers inside the published schema? Every call that tests make through ``tests.cast.Api`` is held against it.

Properties the schema does not name are refused here, although clients have to expect them.
"""

import json
import re
from functools import cache
from typing import Any

from openapi_schema_validator import OAS30ReadValidator, oas30_format_checker
from referencing import Registry
from referencing.jsonschema import DRAFT4

from harbor_core.api.base import PREFIX
from harbor_core.api.openapi import document

DOCUMENT = "urn:published"
_VERBS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}


def closed(node: Any) -> Any:
    """The schema without room for more properties than it names, its references made absolute."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": DOCUMENT + node["$ref"]}
    inside = {key: closed(value) for key, value in node.items()}
    if isinstance(inside.get("properties"), dict) and inside.get("type") == "object":
        inside.setdefault("additionalProperties", False)
    return inside


@cache
def _registry() -> "Registry[Any]":
    contents = {"components": {"schemas": closed(document()["components"]["schemas"])}}
    return Registry().with_resource(DOCUMENT, DRAFT4.create_resource(contents))


@cache
def _operations() -> list[tuple[re.Pattern[str], str, dict[str, Any]]]:
    found = []
    for path, item in document()["paths"].items():
        base = item["servers"][0]["url"] if "servers" in item else PREFIX
        pattern = re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(base + path)))
        found.append((pattern, path, item))
    return found


def operation_of(method: str, path: str) -> tuple[str, dict[str, Any]] | None:
    """The published path and operation that a request is for; routes are tried in their order."""
    plain = re.sub(r"/{2,}", "/", path.partition("?")[0]).rstrip("/")
    for pattern, template, item in _operations():
        if pattern.fullmatch(plain):
            operation = item.get(method.lower())
            return (template, operation) if operation else None
    return None


def problems(method: str, path: str, response: Any) -> list[str]:
    """What of an answer the schema does not say; empty for a path it does not have."""
    found = operation_of(method, path)
    if found is None or method not in _VERBS:
        return []
    template, operation = found
    declared = operation["responses"].get(str(response.status_code))
    if declared is None:
        return [f"{method} {template} answered {response.status_code}, which its view's `errors` do not name"]
    if "$ref" in declared:
        declared = document()["components"]["responses"][declared["$ref"].rpartition("/")[2]]
    lacking = [name for name in declared.get("headers", {}) if name not in ("Link",) and name not in response]
    return [f"{method} {template}: {name} is missing" for name in lacking] + [
        f"{method} {template} {response.status_code}: {problem}" for problem in _body(declared, method, response)
    ]


def _body(declared: dict[str, Any], method: str, response: Any) -> list[str]:
    if "content" not in declared or method == "HEAD":
        return [f"a body was not expected: {response.content[:100]!r}"] if response.content else []
    if declared.get("x-may-be-empty") and not response.content:
        return []
    media_type = response.get("Content-Type", "").partition(";")[0]
    if media_type not in declared["content"] and not (media_type and "*/*" in declared["content"]):
        return [f"the media type is {media_type}"]
    if media_type != "application/json" or media_type not in declared["content"]:
        return []
    schema = closed(declared["content"][media_type]["schema"])
    validator = OAS30ReadValidator(schema, registry=_registry(), format_checker=oas30_format_checker)
    return [f"{error.json_path} {error.message[:300]}" for error in validator.iter_errors(json.loads(response.content))]

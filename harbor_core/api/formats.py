"""JSON in, JSON out."""

import json
from typing import Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from harbor_core.lib.errors import HarborError


class JSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class JSONParser(BaseParser):
    """A JSON object whose strings can be stored: no NUL, no half of a surrogate pair."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        raw = stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        if len(raw) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise HarborError("REQUEST_ENTITY_TOO_LARGE")
        try:
            data = json.loads(raw, parse_constant=_no_constant)
            if b"\\u" in raw:
                _check_storable(data)
        except (ValueError, RecursionError) as exc:
            raise ParseError(f"the body is not valid JSON: {str(exc)[:200]}") from exc
        if not isinstance(data, dict):
            raise ParseError("the body must be a JSON object")
        return data


def _check_storable(value: Any) -> None:
    if isinstance(value, str):
        if b"\0" in value.encode():  # half a pair does not encode: a ValueError too
            raise ValueError("a string holds a NUL character")
    elif isinstance(value, list):
        for item in value:
            _check_storable(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_storable(key)
            _check_storable(item)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")

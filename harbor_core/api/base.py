"""Rendering and parsing of the REST API: JSON in, JSON out, the contract's errors for anything else."""

import json
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from harbor_core.lib.errors import HarborError


class JSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


class JSONParser(BaseParser):
    """Any media type is read as JSON only when it says so: else UNSUPPORTED_MEDIA_TYPE."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        if not (media_type or "").partition(";")[0].strip().lower().endswith("json"):
            raise HarborError("UNSUPPORTED_MEDIA_TYPE", "the body must be application/json")
        try:
            return json.loads(stream.read() or b"{}")
        except (ValueError, RecursionError) as exc:
            raise ParseError("the body is not valid JSON") from exc

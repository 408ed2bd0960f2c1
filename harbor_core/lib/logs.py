"""What log lines and audit rows know of the request being served: its id, and where it comes from."""

import json
import logging
import re
import uuid
from contextvars import ContextVar
from datetime import UTC, datetime

from harbor_core.lib import tracing

request_id: ContextVar[str] = ContextVar("request_id", default="-")
client_address: ContextVar[str] = ContextVar("client_address", default="")
_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def identifier(given: str) -> str:
    """A client's own X-Request-Id if it can be echoed, else a new one."""
    return given if _SANE_ID.fullmatch(given) else str(uuid.uuid4())


class RequestIdFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


class JsonFormatter(logging.Formatter):
    """An object per line: time (UTC), level, logger, message, request_id where a request is served, trace_id and
    span_id where traces are kept, process, and the traceback of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": moment(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        identifier = getattr(record, "request_id", "-")
        if identifier != "-":
            entry["request_id"] = identifier
        trace = tracing.ids()
        if trace is not None:
            entry["trace_id"], entry["span_id"] = trace
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def moment(seconds: float) -> str:
    """``2026-01-02T03:04:05.678Z``."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{int(seconds % 1 * 1000):03}Z"

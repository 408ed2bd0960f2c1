"""What log lines and audit rows know of the request being served: its id, and where it comes from."""

import logging
import re
import uuid
from contextvars import ContextVar

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

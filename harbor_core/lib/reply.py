"""An answer of the routes that are served without Django's request and response (harbor_core.registry.fast)."""

from dataclasses import dataclass, field

from harbor_core.lib.errors import HarborError

JSON = "application/json; charset=utf-8"


@dataclass(slots=True)
class Reply:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def error_reply(error: HarborError) -> Reply:
    body = error.body()
    return Reply(error.status, body, {"Content-Type": JSON, "Content-Length": str(len(body))} | error.headers)

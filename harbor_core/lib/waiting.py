"""Requests that wait for another server do so in processes of their own.

A thread that waits serves nobody meanwhile, and core has few of them. The gateway says with each request what this
process is to it (``X-Harbor-Waiting``; it lets no client say so): one for everybody hands a request back before it
would wait (``elsewhere``), and the gateway takes it to one that is there for that (``here``). Without a word requests
just wait.
"""

from contextvars import ContextVar
from typing import Any

HEADER = "HTTP_X_HARBOR_WAITING"
ELSEWHERE, HERE = "elsewhere", "here"
_place: ContextVar[str] = ContextVar("waiting", default="")


class WaitElsewhere(Exception):
    """The request belongs to where requests wait."""


def enter(environ: dict[str, Any]) -> None:
    """Every request begins with this; it counts in its thread until the next one, also while a body is streamed."""
    _place.set(environ.get(HEADER, ""))


def begin() -> None:
    """Call before what may take long, and before anything is changed for it. Raises WaitElsewhere."""
    if _place.get() == ELSEWHERE:
        raise WaitElsewhere


def location(environ: dict[str, Any]) -> dict[str, str]:
    """Headers by which the gateway takes the request there, as the client sent it."""
    return {"X-Accel-Redirect": f"/_waiting{environ['RAW_URI']}"}

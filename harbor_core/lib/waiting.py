"""Requests that wait for another server do so in processes of their own.

A thread that waits serves nobody meanwhile, and core has few of them. The gateway says with each request what this
process is to it (``X-Harbor-Waiting``; it lets no client say so): one for everybody hands a request back before it
would wait (``elsewhere``), and the gateway takes it to one that is there for that (``here``). There the servers that
are waited for share the room (harbor_core.lib.turns). Without a word requests just wait.
"""

from collections.abc import Callable, Hashable, Iterable
from contextvars import ContextVar
from typing import Any

from django.conf import settings
from django.db import connection

from harbor_core.lib.turns import Crowded, Turns
from harbor_core.lib.wsgi import Finished

__all__ = ["Crowded", "WaitElsewhere", "begin", "location", "served"]
HEADER = "HTTP_X_HARBOR_WAITING"
ELSEWHERE, HERE = "elsewhere", "here"
_place: ContextVar[str] = ContextVar("waiting", default="")
_turn: ContextVar[Hashable | None] = ContextVar("turn", default=None)
_turns = Turns(settings.WAITING_THREADS)
Answer = Callable[[], Iterable[bytes]]


class WaitElsewhere(Exception):
    """The request belongs to where requests wait."""


def served(environ: dict[str, Any], answer: Answer) -> Iterable[bytes]:
    """The answer to a request, which may ask here to wait, also while its body is streamed: a thread serves one request
    from its beginning to its end."""
    place = environ.get(HEADER, "")
    _place.set(place)
    if place != HERE:
        return answer()
    _turn.set(None)
    _turns.enter()
    try:
        return Finished(answer(), _leave)
    except BaseException:
        _leave()
        raise


def _leave() -> None:
    connection.close()  # there are more threads than the database should have connections
    _turns.leave(_turn.get())
    _turn.set(None)


def begin(server: Hashable) -> None:
    """Call before what may take long because of this server, and before anything is changed for it. Raises
    WaitElsewhere, Crowded."""
    place = _place.get()
    if place == ELSEWHERE:
        raise WaitElsewhere
    if place == HERE and _turn.get() is None:
        if not connection.in_atomic_block:
            connection.close()
        _turns.take(server)
        _turn.set(server)


def location(environ: dict[str, Any]) -> dict[str, str]:
    """Headers by which the gateway takes the request there, as the client sent it."""
    return {"X-Accel-Redirect": f"/_waiting{environ['RAW_URI']}"}

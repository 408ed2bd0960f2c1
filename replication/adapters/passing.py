"""Logins that a cloud's own API gives out for a while, in exchange for access keys."""

import base64
import threading
import time
from collections.abc import Callable

EARLY = 300.0  # seconds before its end a login is replaced
Login = tuple[str, float]  # the value of an Authorization header, and its end in seconds since 1970


class Passing:
    """The login that ``ask`` got last, as long as it lasts. Threads may share it."""

    def __init__(self, ask: Callable[[], Login]) -> None:
        self._ask = ask
        self._known: Login = ("", 0.0)
        self._renewing = threading.Lock()

    def get(self) -> str:
        """Raises what ``ask`` raises."""
        with self._renewing:
            if self._known[1] - EARLY < time.time():
                self._known = self._ask()
            return self._known[0]


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode("ascii")

"""Transactions that lose a race and are simply run again."""

from collections.abc import Callable
from typing import TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError

from harbor_core.lib.errors import HarborError

T = TypeVar("T")
ATTEMPTS = 10  # each is lost to another that went through, so as many as may sensibly meet


class Lost(ObjectDoesNotExist):
    """What the attempt built upon is gone."""


def settled(attempt: Callable[[], T]) -> T:
    """Its result. An attempt that met another one (the same unique row, a row that went away, a deadlock) is made
    again: what the other left is the new start. The attempt opens its own transaction and may run several times.

    Raises SERVICE_UNAVAILABLE when what it builds upon goes away every time."""
    for _ in range(ATTEMPTS - 1):
        try:
            return attempt()
        except (DatabaseError, ObjectDoesNotExist):
            continue
    try:
        return attempt()
    except Lost as lost:
        raise HarborError("SERVICE_UNAVAILABLE", f"{lost}, retry", headers={"Retry-After": "1"}) from lost

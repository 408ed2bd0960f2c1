"""Long lists for SQL: a statement takes 65 535 parameters (PostgreSQL's protocol), and a manifest may name more."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
ROWS = 500


def batched(items: Iterable[T], size: int = ROWS) -> Iterator[list[T]]:
    """The items in order, in lists of ``size`` at most."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch

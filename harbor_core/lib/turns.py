"""Fair turns: of many who wait for several things, those who wait for one do not keep those out who wait for another.

So many are at work at once; each holds a turn for what it waits for. One thing may have twice as many turns as are free
besides: two thirds of all while it is alone, the next two thirds of the rest, and so on, so that for a while there is
one for the next. Whoever finds none waits in the line of that thing, which may have half of all places in lines that
are free, and costs a thread and nothing else.
"""

import threading
from collections import Counter
from collections.abc import Hashable

IN_LINE = 7  # places in all lines, for each that may be at work
SECONDS = 45.0  # in the line


class Crowded(Exception):
    """Too many wait for the same thing."""


class Turns:
    """``total`` may be at work at once: those that hold a turn, and those that have not said yet what they wait for.
    ``seconds``: how long one waits in line."""

    def __init__(self, total: int, seconds: float = SECONDS) -> None:
        self._total, self._seconds = total, seconds
        self._changed = threading.Condition()
        self._inside = 0
        self._held: Counter[Hashable] = Counter()
        self._in_line: Counter[Hashable] = Counter()

    def enter(self) -> None:
        """Begin to work. As turns never take all of the places, this takes no longer than work without waiting does."""
        with self._changed:
            self._come_in()

    def take(self, key: Hashable) -> None:
        """A turn for who is inside; while in line it is not. Raises Crowded."""
        with self._changed:
            if not self._is_free(key):
                if self._in_line[key] >= IN_LINE * self._total - self._in_line.total():
                    raise Crowded
                if not self._stand_in_line(key):
                    raise Crowded
            self._held[key] += 1

    def leave(self, key: Hashable | None) -> None:
        """``key`` of the turn that is given back, None where none was taken."""
        with self._changed:
            self._inside -= 1
            if key is not None:
                self._held -= Counter({key: 1})
            self._changed.notify_all()

    def _is_free(self, key: Hashable) -> bool:
        return self._held[key] < 2 * (self._total - 1 - self._held.total())

    def _stand_in_line(self, key: Hashable) -> bool:
        self._inside -= 1
        self._in_line[key] += 1
        self._changed.notify_all()
        found = self._changed.wait_for(lambda: self._inside < self._total and self._is_free(key), self._seconds)
        self._in_line -= Counter({key: 1})
        self._come_in()
        return found

    def _come_in(self) -> None:
        self._changed.wait_for(lambda: self._inside < self._total)
        self._inside += 1

"""Fair turns for those who wait for different things."""

import threading
from collections.abc import Callable

import pytest

from harbor_core.lib.turns import IN_LINE, Crowded, Turns
from tests.support.services import wait_until

TOTAL = 12


class Crowd:
    """Threads that enter, take a turn for ``key``, and keep it until they are let go."""

    def __init__(self, turns: Turns, key: str, number: int) -> None:
        self.turns, self.key = turns, key
        self.at_work = self.refused = 0
        self._go = threading.Event()
        self._lock = threading.Lock()
        self.threads = [threading.Thread(target=self._visit) for _ in range(number)]
        for thread in self.threads:
            thread.start()

    def _visit(self) -> None:
        self.turns.enter()
        key = None
        try:
            self.turns.take(self.key)
            key = self.key
            self._count(1, 0)
            self._go.wait(30)
            self._count(-1, 0)
        except Crowded:
            self._count(0, 1)
        finally:
            self.turns.leave(key)

    def _count(self, at_work: int, refused: int) -> None:
        with self._lock:
            self.at_work += at_work
            self.refused += refused

    def end(self) -> None:
        self._go.set()
        for thread in self.threads:
            thread.join(30)


def settled(crowd: Crowd, at_work: int) -> None:
    wait_until(lambda: crowd.at_work == at_work, 10, f"{at_work} of {crowd.key} to be at work")


def test_each_takes_two_thirds_of_what_is_free(request: pytest.FixtureRequest) -> None:
    turns = Turns(TOTAL)

    def crowd(key: str, number: int) -> Crowd:
        made = Crowd(turns, key, number)
        request.addfinalizer(made.end)
        return made

    first = crowd("a", 20)
    settled(first, 8)  # of the eleven that turns may take
    second = crowd("b", 20)
    settled(second, 2)
    third = crowd("c", 1)
    settled(third, 1)
    turns.enter()  # there always is a place for who does not wait
    turns.leave(None)
    first.end()
    assert (first.at_work, first.refused) == (0, 0), "all had their turn, one after the other"
    settled(second, 7)


def test_lines_are_shared_like_turns(request: pytest.FixtureRequest) -> None:
    turns = Turns(TOTAL)
    crowd = Crowd(turns, "a", 8 + TOTAL * IN_LINE)
    request.addfinalizer(crowd.end)
    settled(crowd, 8)
    wait_until(lambda: crowd.refused == TOTAL * IN_LINE // 2, 10, "half of the line to be refused")


def test_the_line_is_not_waited_in_for_ever(request: pytest.FixtureRequest) -> None:
    turns = Turns(2, seconds=0.2)
    crowd = Crowd(turns, "a", 3)
    request.addfinalizer(crowd.end)
    wait_until(lambda: crowd.refused == 2, 10, "those in line to be refused")
    settled(crowd, 1)


def test_visits_of_all_kinds_leave_nothing_behind() -> None:
    turns = Turns(TOTAL, seconds=0.05)

    def visit(key: str) -> None:
        for _ in range(200):
            turns.enter()
            taken = None
            try:
                turns.take(key)
                taken = key
            except Crowded:
                pass
            finally:
                turns.leave(taken)

    calls: list[Callable[[], None]] = [lambda key=key: visit(key) for key in "aaaaaaabbbcde" * 2]  # type: ignore[misc]  # a default for each
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (turns._inside, turns._held.total(), turns._in_line.total()) == (0, 0, 0)

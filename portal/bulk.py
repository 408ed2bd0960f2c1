"""Rows chosen in a table: some of them, or everything that matches its filter.

The checkboxes travel in the query string to a page that says what would happen, and from there in the form that does
it. "Everything" means the rows there were when the page was shown: later ones are not touched.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Max, Model, QuerySet
from django.http import HttpRequest

M = TypeVar("M", bound=Model)
PICKED_MAX = 1000
_DIGITS_MAX = 18


@dataclass(frozen=True, slots=True)
class Selection:
    """``ids`` were ticked; ``everything`` means the whole result, up to the id ``newest`` where that is known."""

    ids: tuple[int, ...] = ()
    everything: bool = False
    newest: int | None = None

    @classmethod
    def read(cls, request: HttpRequest) -> "Selection":
        """From a link (GET) or a form (POST); what is no number counts for nothing."""
        given = request.POST if request.method == "POST" else request.GET
        ids = tuple(dict.fromkeys(int(text) for text in given.getlist("pick")[:PICKED_MAX] if _is_number(text)))
        newest = given.get("newest", "")
        everything = given.get("pick_all") == "1"
        return cls(() if everything else ids, everything, int(newest) if _is_number(newest) else None)

    def __bool__(self) -> bool:
        return self.everything or bool(self.ids)

    def of(self, rows: QuerySet[M]) -> QuerySet[M]:
        """``rows`` is the table's whole result with its filter."""
        if not self.everything:
            return rows.filter(pk__in=self.ids)
        return rows if self.newest is None else rows.filter(pk__lte=self.newest)

    def settled(self, rows: QuerySet[M]) -> "Selection":
        """As it has to be confirmed: rows that come later are left out. One query for everything, wherever in its
        table the newest row is, else none."""
        if not self.everything or self.newest is not None:
            return self
        return Selection((), True, rows.model._default_manager.aggregate(newest=Max("pk"))["newest"] or 0)

    @property
    def fields(self) -> Iterator[tuple[str, str]]:
        """Hidden inputs that carry it along."""
        if self.everything:
            yield "pick_all", "1"
            if self.newest is not None:
                yield "newest", str(self.newest)
        for pk in self.ids:
            yield "pick", str(pk)


@dataclass(frozen=True, slots=True)
class Action:
    """A button above the table. ``url`` is a page that asks before anything happens."""

    label: str
    url: str
    icon: str
    danger: bool = False


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX

"""Sorting, filtering and paging of a table, read from the query string and written back into links.

A page is forgiving: an unknown sort key, a page past the end or a size nobody offered gives the nearest thing that
makes sense, never an error.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.db.models import F, QuerySet
from django.http import HttpRequest

PAGE_SIZES = (15, 50, 100)
QUERY_MAX = 255
_DIGITS_MAX = 9


class Listing:
    """State of one table.

    ``sorts`` maps a key of the query string to the column behind it; ``default`` is such a key, with a leading ``-``
    for descending. ``keep`` are further parameters that links and the filter form carry along.
    """

    def __init__(
        self, request: HttpRequest, *, sorts: Mapping[str, str], default: str, keep: Mapping[str, str] | None = None
    ) -> None:
        given = request.GET
        self.path = request.path
        self.query = given.get("q", "").replace("\0", "").strip()[:QUERY_MAX]
        self.keep = {name: value for name, value in (keep or {}).items() if value}
        self.default = default
        sort = given.get("sort", "")
        self.sort = sort if sort.removeprefix("-") in sorts else default
        self._column = sorts[self.sort.removeprefix("-")]
        size = _number(given.get("page_size", ""), PAGE_SIZES[0])
        self.page_size = size if size in PAGE_SIZES else PAGE_SIZES[0]
        self.page = _number(given.get("page", ""), 1)
        self.total = 0
        self.items: list[Any] = []

    def fill(self, rows: QuerySet, total: int | None = None) -> list[Any]:
        """Read the page's rows. ``total`` spares the count where it is known already."""
        self.total = rows.count() if total is None else total
        self.page = max(1, min(self.page, self.pages))
        start = (self.page - 1) * self.page_size
        self.items = list(rows.order_by(*self._order())[start : start + self.page_size]) if self.total else []
        return self.items

    def _order(self) -> list[Any]:
        """Ties go the same way as the column, so that an index on (column, id) serves both directions."""
        if self.sort.startswith("-"):
            return [F(self._column).desc(nulls_last=True) if self._nullable else f"-{self._column}", "-pk"]
        return [F(self._column).asc(nulls_first=True) if self._nullable else self._column, "pk"]

    @property
    def _nullable(self) -> bool:
        return self._column.endswith(("pull_time", "last_used_at"))

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.page_size))

    @property
    def first(self) -> int:
        return (self.page - 1) * self.page_size + 1 if self.total else 0

    @property
    def last(self) -> int:
        return min(self.page * self.page_size, self.total)

    @property
    def state(self) -> dict[str, str]:
        """What the filter form has to carry along."""
        sort = {"sort": self.sort} if self.sort != self.default else {}
        size = {"page_size": str(self.page_size)} if self.page_size != PAGE_SIZES[0] else {}
        return self.keep | sort | size

    def url(self, **changes: Any) -> str:
        """This table with some parameters changed, empty ones left out; any change but the page's own goes back to the
        first page."""
        values = self.state | {"q": self.query} | {name: str(value) for name, value in changes.items()}
        values = {name: value for name, value in values.items() if value}
        return f"{self.path}?{urlencode(values)}" if values else self.path

    def sort_url(self, key: str, *, descending_first: bool = False) -> str:
        first, second = (f"-{key}", key) if descending_first else (key, f"-{key}")
        return self.url(sort=second if self.sort == first else first)

    def direction(self, key: str) -> str:
        """``ascending``, ``descending`` or empty: the value of aria-sort."""
        if self.sort.removeprefix("-") != key:
            return ""
        return "descending" if self.sort.startswith("-") else "ascending"

    @property
    def page_links(self) -> list[tuple[int | None, str]]:
        """(page, link) around the current one with both ends; (None, "") where some are left out."""
        wanted = sorted({1, self.pages, *range(max(1, self.page - 1), min(self.pages, self.page + 1) + 1)})
        links: list[tuple[int | None, str]] = []
        for number in wanted:
            if links and number - (links[-1][0] or 0) > 1:
                links.append((None, ""))
            links.append((number, self.url(page=number)))
        return links

    @property
    def previous_url(self) -> str:
        return self.url(page=self.page - 1) if self.page > 1 else ""

    @property
    def next_url(self) -> str:
        return self.url(page=self.page + 1) if self.page < self.pages else ""

    @property
    def size_links(self) -> list[tuple[int, str]]:
        return [(size, self.url(page_size=size)) for size in PAGE_SIZES]


def _number(text: str, otherwise: int) -> int:
    usable = text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX
    return int(text) if usable else otherwise

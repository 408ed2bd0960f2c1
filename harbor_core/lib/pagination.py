"""Pages of lists: ``page``, ``page_size``, ``X-Total-Count`` and ``Link`` (contract 2.3)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from django.db.models import Model, QuerySet

from harbor_core.lib.errors import HarborError
from harbor_core.lib.query import Condition, Order

T = TypeVar("T")
M = TypeVar("M", bound=Model)
DEFAULT_SIZE = 10
MAX_SIZE = 100
# page_size=0 asks for everything: served up to this many rows, beyond it the client has to page.
MAX_UNPAGED = 10_000
FAR = 1_000  # rows before the page
# Characters a query value shows as they are; what would end the value, the URL or the header stays encoded.
_PLAIN = "=~,[]{}()!*:/@;?'$|^-._"


@dataclass(frozen=True, slots=True)
class Listing:
    """What a client wants to see of a list. ``size`` 0 means all of it."""

    page: int = 1
    size: int = DEFAULT_SIZE
    query: Mapping[str, Condition] = field(default_factory=dict)
    sort: Sequence[Order] = ()


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list and how many there are in all."""

    items: list[T]
    total: int


def paginate(rows: "QuerySet[M]", listing: Listing, count: Callable[[], int] | None = None) -> "Page[M]":
    """The rows of the page: one SELECT and one COUNT (or ``count()``, where the caller knows a cheaper way).

    A first page that is not full is all there is, nothing is counted; a page behind the end is not looked for. Raises
    BAD_REQUEST for an unpaged list that is too long.
    """
    known = rows.count if count is None else count
    if listing.size == 0:
        total = known()
        if total > MAX_UNPAGED:
            raise HarborError("BAD_REQUEST", f"{total} rows are too many for one answer, ask for pages")
        return Page(list(rows), total)
    if listing.page == 1:
        items = list(rows[: listing.size])
        return Page(items, len(items) if len(items) < listing.size else known())
    total, start = known(), (listing.page - 1) * listing.size
    return Page(_slice(rows, start, start + listing.size) if start < total else [], total)


def _slice(rows: "QuerySet[M]", start: int, stop: int) -> "list[M]":
    """Rows of a page. Far from the beginning many are passed over: the index is enough to count them off, and whole
    rows are read for the page only."""
    if start < FAR:
        return list(rows[start:stop])
    keys = list(rows.values_list("pk", flat=True)[start:stop])
    found = {row.pk: row for row in rows.filter(pk__in=keys)}
    return [found[key] for key in keys if key in found]


def link_header(path: str, parameters: Iterable[tuple[str, Iterable[str]]], listing: Listing, total: int) -> str:
    """``<...>; rel="prev" , <...>; rel="next"``: path and query without host, keys in alphabetical order.

    Empty when there is no other page. ``parameters`` are the request's own, each with all its values.
    """
    if listing.size == 0:
        return ""
    others = {key: list(values) for key, values in parameters}

    def url(page: int) -> str:
        query: dict[str, Any] = others | {"page": [str(page)], "page_size": [str(listing.size)]}
        pairs = (f"{quote(key)}={quote(value, safe=_PLAIN)}" for key in sorted(query) for value in query[key])
        return f"<{path}?{'&'.join(pairs)}>"

    links = []
    if listing.page > 1 and (listing.page - 2) * listing.size < total:
        links.append(f'{url(listing.page - 1)}; rel="prev"')
    if listing.page * listing.size < total:
        links.append(f'{url(listing.page + 1)}; rel="next"')
    return " , ".join(links)

"""Apply conditions of the query language to a queryset, by a table of fields.

Keys the table does not have are ignored, as the contract says; a value its field cannot hold is BAD_REQUEST.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from django.db.models import F, Model, Q, QuerySet

from harbor_core.lib.errors import HarborError
from harbor_core.lib.query import AllOf, AnyOf, Condition, Exact, Fuzzy, Order, Range

M = TypeVar("M", bound=Model)
INT64 = 2**63 - 1


def text(value: str) -> str:
    return value


def whole(value: str) -> int:
    try:
        number = int(value) if value.isascii() else None
    except ValueError:
        number = None
    if number is None or abs(number) > INT64:
        raise HarborError("BAD_REQUEST", f"invalid query: {value[:100]!r} is not a whole number")
    return number


def flag(value: str) -> bool:
    lowered = value.lower()
    if lowered not in ("true", "false", "1", "0"):
        raise HarborError("BAD_REQUEST", f"invalid query: {value[:100]!r} is neither true nor false")
    return lowered in ("true", "1")


def time(value: str) -> datetime:
    """``2006-01-02T15:04:05``, or with a space; UTC."""
    try:
        return datetime.strptime(value.replace(" ", "T"), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        problem = f"{value[:100]!r} is not a time like 2006-01-02T15:04:05"
        raise HarborError("BAD_REQUEST", f"invalid query: {problem}") from None


@dataclass(frozen=True, slots=True)
class Field:
    """``path`` is the queryset's lookup path, ``read`` turns a value's text into the field's type. ``nullable`` costs
    the index: where it is said, NULL sorts lowest on every database."""

    path: str
    read: Callable[[str], Any] = text
    nullable: bool = False

    def condition(self, condition: Condition) -> Q:
        match condition:
            case Exact(value):
                return Q(**{self.path: self.read(value)})
            case Fuzzy(value):
                return Q(**{f"{self.path}__icontains": value})
            case AnyOf(values):
                return Q(**{f"{self.path}__in": [self.read(value) for value in values]})
            case Range(low, high):
                return Q(**{f"{self.path}__gte": self.read(low)} if low else {}) & Q(
                    **{f"{self.path}__lte": self.read(high)} if high else {}
                )
            case AllOf():
                raise HarborError("BAD_REQUEST", "invalid query: (a b) needs a field that holds several values")


def apply_filter(rows: "QuerySet[M]", query: Mapping[str, Condition], fields: Mapping[str, Field]) -> "QuerySet[M]":
    for key, condition in query.items():
        field = fields.get(key)
        if field is not None:
            rows = rows.filter(field.condition(condition))
    return rows


def apply_sort(
    rows: "QuerySet[M]", sort: Sequence[Order], fields: Mapping[str, Field], default: Sequence[str]
) -> "QuerySet[M]":
    """Order by the known keys, else by ``default``; the id settles ties so that pages do not overlap."""
    known = [order for order in sort if order.key in fields]
    if not known:
        return rows.order_by(*default)
    ordering: list[Any] = []
    for order in known:
        path, nullable = F(fields[order.key].path), fields[order.key].nullable or None
        ordering.append(path.desc(nulls_last=nullable) if order.descending else path.asc(nulls_first=nullable))
    return rows.order_by(*ordering, "-pk" if known[0].descending else "pk")

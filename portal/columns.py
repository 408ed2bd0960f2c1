"""Which columns of a table a person wants to see; remembered with the other preferences."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpRequest

from portal import preferences


@dataclass(frozen=True, slots=True)
class Columns:
    """``labels`` maps the key of every column that can be left out to its head. In templates:
    ``{% if "size" in columns.shown %}`` around head and cell, and ``_columns.html`` for the choice."""

    table: str
    labels: Mapping[str, str]
    shown: frozenset[str]

    @classmethod
    def of(
        cls, request: HttpRequest, table: str, labels: Mapping[str, str], *, hidden: frozenset[str] = frozenset()
    ) -> "Columns":
        """``hidden`` are those that show only when chosen."""
        chosen = preferences.read(request).columns.get(table)
        shown = labels.keys() - hidden if chosen is None else labels.keys() & set(chosen)
        return cls(table, labels, frozenset(shown))

    @property
    def choices(self) -> list[tuple[str, str, bool]]:
        return [(key, label, key in self.shown) for key, label in self.labels.items()]

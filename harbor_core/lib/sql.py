"""Statements of the hot paths, written out: building a query in the ORM costs several times what such a query costs.

Both databases run them. PostgreSQL's connections prepare what comes again (harbor_core.env).
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection

Parameters = Sequence[Any] | Mapping[str, Any]


def fetch_one(statement: str, parameters: Parameters) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchone()


def fetch_all(statement: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def execute(statement: str, parameters: Parameters) -> int:
    """How many rows it wrote."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.rowcount


def marks(values: Sequence[Any]) -> str:
    """``%s, %s, %s``, one per value."""
    return ", ".join(["%s"] * len(values))


def time(value: datetime) -> Any:
    """As the ORM stores it."""
    return connection.ops.adapt_datetimefield_value(value)


def moment(value: datetime | str | None) -> datetime | None:
    """A time as a cursor gives it: SQLite's is a text without a zone."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def identifier(value: str | uuid.UUID) -> Any:
    """A UUID as the ORM stores it. Raises ValueError."""
    value = uuid.UUID(str(value))
    return value if connection.features.has_native_uuid_field else value.hex

"""Times as the REST contract writes them: RFC 3339, UTC, milliseconds, and Go's zero time for "never"."""

from datetime import UTC, datetime

NEVER = "0001-01-01T00:00:00.000Z"


def rfc3339(value: datetime | None) -> str:
    if value is None:
        return NEVER
    value = value.astimezone(UTC)
    return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"


def seconds(value: datetime | None) -> str:
    """The times that the contract has as plain texts: RFC 3339 without a fraction, empty for never."""
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if value else ""

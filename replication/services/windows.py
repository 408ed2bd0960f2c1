"""The hours of a day in which a policy may copy, as ``22:00-06:00``: times of UTC, as schedules are. Pure functions."""

import re
from datetime import UTC, datetime, timedelta

from harbor_core.lib.errors import HarborError

_FORM = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


def checked(text: str) -> str:
    """Empty for always. Raises BAD_REQUEST."""
    found = _FORM.fullmatch(text) if text else None
    if text and (found is None or found.groups()[:2] == found.groups()[2:]):
        raise HarborError("BAD_REQUEST", f"{text[:100]!r} is not a window such as 22:00-06:00")
    return text


def wait(window: str, now: datetime) -> float:
    """Seconds until the window opens; 0 while it is open, and where there is none."""
    found = _FORM.fullmatch(window)
    if found is None:
        return 0.0
    hours = [int(part) for part in found.groups()]
    opens, closes = timedelta(hours=hours[0], minutes=hours[1]), timedelta(hours=hours[2], minutes=hours[3])
    now = now.astimezone(UTC)
    since = now - now.replace(hour=0, minute=0, second=0, microsecond=0)
    is_open = opens <= since < closes if opens < closes else since >= opens or since < closes
    return 0.0 if is_open else ((opens - since) % timedelta(days=1)).total_seconds()

"""The announcement an administrator shows to everyone (setting ``banner_message``).

Harbor's portal stores a JSON object in that string: ``message``, ``type`` (info, warning, danger, success), and the
days ``fromDate`` and ``toDate`` between which it shows. Anything else is taken as the text itself.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

KINDS = ("info", "warning", "danger", "success")


@dataclass(frozen=True, slots=True)
class Banner:
    message: str
    kind: str = "info"


def current(stored: str, now: datetime | None = None) -> Banner | None:
    """What to show now; None for nothing."""
    try:
        document: Any = json.loads(stored)
    except ValueError:
        return Banner(stored) if stored.strip() else None
    if not isinstance(document, dict):
        return Banner(stored)
    now = now or timezone.now()
    begin, end = _moment(document.get("fromDate")), _moment(document.get("toDate"))
    message = document.get("message")
    if not isinstance(message, str) or not message.strip() or (begin and now < begin) or (end and now > end):
        return None
    kind = document.get("type")
    return Banner(message, kind if kind in KINDS else "info")


def _moment(value: Any) -> datetime | None:
    """A day the portal's date picker wrote; one that cannot be read sets no bound."""
    try:
        moment = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return timezone.make_aware(moment) if moment and timezone.is_naive(moment) else moment

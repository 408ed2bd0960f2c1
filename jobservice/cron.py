"""Cron expressions of six fields, as robfig/cron 3.0.1 reads them: second minute hour day month weekday.

Fields hold ``*`` or ``?``, numbers, names of months and weekdays, ranges ``a-b``, steps ``*/n`` ``a/n`` ``a-b/n``, and
lists of these. When both days are restricted one of them is enough; only a bare star leaves a day unrestricted.
Times are UTC (a leading ``TZ=UTC`` or ``CRON_TZ=UTC`` says so explicitly). Pure functions, no database.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

MAX_LENGTH = 255
YEARS_AHEAD = 5  # a time further away is no time
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# name, lowest, highest, names of values
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("second", 0, 59, {}),
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
_ZONE = re.compile(r"(?:CRON_)?TZ=(\S+)\s+")


class CronError(ValueError):
    """The expression cannot be read; the message is a sentence for whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Cron:
    """The values each field allows, in ascending order; the last two say whether a day field is a bare star."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    def _matches(self, day: date) -> bool:
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return in_month and in_week
        return in_month or in_week

    def next(self, after: datetime) -> datetime | None:
        """The first time later than ``after`` (an aware time), or None when the next five years have none."""
        after = after.astimezone(UTC)
        earliest = after.replace(microsecond=0) + timedelta(seconds=1)
        day, start = earliest.date(), earliest.time()
        while day.year <= after.year + YEARS_AHEAD:
            if day.month not in self.months:
                day, start = (day.replace(day=1) + timedelta(days=32)).replace(day=1), time()
                continue
            if self._matches(day) and (found := self._from(start)) is not None:
                return datetime.combine(day, found, UTC)
            day, start = day + timedelta(days=1), time()
        return None

    def _from(self, start: time) -> time | None:
        for hour in (value for value in self.hours if value >= start.hour):
            for minute in self.minutes:
                for second in self.seconds:
                    moment = time(hour, minute, second)
                    if moment >= start:
                        return moment
        return None


@lru_cache(maxsize=1024)
def parse(expression: str) -> Cron:
    """Raises CronError."""
    if len(expression) > MAX_LENGTH:
        raise CronError(f"a cron expression has at most {MAX_LENGTH} characters")
    text = expression.strip()
    if zone := _ZONE.match(text):
        if zone[1] != "UTC":
            raise CronError("schedules are in UTC, no other time zone can be used")
        text = text[zone.end() :]
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise CronError(f"a cron expression has six fields (second minute hour day month weekday), not {len(fields)}")
    parsed = [_field(field, *limits) for field, limits in zip(fields, _FIELDS, strict=True)]
    values = [value for value, _ in parsed]
    return Cron(
        tuple(sorted(values[0])),
        tuple(sorted(values[1])),
        tuple(sorted(values[2])),
        frozenset(values[3]),
        frozenset(values[4]),
        frozenset(values[5]),
        parsed[3][1],
        parsed[5][1],
    )


def _field(field: str, name: str, low: int, high: int, names: dict[str, int]) -> tuple[set[int], bool]:
    """The values of a field, and whether it holds a bare star."""
    values: set[int] = set()
    star = False
    for item in field.split(","):
        if not item:
            continue
        found, bare = _item(item, name, low, high, names)
        values |= found
        star = star or bare
    if not values:
        raise CronError(f"the {name} field {field!r} allows nothing")
    return values, star


def _item(item: str, name: str, low: int, high: int, names: dict[str, int]) -> tuple[set[int], bool]:
    span, slash, step_text = item.partition("/")
    step = _number(step_text, name, {}) if slash else 1
    if step == 0:
        raise CronError(f"the step of {item!r} in the {name} field must be greater than 0")
    first, dash, last = span.partition("-")
    if first in ("*", "?"):
        start, end = low, high
    else:
        start = _number(first, name, names)
        # "a/n" counts from a to the end of the field.
        end = _number(last, name, names) if dash else high if slash else start
    if not low <= start <= end <= high:
        raise CronError(f"{item!r} in the {name} field is not a rising range within {low} to {high}")
    return set(range(start, end + 1, step)), first in ("*", "?") and step == 1


def _number(text: str, name: str, names: dict[str, int]) -> int:
    known = names.get(text.lower())
    if known is not None:
        return known
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise CronError(f"{text!r} in the {name} field is not a number")
    return int(text)


def check_schedule(expression: str) -> Cron:
    """:func:`parse` for schedules that people make: they begin at second 0. Raises CronError."""
    cron = parse(expression)
    if _ZONE.sub("", expression.strip(), count=1).split()[0] != "0":
        raise CronError("the seconds of a schedule must be 0")
    return cron

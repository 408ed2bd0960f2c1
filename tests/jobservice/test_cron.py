"""Cron expressions: equal to robfig/cron 3.0.1 on its own answers, refused with a sentence where it refuses."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobservice import cron

VECTORS = Path(__file__).parent.parent / "data" / "robfig-cron-3.0.1.jsonl"


def times(expression: str, start: str) -> list[str] | str:
    """The next four as the vectors write them."""
    try:
        parsed = cron.parse(expression)
    except cron.CronError:
        return "err"
    moment, found = datetime.fromisoformat(start), []
    for _ in range(4):
        following = parsed.next(moment)
        if following is None:
            return [*found, "zero"]
        found.append(f"{following:%Y-%m-%dT%H:%M:%SZ}")
        moment = following
    return found


def test_every_vector() -> None:
    rows = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 3018
    wrong = [(expression, times(expression, start), wanted) for expression, start, wanted in rows]
    assert [row for row in wrong if row[1] != row[2]] == []


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("", "six fields"),
        ("0 0 0 * *", "six fields"),
        ("0 0 0 * * * *", "six fields"),
        ("@daily", "six fields"),
        ("0 60 * * * *", "minute"),
        ("0 0 22-2 * * *", "hour"),
        ("0 0 0 0 * *", "day of month"),
        ("0 0 0 * 13 *", "month"),
        ("0 0 0 * * 7", "day of week"),
        ("0 */0 * * * *", "greater than 0"),
        ("0 5-1/2 * * * *", "minute"),
        ("0 1/2/3 * * * *", "not a number"),
        ("0 -1 * * * *", "not a number"),
        ("0 ١ * * * *", "not a number"),
        ("0 , * * * *", "allows nothing"),
        ("TZ=Asia/Shanghai 0 0 0 * * *", "UTC"),
        ("0 0 0 * * *" + " " * 300, "characters"),
        ("0 99999999999999999999 * * * *", "not a number"),
    ],
)
def test_refusals(expression: str, complaint: str) -> None:
    with pytest.raises(cron.CronError, match=complaint):
        cron.parse(expression)


@pytest.mark.parametrize("expression", ["*/10 * * * * *", "5 0 0 * * *", "? 0 0 * * *", "00 0 0 * * *"])
def test_schedules_begin_at_second_zero(expression: str) -> None:
    cron.parse(expression)
    with pytest.raises(cron.CronError, match="seconds"):
        cron.check_schedule(expression)


def test_a_schedule_of_a_leap_day_waits_for_it_and_one_that_never_comes_says_so() -> None:
    leap = cron.check_schedule("0 0 0 29 2 *")
    assert leap.next(datetime(2026, 1, 1, tzinfo=UTC)) == datetime(2028, 2, 29, tzinfo=UTC)
    assert leap.next(datetime(2096, 3, 1, tzinfo=UTC)) is None  # 2100 has none, 2104 is too far
    assert cron.check_schedule("0 0 0 31 4 *").next(datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_the_next_time_is_later_than_the_one_given() -> None:
    daily = cron.check_schedule("TZ=UTC 0 0 0 * * *")
    midnight = datetime(2026, 5, 1, tzinfo=UTC)
    assert daily.next(midnight) == datetime(2026, 5, 2, tzinfo=UTC)
    assert daily.next(midnight.replace(microsecond=1)) == datetime(2026, 5, 2, tzinfo=UTC)
    assert daily.next(datetime(2026, 4, 30, 23, 59, 59, 999_999, tzinfo=UTC)) == midnight

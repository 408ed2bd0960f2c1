"""Schedules: set, fired once, paused, missed."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from harbor_core.lib.errors import HarborError
from jobservice import dispatch
from jobservice.jobs import SYSTEM_SCHEDULES
from jobservice.models import Execution, JobQueue, Schedule
from jobservice.services import schedules
from jobservice.worker.clock import Clock
from tests.jobservice.conftest import Worker

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def due(minutes: int = 5, **values: object) -> Schedule:
    """Every minute, with the first time so many minutes before noon."""
    when = NOON - timedelta(minutes=minutes)
    return Schedule.objects.create(vendor_type="TEST", cron="0 * * * * *", next_time=when, **values)


def test_put_replaces_and_remove_leaves_what_ran() -> None:
    first = schedules.put("TEST", 3, cron="0 0 1 * * *", cron_type="Daily", parameters={"steps": 2}, operator="ann")
    assert first.next_time is not None and first.next_time > timezone.now() and first.next_time.hour == 1
    second = schedules.put("TEST", 3, cron="0 30 * * * *")
    assert (second.pk, second.cron, second.parameters, second.cron_type) == (first.pk, "0 30 * * * *", {}, "Custom")
    schedules.put("TEST", 4, cron="0 0 1 * * *")
    dispatch.submit("TEST", schedule=second, fire_time=NOON)
    assert schedules.remove("TEST", 3) and not schedules.remove("TEST", 3)
    assert Execution.objects.get().schedule is None
    assert Schedule.objects.get().vendor_id == 4


def test_types_without_an_expression_have_one() -> None:
    assert [schedules.check(name, "") for name in ("Hourly", "Daily", "Weekly")] == [
        "0 0 * * * *",
        "0 0 0 * * *",
        "0 0 0 * * 0",
    ]
    assert schedules.check("Hourly", "0 5 * * * *") == "0 5 * * * *"


@pytest.mark.parametrize(
    ("kind", "cron"),
    [("Custom", ""), ("Custom", "* * * * *"), ("Custom", "1 * * * * *"), ("Manual", "0 * * * * *"), ("Never", "")],
)
def test_what_is_no_schedule(kind: str, cron: str) -> None:
    with pytest.raises(HarborError, match="BAD_REQUEST"):
        schedules.put("TEST", cron=cron, cron_type=kind)
    assert not Schedule.objects.exists()


def test_missed_times_run_once(worker: Worker) -> None:
    schedule = due(minutes=60, vendor_id=9, parameters={"steps": 2}, operator="ann")
    assert schedules.fire_due(NOON) == 1
    assert schedules.fire_due(NOON) == 0
    execution = Execution.objects.get()
    assert (execution.vendor_type, execution.vendor_id, execution.trigger) == ("TEST", 9, "SCHEDULE")
    assert (execution.fire_time, execution.operator, execution.schedule) == (schedule.next_time, "ann", schedule)
    assert execution.tasks.get().parameters == {"steps": 2}
    schedule.refresh_from_db()
    assert (schedule.next_time, schedule.last_time) == (NOON + timedelta(minutes=1), execution.fire_time)
    assert worker.work() == 1
    assert schedules.fire_due(NOON + timedelta(minutes=1)) == 1


def test_two_clocks_with_the_same_row_in_hand() -> None:
    schedule = due()
    stale = Schedule.objects.get(pk=schedule.pk)
    assert schedules._fire(schedule, NOON) is True
    assert schedules._fire(stale, NOON) is False
    assert Execution.objects.count() == 1


def test_a_time_that_ran_already_does_not_come_again() -> None:
    """A database restored from a copy may hold the row as it was before."""
    schedule = due()
    dispatch.submit("TEST", schedule=schedule, fire_time=schedule.next_time)
    assert schedules.fire_due(NOON) == 0
    schedule.refresh_from_db()
    assert schedule.next_time == NOON + timedelta(minutes=1)
    assert Execution.objects.count() == 1


def test_paused_schedules_wait_and_run_once_after() -> None:
    due()
    JobQueue.objects.create(job_type="SCHEDULER", paused=True)
    assert schedules.fire_due(NOON) == 0
    JobQueue.objects.update(paused=False)
    assert schedules.fire_due(NOON + timedelta(minutes=9)) == 1
    assert Execution.objects.count() == 1


def test_one_that_cannot_start_does_not_hold_up_others() -> None:
    Schedule.objects.create(vendor_type="NO_MORE", cron="0 * * * * *", next_time=NOON - timedelta(hours=1))
    Schedule.objects.create(vendor_type="TEST", cron="broken", next_time=NOON - timedelta(minutes=30))
    good = due(vendor_id=1)
    assert schedules.fire_due(NOON) == 1
    assert Execution.objects.get().schedule == good
    assert not Schedule.objects.filter(next_time__lte=NOON).exists()


def test_one_that_never_comes() -> None:
    schedule = schedules.put("TEST", cron="0 0 0 31 2 *")
    assert schedule.next_time is None
    assert schedules.fire_due(NOON) == 0


def test_a_clock_brings_the_systems_own_schedules_and_leaves_others_alone() -> None:
    mine = schedules.put("TEST", cron="0 0 5 * * *")
    Schedule.objects.create(vendor_type="EXECUTION_SWEEP", cron="0 0 0 1 1 *")
    Clock().tick()
    found = {schedule.vendor_type: schedule.cron for schedule in Schedule.objects.all()}
    assert found == {**SYSTEM_SCHEDULES, "TEST": mine.cron}
    before = list(Schedule.objects.order_by("pk").values_list("update_time", flat=True))
    Clock().tick()
    assert list(Schedule.objects.order_by("pk").values_list("update_time", flat=True)) == before


def test_a_clock_takes_up_nothing_before_it_has_watched_for_a_lease(worker: Worker, settings) -> None:  # type: ignore[no-untyped-def]  # pytest-django's fixture
    from jobservice.models import Task

    dispatch.submit("TEST")
    worker.take()
    Task.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    clock = Clock()
    clock.tick()
    assert Task.objects.get().status == "Running", "after a silence its worker may be about to renew"
    assert clock._sound_since is not None
    clock._sound_since -= settings.JOB_LEASE_SECONDS
    clock.tick()
    assert Task.objects.get().status == "Pending"

"""Leases: whoever lost a task, a worker that dies, stops and shutdowns."""

from collections.abc import Callable

import pytest
from django.db import OperationalError, transaction

from jobservice import dispatch, logs
from jobservice.dispatch import TaskSpec
from jobservice.jobs import JOB_TYPES, LeaseLost, StopRequested
from jobservice.models import Execution, JobTotal, Schedule, Task
from jobservice.services import leases
from jobservice.services.transitions import move
from jobservice.states import Status
from jobservice.worker.clock import Clock
from jobservice.worker.context import Context
from tests.jobservice.conftest import Worker, fresh
from tests.jobservice.engine import PAST, age, counters, only_task

pytestmark = pytest.mark.django_db


# ---------------------------------------------------------------------- leases
def lose(context: Context) -> None:
    age(lease_until=PAST)
    assert leases.take_up_orphans() == {context.task.job_type}


def test_a_dead_workers_task_is_taken_up(worker: Worker, other_worker: Worker, begun: Callable[[], Context]) -> None:
    execution = dispatch.submit("TEST")
    assert leases.take_up_orphans() == set()
    context = begun()
    assert leases.take_up_orphans() == set(), "its lease is good"
    lose(context)
    assert counters(execution) == {"pending": 1}
    assert only_task().lost == 1
    assert other_worker.work() == 1
    task = only_task()
    assert (task.status, task.run_count) == (Status.SUCCESS, 2)


def test_whoever_lost_a_task_cannot_write_to_it(worker: Worker, other_worker: Worker, begun) -> None:  # type: ignore[no-untyped-def]  # a fixture
    dispatch.submit("TEST", parameters={"steps": 1})
    old = begun()
    lose(old)
    new = other_worker.take()
    assert new is not None and new.task.run_count == 2
    with pytest.raises(LeaseLost), old.hold():
        pytest.fail("nobody is let in")
    with pytest.raises(LeaseLost):
        old.report(bad=True)
    with pytest.raises(LeaseLost):
        old.report_execution(bad=True)
    assert move(leases.held(old.holding), Status.RUNNING, Status.SUCCESS) == 0
    old.check_stop()  # has not heard of it yet
    worker.tick()
    with pytest.raises(LeaseLost):
        old.check_stop()
    old.log.info("a late line")
    old.task_log.end("INFO", "a late end")
    assert b"late" not in logs.read(old.task.pk, 0, 100_000)
    assert (only_task().status, only_task().extra_attrs) == (Status.RUNNING, {})
    with new.hold():
        pass


def test_a_worker_may_take_up_what_it_lost_itself(worker: Worker, begun: Callable[[], Context]) -> None:
    dispatch.submit("TEST")
    old = begun()
    lose(old)
    new = worker.take()
    assert new is not None and new.task.pk == old.task.pk
    with pytest.raises(LeaseLost):
        old.check_stop()
    worker.drop(old)
    worker.tick()
    new.check_stop()
    assert worker._running == {new.task.pk: new}


def test_what_a_database_cannot_keep_is_left_out(worker: Worker) -> None:
    bad = "refused \0 by \ud800 the other side"
    execution = dispatch.submit("TEST_FAILS", parameters={"message": bad}, extra_attrs={"why": bad})
    worker.work()
    task = only_task()
    assert task.status == Status.ERROR and task.status_message.startswith("refused ")
    assert "\0" not in task.status_message + execution.extra_attrs["why"]
    context_of = dispatch.submit("TEST")
    context = worker.take()
    assert context is not None
    context.report(said=bad)
    context.report_execution(said=bad)
    context_of.refresh_from_db()
    assert "\0" not in context_of.extra_attrs["said"]


def test_a_job_that_is_taken_is_run_whatever_happens_around_it(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OperationalError("gone for a moment")

    monkeypatch.setattr(worker, "ring_if_waiting", broken)
    dispatch.submit("TEST")
    assert worker.work() == 1
    assert only_task().status == Status.SUCCESS and worker._running == {}


def test_a_heartbeat_keeps_the_lease(worker: Worker, begun: Callable[[], Context]) -> None:
    dispatch.submit("TEST")
    begun()
    age(lease_until=PAST)
    worker.tick()
    assert leases.take_up_orphans() == set()
    assert only_task().status == Status.RUNNING


def test_a_worker_that_reaches_no_database_gives_up_in_time(begun: Callable[[], Context], settings) -> None:  # type: ignore[no-untyped-def]  # pytest-django's fixture
    dispatch.submit("TEST")
    context = begun()
    context.check_stop()
    context.renewed -= settings.JOB_LEASE_SECONDS + 1
    with pytest.raises(LeaseLost):
        context.check_stop()


def test_a_task_that_kills_its_workers_ends(worker: Worker) -> None:
    execution = dispatch.submit("TEST_FRAIL")
    for _ in range(2):
        context = worker.take()
        assert context is not None
        worker.drop(context)
        age(lease_until=PAST)
        leases.take_up_orphans()
    task = only_task()
    assert (task.status, task.status_message) == (Status.ERROR, "its worker died 2 times")
    assert counters(execution) == {"error": 1}


def test_a_stop_is_noticed_by_a_dead_worker_too(begun: Callable[[], Context]) -> None:
    execution = dispatch.submit("TEST")
    begun()
    age(lease_until=PAST, stop_requested=True)
    assert leases.take_up_orphans() == set()
    assert (only_task().status, counters(execution)) == (Status.STOPPED, {"stopped": 1})


def test_a_stop_request_reaches_the_job(worker: Worker, begun: Callable[[], Context]) -> None:
    dispatch.submit("TEST")
    context = begun()
    Task.objects.update(stop_requested=True)
    context.check_stop()
    worker.tick()
    with pytest.raises(StopRequested):
        context.check_stop()


def test_a_shutdown_gives_tasks_back(worker: Worker, other_worker: Worker) -> None:
    execution = dispatch.submit("TEST")
    worker.interrupt()
    assert worker.work() == 0, "nothing is taken any more"
    context = other_worker.take()
    assert context is not None
    other_worker.interrupt()
    from jobservice.worker import runner

    runner._run(context, JOB_TYPES["TEST"])
    task = only_task()
    assert (task.status, task.failures, task.lost, counters(execution)) == (Status.PENDING, 0, 0, {"pending": 1})


def test_progress_is_written_while_running(worker: Worker, begun: Callable[[], Context]) -> None:
    dispatch.submit("TEST")
    context = begun()
    worker.tick()
    context.progress(10, 40, 5_000_000)
    context._rates._time -= 2
    worker.tick()
    task = only_task()
    assert (task.done, task.total, task.bytes) == (10, 40, 5_000_000)
    assert task.rate == pytest.approx(5, rel=0.1)
    assert task.byte_rate == pytest.approx(2_500_000, rel=0.1)


def test_totals_grow(worker: Worker) -> None:
    for name in ("TEST", "TEST", "TEST_FAILS"):
        dispatch.submit(name)
    worker.work()
    Execution.objects.all().delete()
    totals = {(t.job_type, t.status): t.tasks for t in JobTotal.objects.all()}
    assert totals == {("TEST", "Success"): 2, ("TEST_FAILS", "Error"): 1}


def test_a_row_more_than_a_fire_time_is_impossible() -> None:
    from django.db import IntegrityError

    schedule = Schedule.objects.create(vendor_type="TEST", cron="0 0 0 * * *")
    dispatch.submit("TEST", schedule=schedule, fire_time=PAST)
    with pytest.raises(IntegrityError), transaction.atomic():
        dispatch.submit("TEST", schedule=schedule, fire_time=PAST)


def test_a_stop_that_was_cut_off_in_the_middle_is_finished(worker: Worker) -> None:
    execution = dispatch.submit("TEST", tasks=[TaskSpec(), TaskSpec(delay=60), TaskSpec()])
    first, second, _ = execution.tasks.order_by("pk")
    Task.objects.filter(pk__in=[first.pk, second.pk]).update(stop_requested=True)
    assert worker.work() == 1, "it does not hold up what waits behind it"
    assert counters(execution) == {"success": 1, "pending": 1, "scheduled": 1}
    Clock().tick()
    assert counters(execution) == {"success": 1, "stopped": 2}


def test_ids_of_final_tasks_do_not_move(worker: Worker) -> None:
    dispatch.submit("TEST")
    worker.work()
    task = fresh(only_task())
    age(lease_until=PAST)
    assert leases.take_up_orphans() == set() and fresh(task).status == Status.SUCCESS

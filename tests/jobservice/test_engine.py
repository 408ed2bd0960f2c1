"""The engine in one process: states, counters, priorities, limits, retries, leases."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone

from jobservice import dispatch, logs
from jobservice.dispatch import TaskSpec
from jobservice.jobs import JOB_TYPES, LeaseLost, StopRequested
from jobservice.models import Execution, JobQueue, JobTotal, Schedule, Task
from jobservice.services import leases
from jobservice.services.transitions import move
from jobservice.states import FINAL, MOVES, Status
from jobservice.worker.clock import Clock
from jobservice.worker.context import Context
from tests.jobservice.conftest import Worker, fresh

pytestmark = pytest.mark.django_db
COUNTERS = [status.counter for status in Status]


def counters(execution: Execution) -> dict[str, int]:
    execution.refresh_from_db()
    return {name: value for name in COUNTERS if (value := getattr(execution, name))}


def counted(execution: Execution) -> dict[str, int]:
    """The same, from the tasks themselves."""
    found: dict[str, int] = {}
    for status in execution.tasks.values_list("status", flat=True):
        found[Status(status).counter] = found.get(Status(status).counter, 0) + 1
    return found


def only_task() -> Task:
    return Task.objects.select_related("execution").get()


def age(**changes: object) -> None:
    """Make leases run out, or the time of scheduled tasks come."""
    Task.objects.update(**changes)


PAST = timezone.now() - timedelta(hours=1)


def test_a_job_runs_and_ends(worker: Worker) -> None:
    execution = dispatch.submit("TEST", vendor_id=7, parameters={"steps": 3}, operator="ann", extra_attrs={"why": "x"})
    assert (execution.status, counters(execution)) == (Status.RUNNING, {"pending": 1})
    assert worker.work() == 1
    task = only_task()
    assert (task.status, task.run_count, task.extra_attrs, task.worker) == (Status.SUCCESS, 1, {"steps": 3}, "")
    assert (task.done, task.total, task.bytes) == (3, 3, 3000)
    assert task.lease_until is None and task.start_time and task.end_time and task.end_time >= task.start_time
    assert counters(execution) == {"success": 1}
    assert (execution.status, execution.operator, execution.extra_attrs) == (Status.SUCCESS, "ann", {"why": "x"})
    assert execution.end_time is not None
    text = logs.read(task.pk, 0, 10_000).decode()
    assert "step 2 of 3" in text and text.rstrip().endswith("[INFO] the task ends as Success")
    assert worker.work() == 0


def test_an_execution_follows_its_tasks(worker: Worker) -> None:
    specs = [TaskSpec({"steps": 1}, job_type=name) for name in ("TEST", "TEST_FAILS", "TEST")]
    execution = dispatch.submit("TEST", tasks=specs)
    assert counters(execution) == {"pending": 3}
    assert worker.work() == 3
    assert counters(execution) == counted(execution) == {"success": 2, "error": 1}
    assert (execution.status, execution.status_message) == (Status.ERROR, "it cannot work")


def test_an_execution_without_tasks_is_a_success() -> None:
    execution = dispatch.submit("TEST", tasks=[])
    assert (execution.status, counters(execution)) == (Status.SUCCESS, {})
    assert execution.end_time is not None
    with pytest.raises(ValueError, match="has ended"):
        dispatch.add_tasks(execution.pk, [TaskSpec()], job_type="TEST")
    assert not Task.objects.exists()


def test_unknown_types_are_refused() -> None:
    with pytest.raises(KeyError):
        dispatch.submit("NOBODY_KNOWS")
    with pytest.raises(KeyError):
        dispatch.submit("TEST", tasks=[TaskSpec(job_type="NOBODY_KNOWS")])
    assert not Execution.objects.exists()


def test_nothing_is_sent_before_the_commit(django_capture_on_commit_callbacks, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]  # pytest-django's fixture
    rung: list[set[str]] = []
    monkeypatch.setattr(dispatch, "ring", lambda types: rung.append(set(types)))
    with django_capture_on_commit_callbacks(execute=True):
        with pytest.raises(RuntimeError), transaction.atomic():
            dispatch.submit("TEST")
            raise RuntimeError
        dispatch.submit("TEST_URGENT")
        assert rung == []
    assert rung == [{"TEST_URGENT"}]
    assert Execution.objects.count() == 1


@pytest.mark.parametrize("source", Status)
@pytest.mark.parametrize("target", Status)
def test_only_moves_of_the_table(source: Status, target: Status) -> None:
    dispatch.submit("TEST")
    Task.objects.update(status=source)
    if target in MOVES[source]:
        assert move(Task.objects.all(), source, target) == 1
        assert move(Task.objects.all(), source, target) == 0, "whoever comes second finds nothing"
        assert only_task().status == target
    else:
        with pytest.raises(ValueError, match="does not go"):
            move(Task.objects.all(), source, target)
        assert only_task().status == source


def test_final_states_are_final() -> None:
    assert all(MOVES[status] == frozenset() for status in FINAL)


def test_interactive_work_goes_first_and_keeps_a_thread(worker: Worker) -> None:
    dispatch.submit("TEST", tasks=[TaskSpec() for _ in range(5)])
    dispatch.submit("TEST_URGENT")
    dispatch.submit("TEST", tasks=[TaskSpec(interactive=True)])
    taken = [worker.take() for _ in range(5)]
    kinds = [(context.task.job_type, context.task.priority) for context in taken if context]
    assert kinds == [("TEST_URGENT", 0), ("TEST", 0), ("TEST", 10), ("TEST", 10), ("TEST", 10)]
    assert worker.take() is None, "three of four threads is all that bulk work gets"
    dispatch.submit("TEST_URGENT")
    assert worker.take() is not None


def test_a_long_queue_does_not_hold_up_the_others(worker: Worker, other_worker: Worker) -> None:
    dispatch.submit("TEST", tasks=[TaskSpec()] * 50)
    dispatch.submit("TEST_FAILS", tasks=[TaskSpec()] * 2)
    taken = [context.task.job_type for context in (worker.take() for _ in range(3)) if context]
    taken += [context.task.job_type for context in (other_worker.take() for _ in range(3)) if context]
    assert taken == ["TEST", "TEST_FAILS", "TEST", "TEST_FAILS", "TEST", "TEST"]


def test_the_choice_costs_the_same_however_much_waits(worker: Worker, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]  # pytest-django's fixture
    for number in (1, 300):
        dispatch.submit("TEST", tasks=[TaskSpec()] * number)
        with django_assert_num_queries(3):
            assert [head.job_type for head in leases.waiting(worker.job_types)] == ["TEST"]


def test_a_limit_counts_over_all_workers(worker: Worker, other_worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch.submit("TEST_ALONE", tasks=[TaskSpec(), TaskSpec(), TaskSpec()])
    first = worker.take()
    assert first is not None
    assert other_worker.take() is None
    dispatch.submit("TEST")
    second = other_worker.take()
    assert second is not None and second.task.job_type == "TEST", "others go past the full queue"
    monkeypatch.setenv("HARBOR_JOB_LIMIT_TEST_ALONE", "2")
    assert other_worker.take() is not None
    assert other_worker.take() is None
    move(leases.held(first.holding), Status.RUNNING, Status.SUCCESS)
    assert worker.take() is not None


def test_a_worker_takes_only_what_it_consumes(db: None) -> None:
    dispatch.submit("TEST")
    assert Worker(2, ["TEST_URGENT"]).take() is None
    assert Worker(2, ["TEST"]).take() is not None


def test_a_paused_queue_waits(worker: Worker) -> None:
    JobQueue.objects.create(job_type="TEST", paused=True)
    dispatch.submit("TEST")
    assert worker.work() == 0
    JobQueue.objects.update(paused=False)
    assert worker.work() == 1


def test_a_failed_job_is_not_tried_again(worker: Worker) -> None:
    dispatch.submit("TEST_FAILS", parameters={"message": "no such thing"})
    worker.work()
    task = only_task()
    assert (task.status, task.status_message, task.run_count) == (Status.ERROR, "no such thing", 1)


def test_retries_wait_longer_each_time_and_end(worker: Worker) -> None:
    execution = dispatch.submit("TEST_RETRIES")
    pauses = []
    for _ in range(2):
        assert worker.work() == 1
        task = only_task()
        assert (task.status, task.status_message) == (Status.SCHEDULED, "not yet")
        assert counters(execution) == {"scheduled": 1}
        assert task.due_at is not None
        pauses.append(round((task.due_at - timezone.now()).total_seconds()))
        assert leases.promote_due() == set()
        age(due_at=PAST)
        assert leases.promote_due() == {"TEST_RETRIES"}
    assert pauses == [pytest.approx(10, abs=2), pytest.approx(20, abs=2)]
    worker.work()
    task = only_task()
    assert (task.status, task.failures, task.run_count) == (Status.ERROR, 3, 3)
    assert counters(execution) == {"error": 1}


def test_a_retry_that_works(worker: Worker) -> None:
    execution = dispatch.submit("TEST_RETRIES", parameters={"good": 2, "seconds": 0})
    worker.work()
    assert leases.promote_due() == {"TEST_RETRIES"}
    worker.work()
    assert (only_task().status, counters(execution), execution.status) == ("Success", {"success": 1}, "Success")


def test_an_unexpected_error_tells_users_its_name_only(worker: Worker) -> None:
    dispatch.submit("TEST_BREAKS")
    worker.work()
    task = only_task()
    assert (task.status, task.status_message) == (Status.ERROR, "internal error: KeyError")
    assert b"hunter2" not in logs.read(task.pk, 0, 100_000)


def test_a_delayed_task_waits(worker: Worker) -> None:
    execution = dispatch.submit("TEST", tasks=[TaskSpec(delay=60), TaskSpec()])
    assert counters(execution) == counted(execution) == {"scheduled": 1, "pending": 1}
    assert worker.work() == 1
    age(due_at=PAST)
    assert leases.promote_due() == {"TEST"}
    assert worker.work() == 1
    assert counters(execution) == {"success": 2}


def test_a_job_adds_tasks_once(worker: Worker) -> None:
    execution = dispatch.submit("TEST_PLANS", parameters={"child": {"steps": 1}, "children": 1200})
    first = worker.take()
    assert first is not None
    assert first.spawn([TaskSpec(job_type="TEST")] * 1200) == 1200
    assert counters(execution) == {"running": 1, "pending": 1200}
    # Its worker dies; the next run plans again.
    worker.drop(first)
    age(lease_until=PAST)
    leases.take_up_orphans()
    Task.objects.filter(job_type="TEST").delete()
    Execution.objects.update(pending=1)
    assert worker.work() == 1
    assert not Task.objects.filter(job_type="TEST").exists()
    with pytest.raises(LeaseLost):
        first.spawn([TaskSpec()])


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

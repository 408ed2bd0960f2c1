"""The engine in one process: states, counters, priorities, limits, retries, leases."""

import pytest
from django.db import transaction
from django.utils import timezone

from jobservice import dispatch, logs
from jobservice.dispatch import TaskSpec
from jobservice.jobs import LeaseLost
from jobservice.models import Execution, JobQueue, Task
from jobservice.services import leases
from jobservice.services.transitions import move
from jobservice.states import FINAL, MOVES, Status
from tests.jobservice.conftest import Worker
from tests.jobservice.engine import PAST, age, counted, counters, only_task

pytestmark = pytest.mark.django_db


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

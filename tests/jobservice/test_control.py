"""Stopping, pausing, and what the monitor says."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from harbor_core.lib.errors import HarborError
from harbor_core.models import AuditLog
from jobservice import dispatch
from jobservice.dispatch import TaskSpec
from jobservice.jobs import JOB_TYPES
from jobservice.models import Execution, Schedule, Task, WorkerPool
from jobservice.selectors import executions, monitor
from jobservice.services import control, leases
from jobservice.states import Status
from jobservice.worker import runner
from tests.cast import World
from tests.jobservice.conftest import Worker

pytestmark = pytest.mark.django_db


def states() -> list[str]:
    return list(Task.objects.order_by("pk").values_list("status", flat=True))


def test_waiting_tasks_stop_at_once_and_running_ones_at_their_next_check(worker: Worker) -> None:
    execution = dispatch.submit("TEST", tasks=[TaskSpec({"steps": 5}), TaskSpec(delay=60), TaskSpec()])
    context = worker.take()
    assert context is not None
    assert control.stop_execution(execution.pk) == 3
    assert states() == ["Running", "Stopped", "Stopped"]
    execution.refresh_from_db()
    assert (execution.status, execution.running, execution.stopped) == ("Running", 1, 2)
    worker.tick()
    runner._run(context, JOB_TYPES["TEST"])
    execution.refresh_from_db()
    assert (states(), execution.status, execution.stopped) == (["Stopped"] * 3, "Stopped", 3)
    assert control.stop_execution(execution.pk) == 0


def test_a_stop_reaches_a_task_that_comes_back_from_a_worker(worker: Worker) -> None:
    """Asked for while it ran, the job fails and would be tried again: it ends instead."""
    dispatch.submit("TEST_RETRIES")
    context = worker.take()
    assert context is not None
    control.stop(Task.objects.all())
    runner._run(context, JOB_TYPES["TEST_RETRIES"])
    assert states() == ["Stopped"]


def test_a_job_that_ends_before_it_hears_of_the_stop_is_a_success(worker: Worker) -> None:
    dispatch.submit("TEST")
    context = worker.take()
    assert context is not None
    control.stop(Task.objects.all())
    runner._run(context, JOB_TYPES["TEST"])
    assert states() == ["Success"]


def test_many_waiting_tasks_stop_in_one_statement(django_assert_max_num_queries: Callable[[int], Any]) -> None:
    execution = dispatch.submit("TEST", tasks=[TaskSpec()] * 1203)
    with django_assert_max_num_queries(16):
        assert control.stop_execution(execution.pk) == 1203
    execution.refresh_from_db()
    assert (execution.stopped, execution.pending, execution.status) == (1203, 0, "Stopped")


def test_queue_actions(world: World, worker: Worker) -> None:
    actor = world.actor("sysadmin")
    dispatch.submit("TEST", parameters={"steps": 1})
    running = worker.take()
    dispatch.submit("TEST")
    dispatch.submit("TEST_URGENT")
    control.act_on_queue(actor, "test", "stop")
    assert states() == ["Running", "Stopped", "Pending"], "what runs goes on, other queues too"
    assert running is not None
    control.act_on_queue(actor, "ALL", "pause")
    assert worker.take() is None
    assert monitor.schedules_paused()
    assert {queue.paused for queue in monitor.queue_list()} == {True}
    control.act_on_queue(actor, "TEST_URGENT", "resume")
    assert worker.work() == 1
    control.act_on_queue(actor, "scheduler", "resume")
    assert not monitor.schedules_paused()
    with pytest.raises(HarborError, match="NOT_FOUND"):
        control.act_on_queue(actor, "NOBODY", "pause")
    recorded = AuditLog.objects.filter(resource_type="job-queue").order_by("pk").values_list("operation", "resource")
    assert list(recorded) == [
        ("stop", "test"),
        ("pause", "ALL"),
        ("resume", "TEST_URGENT"),
        ("resume", "scheduler"),
    ]


@pytest.mark.parametrize("job_id", ["0", "-1", "x", "99999999999999999999", "١"])
def test_jobs_that_are_not_there(job_id: str, world: World) -> None:
    with pytest.raises(HarborError, match="NOT_FOUND"):
        control.stop_job(world.actor("sysadmin"), job_id)


def test_everything_that_runs_can_be_stopped(world: World, worker: Worker) -> None:
    dispatch.submit("TEST", tasks=[TaskSpec(), TaskSpec(), TaskSpec()])
    for _ in range(2):
        worker.take()
    control.stop_job(world.actor("sysadmin"), "all")
    assert list(Task.objects.order_by("pk").values_list("stop_requested", flat=True)) == [True, True, False]


def test_queues_tell_how_long_the_first_waits(worker: Worker) -> None:
    dispatch.submit("TEST", tasks=[TaskSpec(), TaskSpec(), TaskSpec(), TaskSpec(delay=9)])
    worker.take()
    Task.objects.filter(status=Status.PENDING).update(queued_at=timezone.now() - timedelta(seconds=90))
    past = timezone.now() - timedelta(seconds=30)
    Schedule.objects.create(vendor_type="TEST", cron="0 0 0 * * *", next_time=past)
    queues = {queue.job_type: queue for queue in monitor.queue_list()}
    found = queues["TEST"]
    assert (found.count, found.running, found.paused) == (2, 1, False)
    assert 89 <= found.latency <= 95
    assert (queues["SCHEDULER"].count, queues["TEST_URGENT"].count, queues["TEST_ALONE"].limit) == (1, 0, 1)
    assert set(queues) == {*JOB_TYPES, "SCHEDULER"}


def test_pools_and_their_threads(worker: Worker, other_worker: Worker) -> None:
    dispatch.submit("TEST")
    context = worker.take()
    assert context is not None
    worker.tick()
    other_worker.tick()
    assert [pool.pk for pool in monitor.pool_list()] == [worker.pool.pk, other_worker.pool.pk]
    busy, *free = monitor.worker_list(worker.pool.pk)
    assert busy.task == context.task and [item.task for item in free] == [None] * 3
    assert len(monitor.worker_list("all")) == 8
    with pytest.raises(HarborError, match="NOT_FOUND"):
        monitor.worker_list("nobody")
    WorkerPool.objects.filter(pk=other_worker.pool.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))
    assert [pool.pk for pool in monitor.pool_list()] == [worker.pool.pk]
    leases.forget_dead_pools()
    assert WorkerPool.objects.count() == 1
    other_worker._heartbeat = 0
    other_worker.tick()
    assert WorkerPool.objects.count() == 2, "it was only thought dead"


def test_progress_of_an_execution(worker: Worker) -> None:
    one = dispatch.submit("TEST", parameters={"steps": 4})
    context = worker.take()
    assert context is not None
    context.progress(1, 4, 1000)
    worker.tick()
    many = dispatch.submit("TEST", tasks=[TaskSpec({"steps": 2}), TaskSpec(), TaskSpec(), TaskSpec()])
    other = worker.take()
    assert other is not None
    runner._run(other, JOB_TYPES["TEST"])
    one.refresh_from_db()
    many.refresh_from_db()
    found = executions.progress([one, many])
    assert (found[one.pk].done, found[one.pk].total, found[one.pk].bytes, found[one.pk].percent) == (1, 4, 1000, 25)
    assert (found[many.pk].tasks, found[many.pk].all_tasks, found[many.pk].percent) == (1, 4, 25)
    assert found[many.pk].done == 2
    empty = dispatch.submit("TEST", tasks=[])
    assert executions.progress([empty])[empty.pk].percent is None


def test_lists_cost_the_same_however_long_they_are(worker: Worker, django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]  # pytest-django's fixture
    from harbor_core.lib.pagination import Listing

    for _ in range(30):
        dispatch.submit("TEST", tasks=[TaskSpec(), TaskSpec()])
    rows = executions.executions(["TEST"])
    with django_assert_max_num_queries(2):
        page = executions.execution_list(rows, Listing(size=20))
    assert (len(page.items), page.total) == (20, 30)
    assert page.items[0] == Execution.objects.order_by("-pk").first()
    with django_assert_max_num_queries(1):
        executions.progress(page.items)
    with django_assert_max_num_queries(4):
        monitor.queue_list()
    assert executions.open_counts("TEST") == {-1: 30}

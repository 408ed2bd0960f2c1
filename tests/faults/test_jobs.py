"""Jobs whose processes are killed, whose broker forgets, whose database restarts: each ends, and none runs twice at
once."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.breaking import frozen
from tests.jobservice.processes import LEASE, Engine
from tests.support.services import wait_until


@pytest.fixture(scope="module", params=["postgres", pytest.param("sqlite", marks=pytest.mark.slow)])
def service(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with Engine(request.param) as running:
        yield running


@pytest.fixture
def engine(service: Engine) -> Iterator[Engine]:
    yield service
    service.settle()


def ended(engine: Engine, task: int, status: str = "Success", seconds: float = 30) -> None:
    engine.wait(f"Task.objects.get(pk={task}).status == {status!r}", seconds, f"task {task} to end as {status}")


def begun(engine: Engine, notes: Path, times: int = 1, seconds: float = 30) -> None:
    wait_until(lambda: len(engine.notes(notes)) >= times, seconds, "the job to begin")


def test_a_job_runs(engine: Engine, tmp_path: Path) -> None:
    worker = engine.worker()
    started = time.monotonic()
    task = engine.submit(notes=str(tmp_path / "notes"), steps=3)
    ended(engine, task, seconds=5)
    assert time.monotonic() - started < 3, "the bell wakes the worker at once, without a clock"
    assert [row[:2] for row in engine.notes(tmp_path / "notes")] == [("begin", 1), ("end", 1)]
    assert worker.stop() == 0
    assert engine.run("WorkerPool.objects.count()") == 0


def test_a_killed_worker(engine: Engine, tmp_path: Path) -> None:
    """kill -9 in the middle: another one takes the task up within the lease, and it is finished once."""
    notes, gate = tmp_path / "notes", tmp_path / "gate"
    engine.clock()
    workers = engine.worker(), engine.worker()
    task = engine.submit(notes=str(notes), gate=str(gate))
    begun(engine, notes)
    (_, _, first), *_ = engine.notes(notes)
    (second,) = {worker.pid for worker in workers} - {first}
    engine.wait(f"b'run 1 of task' in logs.read({task}, 0, 1000)", 10, "the log of the run to be readable")
    engine.by_pid(first).kill()
    killed = time.monotonic()
    begun(engine, notes, 2)
    assert time.monotonic() - killed < LEASE + 3
    gate.touch()
    ended(engine, task)
    assert engine.notes(notes) == [("begin", 1, first), ("begin", 2, second), ("end", 2, second)]
    assert engine.tasks()[0]["lost"] == 1
    log = engine.run(f"logs.read({task}, 0, 100000).decode()")
    assert "run 1 of task" in log and "run 2 of task" in log and "lost with a worker: 1" in log
    assert log.count("the task ends as Success") == 1


@pytest.mark.slow
def test_a_frozen_worker_that_wakes_up(engine: Engine, tmp_path: Path) -> None:
    """Its task is taken up; when it wakes up it notices before it does anything, and its outcome counts for nothing."""
    notes, gate = tmp_path / "notes", tmp_path / "gate"
    engine.clock()
    workers = engine.worker(), engine.worker()
    task = engine.submit(notes=str(notes), gate=str(gate))
    begun(engine, notes)
    (_, _, first), *_ = engine.notes(notes)
    (second,) = {worker.pid for worker in workers} - {first}
    with frozen(first):
        begun(engine, notes, 2, LEASE + 15)
        gate.touch()
        ended(engine, task)
    wait_until(lambda: "outcome is dropped" in engine.by_pid(first).log, 10, "the first worker to notice")
    assert engine.notes(notes) == [("begin", 1, first), ("begin", 2, second), ("end", 2, second)]
    assert engine.tasks()[0]["status"] == "Success"


@pytest.mark.slow
def test_a_worker_that_is_told_to_stop(engine: Engine, tmp_path: Path) -> None:
    """It gives its task back at once, and nothing counts against the job."""
    notes, gate = tmp_path / "notes", tmp_path / "gate"
    engine.clock()
    first = engine.worker()
    task = engine.submit(notes=str(notes), gate=str(gate))
    begun(engine, notes)
    stopped = time.monotonic()
    assert first.stop() == 0
    assert time.monotonic() - stopped < 10
    row = engine.tasks()[0]
    assert (row["status"], row["failures"], row["lost"]) == ("Pending", 0, 0)
    gate.touch()
    engine.worker()
    ended(engine, task)


def test_a_broker_that_forgets_everything(engine: Engine, tmp_path: Path) -> None:
    """FLUSHALL, then a restart: nothing is lost, nothing runs twice, and new jobs run."""
    running, waiting, gate = tmp_path / "running", tmp_path / "waiting", tmp_path / "gate"
    engine.clock()
    engine.worker()
    long = engine.submit(notes=str(running), gate=str(gate))
    alone = [engine.submit("TEST_ALONE", notes=str(waiting), steps=5, pause=0.1) for _ in range(3)]
    begun(engine, running)
    engine.broker.flush()
    after_flush = engine.submit()
    ended(engine, after_flush, seconds=15)
    engine.broker.restart()
    after_restart = engine.submit()
    for task in (*alone, after_restart):
        ended(engine, task)
    gate.touch()
    ended(engine, long)
    assert [row[:2] for row in engine.notes(running)] == [("begin", 1), ("end", 1)]
    assert [row[0] for row in engine.notes(waiting)] == ["begin", "end"] * 3, "one at a time"
    assert all(row["run_count"] == 1 for row in engine.tasks())


def test_a_broker_that_is_down_at_dispatch(engine: Engine) -> None:
    engine.clock()
    engine.worker()
    engine.broker.down()
    try:
        for _ in range(2):
            started = time.monotonic()
            engine.submit()
            assert time.monotonic() - started < 1, "whoever starts a job does not wait for the broker"
        assert {row["status"] for row in engine.tasks()} == {"Pending"}
    finally:
        engine.broker.start()
    for row in engine.tasks():
        ended(engine, row["pk"], seconds=60)


@pytest.mark.slow
def test_a_broker_that_does_not_answer(engine: Engine) -> None:
    engine.clock()
    engine.worker()
    with frozen(engine.broker.pid):
        for _ in range(3):
            started = time.monotonic()
            engine.submit()
            assert time.monotonic() - started < 1, "whoever starts a job does not wait for the broker"
            time.sleep(3)
    for row in engine.tasks():
        ended(engine, row["pk"], seconds=60)


@pytest.mark.slow
def test_two_clocks(engine: Engine, tmp_path: Path) -> None:
    """Every fire time once, with a broker that goes away in between."""
    engine.clock()
    engine.clock()
    engine.worker()
    start = "schedules.timezone.now()"
    engine.run(
        "Schedule.objects.create(vendor_type='TEST', cron='*/2 * * * * *', parameters={'steps': 1},"
        f" next_time={start}) and None"
    )
    engine.wait("Execution.objects.filter(vendor_type='TEST').count() >= 2", 30)
    engine.broker.restart()
    engine.wait("Execution.objects.filter(vendor_type='TEST').count() >= 7", 30)
    engine.run("Schedule.objects.filter(vendor_type='TEST').delete() and None")
    engine.wait("not Execution.objects.filter(vendor_type='TEST', end_time=None).exists()", 30)
    times = engine.run(
        "list(Execution.objects.filter(vendor_type='TEST').order_by('pk').values_list('fire_time', flat=True))"
    )
    assert len(set(times)) == len(times)
    rows = [row for row in engine.tasks() if row["job_type"] == "TEST"]
    assert len(rows) == len(times) and {row["run_count"] for row in rows} == {1}


@pytest.mark.slow
def test_a_missed_time_runs_once(engine: Engine) -> None:
    """Nobody was there for an hour of minutes."""
    engine.run(
        "Schedule.objects.create(vendor_type='TEST', cron='0 * * * * *', parameters={'steps': 1}, next_time="
        "schedules.timezone.now() - schedules.timezone.timedelta(hours=1)) and None"
    )
    engine.clock()
    engine.worker()
    engine.wait("Execution.objects.filter(vendor_type='TEST', status='Success').exists()", 30)
    time.sleep(2)
    assert engine.run("Execution.objects.filter(vendor_type='TEST').count()") in (1, 2)  # 2: a minute began meanwhile
    assert engine.run("Schedule.objects.get(vendor_type='TEST').next_time > schedules.timezone.now()")


@pytest.mark.slow
def test_a_task_longer_than_the_brokers_patience(engine: Engine, tmp_path: Path) -> None:
    """The broker gives a message to somebody else after two seconds; the task takes eight."""
    notes = tmp_path / "notes"
    engine.clock()
    engine.worker()
    engine.worker()
    task = engine.submit(notes=str(notes), steps=80, pause=0.1)
    ended(engine, task)
    assert [row[:2] for row in engine.notes(notes)] == [("begin", 1), ("end", 1)]


def test_a_stop_takes_seconds(engine: Engine, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    engine.clock()  # the bell may have gone to a broker that the test before took away
    engine.worker()
    running = engine.submit(notes=str(notes), steps=600, pause=0.1)
    begun(engine, notes)
    alone = [engine.submit("TEST_ALONE", steps=600, pause=0.1) for _ in range(2)]
    engine.wait("Task.objects.filter(status='Running', job_type__startswith='TEST').count() == 2", 10)
    started = time.monotonic()
    engine.run("control.stop(Task.objects.all())")
    for task in (running, *alone):
        ended(engine, task, "Stopped", 5)
    assert time.monotonic() - started < 5
    assert ("end", 1) not in [row[:2] for row in engine.notes(notes)]
    assert engine.run(
        "set(Execution.objects.filter(vendor_type__startswith='TEST').values_list('status', flat=True)) == {'Stopped'}"
    )


@pytest.mark.slow
@pytest.mark.parametrize("service", ["postgres"], indirect=True)  # SQLite has no server
def test_the_database_restarts(engine: Engine, tmp_path: Path) -> None:
    """A job that does not need it goes on; one that does is tried again; nothing runs twice at once."""
    assert engine.database is not None
    quiet, asking = tmp_path / "quiet", tmp_path / "asking"
    engine.clock()
    engine.worker()
    calm = engine.submit(notes=str(quiet), steps=60, pause=0.1)
    busy = engine.submit("TEST_ASKS", notes=str(asking), seconds=4)
    begun(engine, quiet)
    begun(engine, asking)
    engine.database.restart(seconds_away=1)
    for task in (calm, busy):
        ended(engine, task, seconds=60)
    assert [row[:2] for row in engine.notes(quiet)] == [("begin", 1), ("end", 1)]
    assert [row[:2] for row in engine.notes(asking)] == [("begin", 1), ("begin", 2), ("end", 2)]


@pytest.mark.slow
@pytest.mark.parametrize("service", ["postgres"], indirect=True)
def test_a_database_that_is_away_for_longer_than_a_lease(engine: Engine, tmp_path: Path) -> None:
    """Nobody can keep a lease, so the job ends itself, and begins again when the database is back."""
    assert engine.database is not None
    notes = tmp_path / "notes"
    engine.clock()
    worker = engine.worker()
    task = engine.submit(notes=str(notes), steps=50, pause=0.1)
    begun(engine, notes)
    engine.database.restart(seconds_away=LEASE + 3)
    ended(engine, task, seconds=60)
    kinds = [row[:2] for row in engine.notes(notes)]
    assert kinds[0] == ("begin", 1) and kinds[-1][0] == "end" and kinds.count(("end", kinds[-1][1])) == 1
    assert [what for what, _ in kinds].count("end") == 1
    assert worker.process.poll() is None


@pytest.mark.slow
def test_a_job_that_is_deaf_to_a_stopping_worker(engine: Engine, tmp_path: Path) -> None:
    """The worker is killed in the end, as a supervisor does, and the task is taken up."""
    notes = tmp_path / "notes"
    engine.clock()
    first = engine.worker()
    task = engine.submit("TEST_DEAF", notes=str(notes), seconds=8)
    begun(engine, notes)
    first.send(signal.SIGTERM)
    time.sleep(1)
    first.kill()
    engine.worker()
    ended(engine, task)
    assert [row[:2] for row in engine.notes(notes)] == [("begin", 1), ("begin", 2), ("end", 2)]

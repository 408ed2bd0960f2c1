"""Logs: the same from every store, readable while they grow, bounded, and gone when they are old."""

import logging
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from django.utils import timezone

from harbor_core.lib import storage
from harbor_core.lib.errors import HarborError
from jobservice import dispatch, logs
from jobservice.dispatch import TaskSpec
from jobservice.logs import TaskLog, stores
from jobservice.models import Execution, LogChunk, Task
from jobservice.selectors import executions
from jobservice.services import retention
from tests.jobservice.conftest import Worker

pytestmark = pytest.mark.django_db
STORES = {
    "file": lambda s: stores.FileStore(s.JOB_LOG_DIR),
    "database": lambda s: stores.DatabaseStore(),
    "storage": lambda s: stores.ObjectStore(),
}


@pytest.fixture(params=sorted(STORES))
def store(request: pytest.FixtureRequest, settings) -> Iterator[stores.LogStore]:  # type: ignore[no-untyped-def]  # pytest-django's fixture
    settings.JOB_LOGGERS = [request.param]
    stores.stores.cache_clear()
    yield STORES[request.param](settings)
    with suppress(FileNotFoundError):
        storage.backend().remove_tree("job_logs")


@pytest.fixture
def task(db: None) -> Task:
    dispatch.submit("TEST")
    return Task.objects.get()


def test_a_store_keeps_what_is_appended(store: stores.LogStore, task: Task) -> None:
    assert (store.size(task.pk), store.read(task.pk, 0, 100)) == (0, b"")
    whole = b""
    for piece in (b"first\n", b"second line\n", "dritte für alle\n".encode()):
        store.append(task.pk, len(whole), piece)
        whole += piece
    assert store.size(task.pk) == len(whole)
    assert store.read(task.pk, 0, 1000) == whole
    for offset in range(len(whole) + 2):
        for limit in (1, 5, 9, 100):
            assert store.read(task.pk, offset, limit) == whole[offset : offset + limit], (offset, limit)
    store.append(task.pk + 1, 0, b"other") if not isinstance(store, stores.DatabaseStore) else None
    store.delete([task.pk, 424242])
    assert (store.size(task.pk), store.read(task.pk, 0, 100)) == (0, b"")
    store.delete([task.pk, task.pk + 1])


def test_lines_are_readable_while_the_task_runs(store: stores.LogStore, worker: Worker) -> None:
    dispatch.submit("TEST", parameters={"steps": 2})
    context = worker.take()
    assert context is not None
    context.log.info("halfway there: %d %%", 50)
    context.task_log._flushed -= 60
    worker.tick()
    first = executions.task_log(context.task)
    assert first.data.endswith(b"[INFO] halfway there: 50 %\n") and not first.ended
    context.log.warning("and more")
    context.task_log._flushed -= 60
    worker.tick()
    second = executions.task_log(context.task, first.next)
    assert second.data.endswith(b"[WARNING] and more\n") and b"halfway" not in second.data
    nothing = executions.task_log(context.task, second.next)
    assert (nothing.data, nothing.ended) == (b"", False)
    from jobservice.jobs import JOB_TYPES
    from jobservice.worker import runner

    runner._run(context, JOB_TYPES["TEST"])
    done = Task.objects.get(pk=context.task.pk)
    last = executions.task_log(done, second.next)
    assert last.ended and last.data.endswith(b"the task ends as Success\n")
    assert executions.whole_log(done) == first.data + second.data + last.data


def test_a_log_is_bounded(store: stores.LogStore, task: Task, settings) -> None:  # type: ignore[no-untyped-def]  # pytest-django's fixture
    settings.JOB_LOG_MAX_BYTES = 64 * 1024
    log = TaskLog(task.pk)
    for number in range(5000):
        log.logger.info("line %d %s", number, "x" * 50)
    log.end("INFO", "the task ends as Success")
    text = logs.read(task.pk, 0, 10_000_000)
    assert len(text) <= settings.JOB_LOG_MAX_BYTES
    lines = text.decode().splitlines()
    assert "line 0 " in lines[0]
    assert "the log is full (65536 bytes), further lines are dropped" in lines[-2]
    assert lines[-1].endswith("the task ends as Success")
    again = TaskLog(task.pk)
    again.logger.info("of another run")
    again.end("INFO", "ended again")
    text = logs.read(task.pk, 0, 10_000_000)
    assert b"of another run" not in text and text.endswith(b"ended again\n")


def test_lines_that_could_not_be_written_leave_no_gap(
    store: stores.LogStore, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = TaskLog(task.pk)
    log.end("INFO", "before")
    kept = stores.stores()[0]
    with monkeypatch.context() as broken:

        def full(*args: object) -> None:
            raise OSError("no space left on device")

        broken.setattr(kept, "append", full, raising=True)
        log.end("INFO", "lost")
    log.end("INFO", "after")
    text = logs.read(task.pk, 0, 1000).decode()
    assert [line.split()[-1] for line in text.splitlines()] == ["before", "after"]
    assert logs.size(task.pk) == len(text)


def test_many_threads_write_while_another_flushes(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobservice.logs.tasklog.BUFFER_MAX", 500)
    log, over = TaskLog(task.pk), threading.Event()
    log._every = 0.0

    def write(name: str) -> None:
        for number in range(500):
            log.logger.info("%s %d end", name, number)

    def flush() -> None:
        while not over.is_set():
            log.tick()

    flusher = threading.Thread(target=flush)
    writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    flusher.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert not writer.is_alive()
    over.set()
    flusher.join(60)
    log.end("INFO", "fin")
    lines = logs.read(task.pk, 0, 10_000_000).decode().splitlines()
    assert len(lines) == 2001 and all(line.endswith(" end") for line in lines[:-1])
    for name in "abcd":
        assert [int(line.split()[-2]) for line in lines if f"] {name} " in line] == list(range(500))


def test_whatever_a_job_says_is_a_line(task: Task) -> None:
    log = TaskLog(task.pk)
    log.logger.info("nul \0 return \r surrogate \ud800 %s", "é")
    log.logger.info("x" * 100_000)
    try:
        raise ValueError("why")
    except ValueError:
        log.logger.exception("it went wrong")
    logging.raiseExceptions = False
    try:
        log.logger.info("%d items", "not a number")
    finally:
        logging.raiseExceptions = True
    log.end("INFO", "fin")
    text = logs.read(task.pk, 0, 1_000_000)
    assert b"\0" not in text and b"\r" not in text
    assert b"nul  return  surrogate ? \xc3\xa9\n" in text
    assert b"ValueError: why" in text and len(text) < 20_000
    assert log.logger.name not in logging.Logger.manager.loggerDict


def test_a_store_that_fails_does_not_fail_the_job(worker: Worker, settings, tmp_path) -> None:  # type: ignore[no-untyped-def]  # pytest-django's fixture
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    settings.JOB_LOG_DIR = blocked
    stores.stores.cache_clear()
    dispatch.submit("TEST")
    assert worker.work() == 1
    assert Task.objects.get().status == "Success"


def test_several_stores_and_the_first_that_reads(task: Task, settings, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]  # pytest-django's fixture
    settings.JOB_LOGGERS = ["stdout", "database", "file"]
    stores.stores.cache_clear()
    log = TaskLog(task.pk)
    log.end("INFO", "said three times")
    assert "said three times" in capsys.readouterr().out
    assert LogChunk.objects.count() == 1
    assert logs.read(task.pk, 0, 100) == stores.FileStore(settings.JOB_LOG_DIR).read(task.pk, 0, 100)
    logs.delete([task.pk])
    assert not LogChunk.objects.exists()
    settings.JOB_LOGGERS = ["stdout"]
    stores.stores.cache_clear()
    assert (logs.read(task.pk, 0, 100), logs.size(task.pk)) == (b"", 0)


# ---------------------------------------------------------------------- EXECUTION_SWEEP
def sweep(worker: Worker) -> dict[str, int]:
    execution = dispatch.submit("EXECUTION_SWEEP")
    assert worker.work() == 1
    task = execution.tasks.get()
    assert task.status == "Success", task.status_message
    return dict(task.extra_attrs)


def test_old_executions_go_with_their_logs(
    store: stores.LogStore, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_EXECUTION_RETENTION_COUNT", "2")
    kept: list[int] = []
    for vendor_id in (1, 2):
        made = [dispatch.submit("TEST", vendor_id=vendor_id, tasks=[TaskSpec(), TaskSpec()]) for _ in range(4)]
        kept += [execution.pk for execution in made[-2:]]
    assert worker.work() == 16
    waiting = dispatch.submit("TEST", vendor_id=2, tasks=[TaskSpec(delay=600)])
    Execution.objects.filter(pk=waiting.pk).update(start_time=timezone.now() - timedelta(days=400))
    old = Task.objects.exclude(execution_id__in=[*kept, waiting.pk]).values_list("pk", flat=True)
    gone = list(old)
    assert all(logs.size(pk) for pk in gone)
    result = sweep(worker)
    assert result == {"executions": 4, "logs": 0}
    left = Execution.objects.exclude(vendor_type="EXECUTION_SWEEP")
    assert set(left.values_list("pk", flat=True)) == {*kept, waiting.pk}, "what has not ended stays"
    assert not any(logs.size(pk) for pk in gone)
    assert sweep(worker) == {"executions": 0, "logs": 0}


def test_old_logs_go(worker: Worker, settings) -> None:  # type: ignore[no-untyped-def]  # pytest-django's fixture
    dispatch.submit("TEST")
    dispatch.submit("TEST")
    worker.work()
    old, young = Task.objects.order_by("pk")
    Task.objects.filter(pk=old.pk).update(end_time=timezone.now() - timedelta(days=settings.JOB_LOG_DAYS, hours=1))
    assert sweep(worker) == {"executions": 0, "logs": 1}
    assert logs.size(old.pk) == 0 and logs.size(young.pk) > 0
    with pytest.raises(HarborError, match="not kept any more"):
        executions.task_log(Task.objects.get(pk=old.pk))


def test_a_deletion_takes_all_batches(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    monkeypatch.setenv("TEST_EXECUTION_RETENTION_COUNT", "1")
    for _ in range(8):
        dispatch.submit("TEST", tasks=[])
    assert sweep(worker)["executions"] == 7

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tests.jobservice.jobtypes  # noqa: F401 - registers the tests' job types
from jobservice.logs import stores
from jobservice.models import Task
from jobservice.worker import runner
from jobservice.worker.context import Context
from jobservice.worker.keeper import Keeper
from tests.cast import admin, fresh_memory, world

__all__ = ["admin", "fresh_memory", "world"]


@pytest.fixture(autouse=True)
def log_folder(settings, tmp_path: Path) -> Iterator[Path]:  # type: ignore[no-untyped-def]  # pytest-django's fixture
    """Logs of this test's tasks: ids come again in the next test."""
    settings.JOB_LOG_DIR = tmp_path / "job_logs"
    stores.stores.cache_clear()
    yield settings.JOB_LOG_DIR
    stores.stores.cache_clear()


class Worker(Keeper):
    """A worker in the test's own thread: nothing happens unless it is told to."""

    def work(self) -> int:
        """Run what there is, one after the other. Returns how many tasks ran."""
        ran = 0
        while runner.work(self):
            ran += 1
        return ran

    def tick(self) -> None:
        self._tick()


@pytest.fixture
def worker(db: None) -> Worker:
    return Worker(4)


@pytest.fixture
def other_worker(db: None) -> Worker:
    return Worker(4)


@pytest.fixture
def begun(worker: Worker) -> Callable[[], Context]:
    """Take the next task without running it."""

    def take() -> Context:
        context = worker.take()
        assert context is not None
        return context

    return take


def fresh(task: Task) -> Task:
    return Task.objects.select_related("execution").get(pk=task.pk)

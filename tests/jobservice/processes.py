"""A job service of real processes for fault tests: database, Redis, workers and clocks, each of which can be killed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from tests.support.services import (
    Postgres,
    Redis,
    clean_environment,
    connects,
    die_with_us,
    find,
    temp_folder,
    wait_until,
)
from tests.support.stack import ROOT

LEASE = 3
READY_SECONDS = 60.0


class Broker(Redis):
    """A Redis that comes back under the same address."""

    def restart(self) -> None:
        """It has forgotten everything."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self.start()

    def down(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        argv = [find("redis-server"), "--port", "0", "--unixsocket", str(self.socket), "--save", ""]
        self.spawn(argv, lambda: connects(self.socket))

    def flush(self) -> None:
        done = subprocess.run(
            ["redis-cli", "-s", str(self.socket), "FLUSHALL"], check=True, capture_output=True, text=True
        )
        assert "OK" in done.stdout


class Database(Postgres):
    """A cluster that comes back with its data, as after a restart of the server."""

    def restart(self, seconds_away: float = 0.0) -> None:
        assert self._process is not None
        argv = [str(part) for part in self._process.args]  # type: ignore[union-attr]  # spawn passes a list
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)
        if seconds_away:
            with contextlib.suppress(TimeoutError):
                wait_until(lambda: False, seconds_away, "time to pass")
        self.spawn(argv, self._answers, user="postgres" if os.geteuid() == 0 else "", umask=0o077)


class Process:
    def __init__(self, engine: "Engine", name: str, argv: list[str], **options: Any) -> None:
        self.log_path = engine.folder / f"{name}.log"
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                argv,
                cwd=ROOT,
                env=engine.environment,
                stderr=log,
                stdout=options.pop("stdout", log),
                start_new_session=True,
                preexec_fn=die_with_us(signal.SIGKILL),
                **({"stdin": subprocess.DEVNULL} | options),
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self, seconds: float = 20) -> int:
        """SIGTERM. Returns the exit status."""
        self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


class Engine:
    """``run`` evaluates an expression in a process that stands for core (tests.jobservice.driver.NAMES)."""

    def __init__(self, database: Literal["postgres", "sqlite"], **environment: str) -> None:
        self.folder: Path = temp_folder("harbor-jobs")
        self.broker = Broker()
        self.database = Database() if database == "postgres" else None
        self._processes: list[Process] = []
        url = self.database.url("jobs") if self.database else f"sqlite:///{self.folder}/jobs.db"
        self.environment = {
            **clean_environment(),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "harbor_core.settings",
            "HARBOR_DATA_DIR": str(self.folder),
            "HARBOR_SECRET_KEY": "a-secret-key-of-the-fault-tests-only",
            "HARBOR_DATABASE_URL": url,
            "HARBOR_REDIS_URL": self.broker.url,
            "HARBOR_JOB_LEASE_SECONDS": str(LEASE),
            "HARBOR_JOB_SWEEP_SECONDS": "1",
        } | environment
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, cwd=ROOT, env=self.environment, check=True)
        driver = [sys.executable, "-m", "tests.jobservice.driver"]
        self._driver = Process(self, "driver", driver, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, expression: str) -> Any:
        """Raises RuntimeError with the other side's traceback."""
        pipe = self._driver.process
        assert pipe.stdin is not None and pipe.stdout is not None
        pipe.stdin.write(json.dumps(expression).encode() + b"\n")
        pipe.stdin.flush()
        answer = json.loads(pipe.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["value"]

    def wait(self, expression: str, seconds: float, what: str = "") -> None:
        """Until the expression is true, whatever happens to the database meanwhile."""

        def true() -> bool:
            with contextlib.suppress(RuntimeError):
                return bool(self.run(expression))
            return False

        try:
            wait_until(true, seconds, what or expression)
        except TimeoutError as exc:
            logs = "\n".join(f"--- {process.log_path.name}\n{process.log[-3000:]}" for process in self._processes)
            raise TimeoutError(f"{exc}\n{self.tasks()}\n{logs}") from exc

    def tasks(self) -> list[dict[str, Any]]:
        """Those of the test: clocks start others, at every full hour for one."""
        found = self.run(
            "list(Task.objects.filter(job_type__startswith='TEST').order_by('pk')"
            ".values('pk', 'job_type', 'status', 'status_message', 'run_count', 'failures', 'lost', 'worker'))"
        )
        return list(found)

    def submit(self, job_type: str = "TEST", **parameters: Any) -> int:
        """Returns the task's id."""
        return int(self.run(f"dispatch.submit({job_type!r}, parameters={parameters!r}).tasks.get().pk"))

    def worker(self, concurrency: int = 4, ready: bool = True) -> Process:
        argv = [sys.executable, "-W", "ignore", "-m", "celery", "-A", "tests.jobservice.app", "worker"]
        argv += ["--pool", "threads", "--concurrency", str(concurrency), "--without-gossip", "--without-mingle"]
        argv += ["--hostname", f"worker-{len(self._processes)}@test", "--loglevel", "info"]
        process = self._start(f"worker-{len(self._processes)}", argv)
        if ready:
            self.wait(f"WorkerPool.objects.filter(pid={process.pid}).exists()", READY_SECONDS)
        return process

    def by_pid(self, pid: int) -> Process:
        """The process of ours that has this id."""
        return next(process for process in self._processes if process.pid == pid)

    def clock(self) -> Process:
        number = len(self._processes)
        argv = [sys.executable, "-m", "celery", "-A", "tests.jobservice.app", "beat", "--pidfile", ""]
        argv += ["--schedule", str(self.folder / f"beat-{number}"), "--loglevel", "info"]
        process = self._start(f"clock-{number}", argv)
        wait_until(lambda: "the clock runs" in process.log, READY_SECONDS, "the clock to run")
        return process

    def _start(self, name: str, argv: list[str]) -> Process:
        process = Process(self, name, argv)
        self._processes.append(process)
        return process

    def notes(self, path: Path) -> list[tuple[str, int, int]]:
        """What a job wrote: (what, run, process id)."""
        if not path.exists():
            return []
        rows = (line.split() for line in path.read_text(encoding="ascii").splitlines())
        return [(what, int(run), int(pid)) for what, run, pid in rows]

    def settle(self) -> None:
        """End workers and clocks, forget everything: the next test begins anew."""
        for process in self._processes:
            if process.process.poll() is None:
                process.kill()
        self._processes.clear()
        self.broker.flush()
        self.run("[model.objects.all().delete() for model in (Execution, Schedule, JobQueue, WorkerPool)] and None")

    def close(self) -> None:
        for process in (*self._processes, self._driver):
            if process.process.poll() is None:
                process.kill()
        for service in (self.broker, self.database):
            if service is not None:
                service.stop()
        subprocess.run(["rm", "-rf", str(self.folder)], check=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

"""A private complete registry for a test: the standalone supervisor as a child process, with its own database, storage
and port.

    stack = Stack()
    stack.start(database="postgres", tls=False, storage="filesystem", HARBOR_LOG_LEVEL="debug")
    stack.api().get("/api/v2.0/projects")
    stack.kill("core")
    stack.stop()

``python -m tests.support.stack`` runs one until Ctrl-C, for trying things by hand.
"""

import atexit
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import httpx

from tests.support.services import S3, Postgres, clean_environment, die_with_us, free_port, temp_folder, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
READY_SECONDS = 120.0
ROLES = ("redis", "registry", "core", "waiting", "worker", "beat", "gateway")


class Stack:
    """Attributes after ``start``: ``url``, ``host``, ``port``, ``data_dir``, ``admin`` (name, password),
    ``storage_root``, ``ca_file`` (with TLS), ``s3`` (with S3 storage), ``log``. ``code`` is the folder of the release
    that is run."""

    def __init__(self, code: Path = ROOT) -> None:
        self.code = code
        self.host = "localhost"
        self.port = free_port()
        self.folder = temp_folder("harbor-stack")
        self.data_dir = self.folder / "data"
        self.admin = ("admin", "Harbor12345")
        self.environment: dict[str, str] = {}
        self.s3: S3 | None = None
        self._postgres: Postgres | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._tls = False

    # ------------------------------------------------------------------ life
    def start(
        self,
        database: Literal["postgres", "sqlite"] = "postgres",
        tls: bool = False,
        storage: Literal["filesystem", "s3"] = "filesystem",
        bare: bool = False,
        **env: str,
    ) -> Self:
        """Start everything and wait until it is ready. ``bare``: it makes the tables itself, on SQLite as well. Raises
        RuntimeError with the log when it is not."""
        self._tls = tls
        self.environment = {
            **clean_environment(),
            "HARBOR_DATA_DIR": str(self.data_dir),
            "HARBOR_PORT": str(self.port),
            "HARBOR_LISTEN": "127.0.0.1,[::1]" if _has_ipv6() else "127.0.0.1",
            "HARBOR_ADMIN_PASSWORD": self.admin[1],
            "HARBOR_TLS": "self-signed" if tls else "off",
        }
        if database == "postgres":
            self._postgres = Postgres()
            self.environment["HARBOR_DATABASE_URL"] = self._postgres.url("harbor")
        if storage == "s3":
            self.s3 = S3()
            self.environment |= self.s3.environment
        self.environment |= env
        if database == "sqlite" and not bare and "HARBOR_DATABASE_URL" not in env:
            self.data_dir.mkdir(parents=True, mode=0o700)
            shutil.copy2(_migrated(), self.data_dir / "harbor.db")
        self.launch()
        return self

    def launch(self) -> None:
        """Start the supervisor (again) with the environment of ``start`` and wait until it is ready."""
        position = len(self.log)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "harbor_core.standalone"],
                cwd=self.code,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_us(signal.SIGTERM),
            )
        atexit.register(self.stop)

        def settled() -> bool:
            return self._exited() or "ready after " in self.log[position:]

        try:
            wait_until(settled, READY_SECONDS, "the stack to be ready")
        except TimeoutError as exc:
            self.terminate(signal.SIGKILL)
            raise RuntimeError(f"the stack is not ready:\n{self.log[-8000:]}") from exc
        if self._exited():
            raise RuntimeError(f"the stack did not start:\n{self.log[-8000:]}")

    def terminate(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the supervisor; data, database and storage stay. Returns its exit status."""
        process = self._process
        assert process is not None
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(90)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def restart(self) -> None:
        self.terminate()
        self.launch()

    def stop(self) -> None:
        """End everything and remove every trace."""
        if self._process is not None:
            self.terminate()
            self._process = None
        for service in (self._postgres, self.s3):
            if service is not None:
                service.stop()
        self._postgres = self.s3 = None
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _exited(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    # ------------------------------------------------------------------ processes
    @property
    def supervisor_pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def run_dir(self) -> Path:
        return self.data_dir / "run"

    def pid(self, role: str) -> int:
        """The main process of a role (see ROLES). Raises FileNotFoundError while it is down."""
        return int((self.run_dir / f"{role}.pid").read_text(encoding="ascii"))

    def kill(self, role: str, *, wait: bool = True) -> int:
        """``kill -9`` a role; with ``wait``, return once the supervisor has another one running. The new pid."""
        before = self.pid(role)
        os.kill(before, signal.SIGKILL)
        if wait:
            wait_until(lambda: self._pid_or_zero(role) not in (0, before), 60, f"{role} to be started again")
            wait_until(self.is_ready, 60, f"the stack to answer after {role} was killed")
        return self._pid_or_zero(role)

    def _pid_or_zero(self, role: str) -> int:
        try:
            return self.pid(role)
        except (FileNotFoundError, ValueError):
            return 0

    def is_ready(self) -> bool:
        try:
            with self.client(timeout=10) as client:
                return (
                    client.get("/v2/").status_code == 401
                    and client.get("/api/v2.0/health").json()["status"] == "healthy"
                )
        except (httpx.HTTPError, ValueError, KeyError):
            return False

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    # ------------------------------------------------------------------ access
    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    @property
    def registry(self) -> str:
        """``host:port`` as it stands in image names."""
        return f"{self.host}:{self.port}"

    @property
    def ca_file(self) -> Path:
        return self.data_dir / "tls" / "ca.crt"

    @property
    def storage_root(self) -> Path:
        return self.data_dir / "registry"

    def client(self, *, auth: tuple[str, str] | None = None, timeout: float = 60) -> httpx.Client:
        """An HTTP client for this stack, without credentials unless given; proxies of the environment are ignored."""
        verify = ssl.create_default_context(cafile=self.ca_file) if self._tls else True
        return httpx.Client(base_url=self.url, auth=auth, timeout=timeout, verify=verify, trust_env=False)

    def api(self) -> httpx.Client:
        """A client with the administrator's credentials."""
        return self.client(auth=self.admin)

    def token(self, *scopes: str, auth: tuple[str, str] | None = None) -> str:
        """A token for ``repository:<name>:<actions>`` scopes; the administrator's unless ``auth`` says otherwise."""
        with self.client(auth=auth or self.admin) as client:
            answer = client.get(
                "/service/token", params=[("service", "harbor-registry"), *(("scope", s) for s in scopes)]
            )
            answer.raise_for_status()
            return str(answer.json()["token"])

    def command(self, *argv: str) -> tuple[list[str], dict[str, str]]:
        """A management command of the stack, and the environment it needs."""
        from harbor_core.standalone import config, programs

        saved = dict(os.environ)
        try:
            os.environ.clear()
            os.environ.update(self.environment)
            environment = programs.python_environment(config.load())
        finally:
            os.environ.clear()
            os.environ.update(saved)
        return [sys.executable, "manage.py", *argv], environment

    def manage(self, *argv: str) -> str:
        """Run a management command and return its output. Raises CalledProcessError."""
        command, environment = self.command(*argv)
        done = subprocess.run(command, cwd=self.code, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            failed = subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
            failed.add_note(done.stdout[-2000:] + done.stderr[-4000:])
            raise failed
        return done.stdout


@cache
def _migrated() -> Path:
    """A database with all tables and no rows, made once in this process; stacks on PostgreSQL make their own."""
    folder = temp_folder("harbor-migrated")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    environment = clean_environment() | {"HARBOR_DATA_DIR": str(folder), "HARBOR_SECRET_KEY": secrets.token_hex(32)}
    argv = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(argv, cwd=ROOT, env=environment, check=True, umask=0o077)
    return folder / "harbor.db"


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


if __name__ == "__main__":
    with Stack() as running:
        running.start(
            database="sqlite" if "sqlite" in sys.argv else "postgres",
            tls="tls" in sys.argv,
            storage="s3" if "s3" in sys.argv else "filesystem",
        )
        sys.stdout.write(f"{running.url} admin {running.admin[1]} log {running.folder / 'log'}\n")
        try:
            signal.pause()
        except KeyboardInterrupt:
            sys.stdout.write("stopping\n")

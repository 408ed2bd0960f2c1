"""What is measured: the whole registry on PostgreSQL, a bare docker-registry, and an empty Django view."""

import json
import os
import signal
from pathlib import Path
from typing import Literal

from harbor_core import gateway
from tests.bench import processes
from tests.support.services import Postgres, Service, connects, find, free_port, wait_until
from tests.support.stack import Stack

Storage = Literal["filesystem", "s3"]
STORED_AS_DEBIAN = """
version: "0.1"
log: {level: warn, accesslog: {disabled: true}}
storage:
  cache: {blobdescriptor: inmemory}
  filesystem: {rootdirectory: ROOT}
  delete: {enabled: true}
http: {addr: "127.0.0.1:PORT", headers: {X-Content-Type-Options: [nosniff]}}
health: {storagedriver: {enabled: true, interval: 10s, threshold: 3}}
"""


class Ours:
    """The standalone registry with a PostgreSQL that commits durably, as in production."""

    def __init__(self, storage: Storage = "filesystem") -> None:
        self.postgres = Postgres(durable=True)
        self.stack = Stack()
        # "sqlite" only keeps the stack from starting a second PostgreSQL: the address is given.
        self.stack.start(database="sqlite", storage=storage, HARBOR_DATABASE_URL=self.postgres.url("harbor"))
        self.url = f"http://127.0.0.1:{self.stack.port}"

    def cpu_ms(self) -> float:
        return processes.cpu_ms(self.stack.supervisor_pid, self.postgres.pid)

    def memory_mb(self) -> float:
        """Core with what waits for others, worker with its scheduler, and gateway."""
        roles = ("core", "waiting", "worker", "beat", "gateway")
        return processes.memory_mb(*(self.stack.pid(role) for role in roles))

    def run(self, call: str) -> str:
        """``module:function(...)`` of this package inside a Django process on the stack's database; what it prints."""
        module, _, expression = call.partition(":")
        return self.stack.manage(
            "shell", "--no-imports", "-c", f"from tests.bench import {module}; {module}.{expression}"
        )

    def hold_jobs(self) -> None:
        """The clock and the worker stand still: rows that only stand for jobs are not run while lists are read."""
        self._signal_jobs(signal.SIGSTOP)

    def release_jobs(self) -> None:
        self._signal_jobs(signal.SIGCONT)

    def _signal_jobs(self, number: signal.Signals) -> None:
        for role in ("beat", "worker"):
            os.kill(self.stack.pid(role), number)

    def stop(self) -> None:
        self.release_jobs()  # otherwise they would not hear that they are to end
        self.stack.stop()
        self.postgres.stop()


class Bare(Service):
    """docker-registry with Debian's storage settings, without authentication and without access log."""

    def __init__(self) -> None:
        super().__init__("bare")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.storage = self.folder / "storage"
        self.storage.mkdir()
        text = STORED_AS_DEBIAN.replace("ROOT", json.dumps(str(self.storage))).replace("PORT", str(self.port))
        (self.folder / "registry.yml").write_text(text, encoding="utf-8")
        argv = [find("docker-registry"), "serve", str(self.folder / "registry.yml")]
        self.spawn(argv, lambda: connects(("127.0.0.1", self.port)))

    def cpu_ms(self) -> float:
        return processes.cpu_ms(self.pid)


class _Gunicorn(Service):
    """The empty view under the very command line of the stack's core."""

    def __init__(self, stack: Stack) -> None:
        super().__init__("empty")
        self.socket = self.folder / "core.sock"
        argv = Path(f"/proc/{stack.pid('core')}/cmdline").read_text(encoding="utf-8").rstrip("\0").split("\0")
        replaced = {
            "harbor_core.wsgi:application": "tests.bench.empty:application",
            f"unix:{stack.run_dir}/core.sock": f"unix:{self.socket}",
        }
        missing = replaced.keys() - set(argv)
        if missing:
            raise RuntimeError(f"core is not started with {missing}")
        root = Path(__file__).resolve().parents[2]
        argv = [*(replaced.get(word, word) for word in argv), "--chdir", str(root)]
        self.spawn(argv, lambda: connects(self.socket))
        self.socket.chmod(0o666)


class EmptyView(Service):
    """The same gateway as the stack's in front of gunicorn with an empty Django view."""

    def __init__(self, stack: Stack) -> None:
        super().__init__("emptygate")
        self._core = _Gunicorn(stack)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (self.folder / "gateway").mkdir()
        configuration = gateway.render(
            gateway.Gateway(
                core=f"unix:{self._core.socket}",
                registry=f"unix:{stack.run_dir}/registry.sock",
                run_dir=self.folder,
                static_root=self.folder,
                external_url=self.url,
                listen=("127.0.0.1",),
                port=self.port,
            )
        )
        (self.folder / "nginx.conf").write_text(configuration, encoding="utf-8")
        argv = [find("nginx"), "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder), "-e", "stderr"]
        self.spawn(argv, lambda: connects(("127.0.0.1", self.port)))
        self._core.folder.chmod(0o755)
        wait_until(lambda: connects(self._core.socket), 10, "the empty view")

    def cpu_ms(self) -> float:
        return processes.cpu_ms(self.pid, self._core.pid)

    def stop(self, *args, **kwargs) -> None:
        super().stop(*args, **kwargs)
        if hasattr(self, "_core"):
            self._core.stop()

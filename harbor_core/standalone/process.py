"""One supervised child process: started with a clean environment, logged with a prefix, restarted, stopped."""

import asyncio
import ctypes
import json
import os
import re
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from harbor_core.env import env_str
from harbor_core.lib.logs import moment

PR_SET_PDEATHSIG = 1
BACKOFF_FIRST_SECONDS = 0.5
BACKOFF_MAX_SECONDS = 30.0
STABLE_SECONDS = 60.0
_QUERY = re.compile(r"\?[^\s\"]*")
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. ``ready`` says whether it serves; ``death_signal`` is what the kernel sends it when the supervisor
    dies (programs with children of their own need one they can act on). ``raw_stdout`` leaves standard output to the
    program itself: the gateway writes a line per request, too many to relay. ``socket`` is a unix socket the program
    makes: a stale one is removed before it starts, and the group (the gateway's workers) may connect to the new one."""

    name: str
    argv: list[str]
    env: dict[str, str]
    cwd: Path
    ready: Callable[[], Awaitable[bool]]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15.0
    death_signal: signal.Signals = signal.SIGKILL
    raw_stdout: bool = False
    hide_queries: bool = False
    socket: Path | None = None


@dataclass
class Child:
    """A program and its current process. ``run`` keeps it running until ``stop``."""

    program: Program
    run_dir: Path
    stopping: bool = False
    failures: int = 0
    _process: asyncio.subprocess.Process | None = None
    _exited: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def _pid_file(self) -> Path:
        return self.run_dir / f"{self.program.name}.pid"

    async def run(self) -> None:
        delay = BACKOFF_FIRST_SECONDS
        try:
            while not self.stopping:
                started = time.monotonic()
                code = await self._once()
                if self.stopping:
                    break
                self.failures += 1
                if time.monotonic() - started > STABLE_SECONDS:
                    delay = BACKOFF_FIRST_SECONDS
                say(f"{self.program.name} ended ({_reason(code)}), starting it again in {delay:g} s")
                await asyncio.sleep(delay)
                delay = min(delay * 2, BACKOFF_MAX_SECONDS)
        finally:
            self._exited.set()

    async def _share_socket(self, path: Path) -> None:
        while not path.is_socket():
            await asyncio.sleep(0.02)
        with suppress(PermissionError):  # not root: everything runs as one account
            os.chown(path, -1, path.parent.stat().st_gid)
        path.chmod(0o660)

    async def _once(self) -> int:
        parent = os.getpid()
        sharing = None
        if self.program.socket is not None:
            self.program.socket.unlink(missing_ok=True)
            sharing = asyncio.create_task(self._share_socket(self.program.socket))
        self._process = process = await asyncio.create_subprocess_exec(
            *self.program.argv,
            env=self.program.env,
            cwd=self.program.cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=None if self.program.raw_stdout else asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            preexec_fn=lambda: _die_with(parent, self.program.death_signal),
        )
        self._pid_file.write_text(str(process.pid), encoding="ascii")
        relays = [asyncio.create_task(self._relay(stream)) for stream in (process.stdout, process.stderr) if stream]
        await _ended(process.pid)
        if sharing is not None:
            sharing.cancel()
        # Workers of a program that was killed would keep its port, its files and our end of the log.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        code = await process.wait()
        await asyncio.gather(*relays)
        self._pid_file.unlink(missing_ok=True)
        return code

    async def _relay(self, stream: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # longer than the reader's limit; the rest follows as the next line
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip()
            if self.program.hide_queries:
                text = _QUERY.sub("?-", text)
            say(text, self.program.name)

    async def stop(self) -> None:
        """Ask it to end, wait, then end it and what it started."""
        self.stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(self.program.stop_signal)
            try:
                await asyncio.wait_for(self._exited.wait(), self.program.stop_seconds)
            except TimeoutError:
                say(f"{self.program.name} does not stop, killing it")
                self.kill()
        await self._exited.wait()

    def kill(self) -> None:
        self.stopping = True
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)


def say(text: str, who: str = "harbor") -> None:
    """One line of the common log; with HARBOR_LOG_FORMAT=json an object, also of what a program says in plain words."""
    line = _as_object(text, who) if env_str("HARBOR_LOG_FORMAT") == "json" else f"{who:<8} | {text}"
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _as_object(text: str, who: str) -> str:
    if text.startswith('{"') and text.endswith("}"):
        return text
    entry = {"time": moment(time.time()), "level": "info", "logger": who, "message": text}
    return json.dumps(entry, ensure_ascii=False)


async def _ended(pid: int) -> None:
    """Wait for this one process; asyncio's own wait also waits for whoever inherited its standard output."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _die_with(parent: int, death_signal: signal.Signals) -> None:
    """In the child, before exec: die with the supervisor, whatever ends it; files are readable by the group only."""
    _libc.prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        os._exit(1)
    os.umask(0o027)


def _reason(code: int) -> str:
    return f"exit status {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"

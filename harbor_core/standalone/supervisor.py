"""Start every program in order, keep them running, stop them in the opposite order."""

import asyncio
import fcntl
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from urllib.parse import urlsplit

from harbor_core.env import ConfigError
from harbor_core.standalone import layout, programs
from harbor_core.standalone.config import BASE_DIR, DEFAULT_PASSWORD, Config, check_ports_free, load
from harbor_core.standalone.process import Child, Program, say

READY_SECONDS = 90.0
FAILURES_AT_START = 3
CERTIFICATE_CHECK_SECONDS = 6 * 3600
WRONG_SETTING = 2


def main() -> int:
    """Run until told to stop. Returns the exit status: 0, 2 for a wrong setting, 1 when the start failed."""
    _append_only_stdout()
    os.umask(0o027)  # the database and everything else made at start is nobody else's to read
    try:
        config = load()
        guard = layout.lock(config)
        check_ports_free(config)
        layout.prepare(config)
        layout.write_configurations(config)
        supervisor = Supervisor(config)
    except ConfigError as exc:
        sys.stderr.write(f"harbor: {exc}\n")
        return WRONG_SETTING
    with guard:
        return asyncio.run(supervisor.run())


def manage(words: list[str]) -> int:
    """Run ``manage.py`` with these words in the environment of the programs. Returns its exit status; 2 for a wrong
    setting, and before the first start, when there are no secrets yet."""
    os.umask(0o027)
    try:
        config = load()
        environment = programs.python_environment(config)
    except ConfigError as exc:
        sys.stderr.write(f"harbor: {exc}\n")
        return WRONG_SETTING
    missing = [path for name, path in environment.items() if name.endswith("_FILE") and not os.access(path, os.R_OK)]
    if missing:
        sys.stderr.write(f"harbor: {missing[0]} cannot be read; start the registry once, it makes it\n")
        return WRONG_SETTING
    argv = [sys.executable, str(BASE_DIR / "manage.py"), *words]
    return subprocess.run(argv, env=environment, check=False).returncode


class Supervisor:
    """One run. The order of start is redis, preparation, registry, core, waiting, worker,
    beat, gateway."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._backing = programs.backing(config)
        self._serving = programs.serving(config)
        self._children: list[Child] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._stop = asyncio.Event()

    async def run(self) -> int:
        started = time.monotonic()
        self._watch_signals()
        starting = asyncio.create_task(self._start())
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait((starting, stopped), return_when=asyncio.FIRST_COMPLETED)
        code = 0
        if starting.done():
            code = starting.result()
        else:
            starting.cancel()
            with suppress(asyncio.CancelledError):
                await starting
        if code == 0 and not self._stop.is_set():
            self._announce(time.monotonic() - started)
            watcher = asyncio.create_task(self._renew_certificates())
            await stopped
            watcher.cancel()
        stopped.cancel()
        await self._shut_down()
        return code

    async def _start(self) -> int:
        for program in self._backing:
            if not await self._launch(program):
                return 1
        code = await self._prepare()
        if code:
            return code
        for program in self._serving:
            if not await self._launch(program):
                return 1
        return 0 if await self._everything_answers() else 1

    async def _launch(self, program: Program) -> bool:
        child = Child(program, self._config.run_dir)
        self._children.append(child)
        self._tasks.append(asyncio.create_task(child.run()))
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and child.failures < FAILURES_AT_START:
            if await program.ready():
                return True
            await asyncio.sleep(0.05)
        say(f"{program.name} did not come up; its own lines above say why")
        return False

    async def _prepare(self) -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "harbor_core.standalone.prepare",
            env=programs.python_environment(self._config),
            cwd=BASE_DIR,
            stdin=asyncio.subprocess.DEVNULL,
        )
        try:
            return await process.wait()
        except asyncio.CancelledError:
            process.terminate()
            await process.wait()
            raise

    async def _everything_answers(self) -> bool:
        """Ask through the gateway, as a client would, until every component says it is healthy."""
        deadline = time.monotonic() + READY_SECONDS
        answer = "nothing"
        while time.monotonic() < deadline and all(child.failures < FAILURES_AT_START for child in self._children):
            healthy, answer = await asyncio.to_thread(_health, self._config)
            if healthy:
                return True
            await asyncio.sleep(0.2)
        say(f"the registry did not become healthy; last answer: {answer}")
        return False

    async def _shut_down(self) -> None:
        if self._children:
            say("stopping")
        for child in reversed(self._children):
            await child.stop()
        await asyncio.gather(*self._tasks)
        say("stopped")

    async def _renew_certificates(self) -> None:
        while True:
            await asyncio.sleep(CERTIFICATE_CHECK_SECONDS)
            if layout.renew_certificate(self._config):
                say("the server certificate was renewed")
                self._children[-1].signal(signal.SIGHUP)

    def _watch_signals(self) -> None:
        def stop() -> None:
            if self._stop.is_set():  # asked twice: now
                for child in self._children:
                    child.kill()
            self._stop.set()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop)

    def _announce(self, seconds: float) -> None:
        config = self._config
        host = urlsplit(config.external_url).netloc
        lines = [f"ready after {seconds:.1f} s at {config.external_url}", f"  docker login {host} -u admin"]
        if config.ca_file is not None:
            lines.append(f"  clients must trust {config.ca_file} (README.md, TLS)")
        for line in lines:
            say(line)
        if config.password_is_default:
            say("!" * 78)
            say(f"!!  admin's first password is the well-known {DEFAULT_PASSWORD}.")
            say("!!  Change it after signing in, or set HARBOR_ADMIN_PASSWORD before the first start.")
            say("!" * 78)


def _health(config: Config) -> tuple[bool, str]:
    bare = config.listen[0].strip("[]")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bare, bare)
    connection: http.client.HTTPConnection
    if config.tls == "off":
        connection = http.client.HTTPConnection(host, config.port, timeout=10)
    else:
        # Our own listener on this machine: whose name the certificate bears is the clients' business.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, config.port, timeout=10, context=context)
    try:
        connection.request("GET", "/api/v2.0/health", headers={"Host": urlsplit(config.external_url).netloc})
        response = connection.getresponse()
        body = response.read().decode("utf-8", "replace")
        healthy = response.status == 200 and json.loads(body).get("status") == "healthy"
    except (OSError, http.client.HTTPException, ValueError) as exc:
        return False, str(exc) or type(exc).__name__
    finally:
        connection.close()
    return healthy, f"{response.status} {body[:300]}"


def _append_only_stdout() -> None:
    """With standard output in a file the gateway appends to it by itself; our own lines must not overwrite its."""
    with suppress(OSError):
        fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_APPEND)

"""The supervisor with its real programs: start, crash, kill, stop, and what it refuses."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.services import clean_environment, free_port, temp_folder, wait_until
from tests.support.stack import ROLES, ROOT, Stack

SECOND_START_SECONDS = 10.0


@pytest.fixture(scope="module")
def breakable() -> Iterator[Stack]:
    with Stack() as running:
        yield running.start(database="sqlite", bare=True)


@pytest.fixture
def own(breakable: Stack) -> Iterator[Stack]:
    """A stack this test may break and must leave running."""
    yield breakable
    assert breakable.is_ready()


def attempt(**settings: str) -> subprocess.CompletedProcess[str]:
    """Start the supervisor with these settings; it is expected to refuse."""
    environment = clean_environment() | {"HARBOR_LISTEN": "127.0.0.1", "HARBOR_PORT": str(free_port())} | settings
    command = [sys.executable, "-m", "harbor_core.standalone"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    import shutil

    folder = temp_folder("harbor-data")
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("HARBOR_PORT", "eighty", "HARBOR_PORT"),
        ("HARBOR_PORT", "70000", "HARBOR_PORT"),
        ("HARBOR_LISTEN", "somewhere", "HARBOR_LISTEN"),
        ("HARBOR_EXTERNAL_URL", "registry.example.com", "registry.example.com"),
        ("HARBOR_EXTERNAL_URL", "http://registry.example.com", "HARBOR_ADMIN_PASSWORD"),
        ("HARBOR_PUBLIC_URLS", "http://ok.test,ftp://no", "ftp://no"),
        ("HARBOR_TLS", "yes", "HARBOR_TLS"),
        ("HARBOR_TLS", "/nowhere/cert.pem,/nowhere/key.pem", "HARBOR_TLS"),
        ("HARBOR_TLS", "/etc/hostname,/etc/hostname", "HARBOR_TLS"),
        ("HARBOR_DATABASE_URL", "mysql://x/y", "HARBOR_DATABASE_URL"),
        ("HARBOR_DATABASE_URL", "postgres://u:p@127.0.0.1:1/none", "HARBOR_DATABASE_URL"),
        ("HARBOR_REDIS_URL", "memcached://x", "HARBOR_REDIS_URL"),
        ("HARBOR_STORAGE_DRIVER", "floppy", "HARBOR_STORAGE_DRIVER"),
        ("HARBOR_STORAGE_DRIVER", "gcs", "HARBOR_STORAGE_DRIVER"),
        ("HARBOR_STORAGE_DRIVER", "s3", "HARBOR_STORAGE_S3_BUCKET"),
        ("HARBOR_STORAGE_FILESYSTEM_COLOUR", "red", "HARBOR_STORAGE_FILESYSTEM_COLOUR"),
        ("HARBOR_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/proc/nowhere", "HARBOR_STORAGE_FILESYSTEM_ROOTDIRECTORY"),
        ("HARBOR_STORAGE_REDIRECT", "maybe", "HARBOR_STORAGE_REDIRECT"),
        ("HARBOR_TRUSTED_PROXIES", "proxy.local", "HARBOR_TRUSTED_PROXIES"),
        ("HARBOR_LOG_LEVEL", "loud", "HARBOR_LOG_LEVEL"),
        ("HARBOR_ADMIN_PASSWORD_FILE", "/nowhere/password", "HARBOR_ADMIN_PASSWORD_FILE"),
        ("HARBOR_RUN_DIR", "/tmp/" + "r" * 120, "HARBOR_RUN_DIR"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_it(data_dir: Path, name: str, value: str, named: str) -> None:
    done = attempt(HARBOR_DATA_DIR=str(data_dir), **{name: value})
    assert done.returncode == 2, done.stdout + done.stderr
    complaints = [line for line in done.stderr.splitlines() if line.startswith("harbor: ")]
    assert len(complaints) == 1, done.stderr
    assert named in complaints[0]
    assert "Traceback" not in done.stderr


def test_a_data_folder_that_cannot_be_written_is_refused() -> None:
    done = attempt(HARBOR_DATA_DIR="/proc/harbor")
    assert done.returncode == 2
    assert "HARBOR_DATA_DIR" in done.stderr


def test_a_port_in_use_is_refused(data_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = attempt(HARBOR_DATA_DIR=str(data_dir), HARBOR_PORT=str(port))
    assert done.returncode == 2
    assert f"{port}" in done.stderr
    assert "HARBOR_PORT" in done.stderr


def test_a_second_supervisor_on_the_same_data_is_refused(stack_sqlite: Stack) -> None:
    done = attempt(HARBOR_DATA_DIR=str(stack_sqlite.data_dir))
    assert done.returncode == 2
    assert "in use" in done.stderr
    assert stack_sqlite.is_ready()


def test_start_stop_and_second_start(own: Stack) -> None:
    pids = {role: own.pid(role) for role in ROLES}
    assert own.terminate(signal.SIGINT) == 0
    assert not [role for role, pid in pids.items() if Path(f"/proc/{pid}").exists()]
    order = [line.split("|")[0].strip() for line in own.log.splitlines()]
    assert order[-1] == "harbor"
    began = time.monotonic()
    own.launch()
    assert time.monotonic() - began < SECOND_START_SECONDS
    assert own.is_ready()
    assert f"docker login {own.registry}" in own.log


def test_every_program_is_started_again_after_kill_9(own: Stack) -> None:
    for role in ROLES:
        before = own.pid(role)
        assert own.kill(role) != before
    with own.api() as client:
        wait_until(
            lambda: client.get("/api/v2.0/health").json()["status"] == "healthy", 60, "every component to be well"
        )


def test_nothing_survives_a_killed_supervisor(own: Stack) -> None:
    group = [own.pid(role) for role in ROLES]
    workers = [int(pid) for role in ("gateway", "core") for pid in _children(own.pid(role))]
    assert len(workers) >= 4
    own.terminate(signal.SIGKILL)
    wait_until(lambda: not [pid for pid in group + workers if _alive(pid)], 40, "every process to end")
    own.launch()
    assert own.is_ready()


def test_secrets_and_sockets_are_private(own: Stack) -> None:
    data = own.data_dir
    for file in [*(data / "secrets").iterdir(), *(data / "keys").rglob("*.pem"), *(data / "keys").rglob("*.key")]:
        assert file.stat().st_mode & 0o077 == 0, file
    for folder in (data / "secrets", data / "keys"):
        assert folder.stat().st_mode & 0o077 == 0, folder
    for file in (data / "run").iterdir():
        assert file.stat().st_mode & 0o007 == 0, file
    assert (data / "run" / "redis.sock").stat().st_mode & 0o077 == 0
    assert (data / "harbor.db").stat().st_mode & 0o007 == 0


def test_only_the_gateway_listens_on_a_port(own: Stack) -> None:
    processes = {own.pid(role) for role in ROLES}
    processes |= {int(child) for pid in list(processes) for child in _children(pid)}
    inodes = set()
    for pid in processes:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                target = os.readlink(link)
                if target.startswith("socket:["):
                    inodes.add(target[8:-1])
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for row in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            fields = row.split()
            if fields[3] == "0A" and fields[9] in inodes:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    assert ports == {own.port}


@pytest.mark.slow
def test_a_deep_data_folder_gets_a_short_run_folder(data_dir: Path) -> None:
    deep = data_dir.joinpath(*["a-rather-long-folder-name"] * 5)
    with Stack() as running:
        running.data_dir = deep
        running.start(database="sqlite")
        assert running.is_ready()
        assert not (deep / "run").exists()


def test_tls_with_the_generated_authority(stack_tls: Stack) -> None:
    with stack_tls.client() as client:  # verifies against the CA file
        assert client.get("/v2/").headers["WWW-Authenticate"].startswith(f'Bearer realm="{stack_tls.url}')
        served = client.get("/api/v2.0/systeminfo/getcert", auth=stack_tls.admin)
    assert served.content == stack_tls.ca_file.read_bytes()
    with socket.create_connection(("127.0.0.1", stack_tls.port)) as plain:
        plain.sendall(b"GET /harbor HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = plain.recv(4096).decode()
    assert answer.startswith("HTTP/1.1 308")
    assert f"Location: {stack_tls.url}/harbor" in answer


@pytest.mark.slow
def test_the_default_password_is_announced_loudly() -> None:
    with Stack() as running:
        running.start(database="sqlite", HARBOR_ADMIN_PASSWORD="")
        assert "well-known Harbor12345" in running.log


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False

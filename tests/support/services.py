"""Private PostgreSQL, Redis, registry and S3 server processes: loopback or unix sockets, temp folders, no leftovers.

Every process dies with the one that started it (PR_SET_PDEATHSIG), also when that is killed.
"""

import atexit
import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

POSTGRES_BIN = Path("/usr/lib/postgresql/15/bin")
START_SECONDS = 60.0
_TLS_FILES = (("cert", "crt"), ("key", "key"))
S3_BUCKET = "registry"
S3_KEY, S3_SECRET = "test-access", "test-secret"
_libc = ctypes.CDLL(None)


def clean_environment() -> dict[str, str]:
    """PATH and locale, nothing else: settings of the machine must not reach what is tested."""
    return {
        "PATH": os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin", "/sbin", "/bin")),
        "LANG": "C.UTF-8",
        "HOME": os.environ.get("HOME", "/"),
    }


def free_port() -> int:
    """A TCP port nobody listens on at this moment, on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def temp_folder(prefix: str) -> Path:
    """Under the system's temp folder, short enough for sockets, enterable by service accounts."""
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}-"))
    folder.chmod(0o711)
    return folder


def die_with_us(number: signal.Signals) -> Callable[[], None]:
    """A ``preexec_fn``: the kernel sends the child this signal when the thread that starts it is gone."""
    parent = os.getpid()

    def before_exec() -> None:
        _libc.prctl(1, number)
        if os.getppid() != parent:
            os._exit(1)

    return before_exec


class Service:
    """One child process with a log file; ``stop`` ends it and removes its folder."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = temp_folder(f"harbor-{name}")
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.stop)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def spawn(self, argv: list[str], ready: Callable[[], bool], *, user: str = "", umask: int = 0o022) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                argv,
                cwd=self.folder,
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user or None,
                group=user or None,
                extra_groups=[] if user else None,
                umask=umask,
                preexec_fn=die_with_us(signal.SIGKILL),
            )
        wait_until(lambda: self._ended() or ready(), START_SECONDS, f"{self.name} to answer")
        if self._ended():
            raise RuntimeError(f"{self.name} ended at once:\n{self.log}")

    def _ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.stop)


class Postgres(Service):
    """A cluster on a unix socket; ``url(name)`` is a fresh database's address for HARBOR_DATABASE_URL.

    ``durable`` commits to disk as a production server does; without it a crash of the machine may lose the data.
    ``certificates`` is a folder with ca.crt, server.crt and server.key: it then listens on ``port`` of localhost too.
    """

    def __init__(self, *, durable: bool = False, certificates: Path | None = None) -> None:
        super().__init__("postgres")
        self._user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        as_user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        data = self.folder / "data"
        options = ["--auth=trust", "--username=harbor", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run(
            [POSTGRES_BIN / "initdb", "--pgdata", data, *options],
            check=True,
            capture_output=True,
            cwd=self.folder,
            env=clean_environment(),
            **as_user,
        )
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "max_connections": "200",
            "shared_buffers": "128MB",
        }
        if not durable:
            settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        self.port = free_port() if certificates else 5432
        if certificates is not None:
            for name in ("server.crt", "server.key"):
                shutil.copy(certificates / name, self.folder / name)
                if os.geteuid() == 0:
                    shutil.chown(self.folder / name, "postgres", "postgres")
            settings |= {"listen_addresses": "127.0.0.1", "port": str(self.port), "ssl": "on"}
            settings |= {f"ssl_{kind}_file": str(self.folder / f"server.{end}") for kind, end in _TLS_FILES}
        self._argv = [str(POSTGRES_BIN / "postgres"), "-D", str(data)]
        for name, value in settings.items():
            self._argv += ["-c", f"{name}={value}"]
        self.launch()

    def launch(self) -> None:
        """Start it (again) on the same data."""
        self.spawn(self._argv, self._answers, user=self._user if os.geteuid() == 0 else "", umask=0o077)

    def crash(self) -> None:
        """``kill -9`` of the server and of everything it started."""
        process = self._process
        assert process is not None
        # Each of them is in a session of its own, and what is left of them keeps a new server from the data.
        started = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
        for number in (process.pid, *map(int, started)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        process.wait()
        wait_until(lambda: not any(Path(f"/proc/{number}").exists() for number in started), 20, "all of it to be gone")

    def _answers(self) -> bool:
        argv = [POSTGRES_BIN / "pg_isready", "-q", "-h", self.folder, "-p", str(self.port)]
        return subprocess.run(argv, check=False).returncode == 0

    def url(self, name: str) -> str:
        """``postgres://`` address of database ``name``, created when it does not exist."""
        createdb = [POSTGRES_BIN / "createdb", "-h", self.folder, "-p", str(self.port), "-U", "harbor", name]
        done = subprocess.run(createdb, capture_output=True, text=True, check=False)
        if done.returncode and "already exists" not in done.stderr:
            raise RuntimeError(done.stderr)
        port = "" if self.port == 5432 else f"&port={self.port}"
        return f"postgres://harbor@/{name}?host={quote(str(self.folder))}{port}"

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        super().stop(number)  # SIGINT: fast shutdown, clients are disconnected


class Redis(Service):
    """A server on a unix socket, without persistence."""

    def __init__(self) -> None:
        super().__init__("redis")
        self.socket = self.folder / "redis.sock"
        argv = [find("redis-server"), "--port", "0", "--unixsocket", str(self.socket), "--save", ""]
        self.spawn(argv, lambda: connects(self.socket))

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"


class Registry(Service):
    """docker-registry with a configuration of ``harbor_core.registry_config``; ``config`` gets socket and folder."""

    def __init__(self, config: Callable[[Path, Path], str]) -> None:
        super().__init__("registry")
        self.socket, self.storage = self.folder / "registry.sock", self.folder / "storage"
        self.storage.mkdir()
        (self.folder / "registry.yml").write_text(config(self.socket, self.storage), encoding="utf-8")
        argv = [find("docker-registry"), "serve", str(self.folder / "registry.yml")]
        self.spawn(argv, lambda: connects(self.socket), umask=0o027)


class S3(Service):
    """An S3 server with one bucket; ``environment`` are the HARBOR_STORAGE_* settings that use it."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        super().__init__("s3")
        self.port = free_port()
        self.url = f"http://{address}:{self.port}"
        moto = str(Path(sys.executable).with_name("moto_server"))
        self.spawn([moto, "-H", address, "-p", str(self.port)], lambda: connects((address, self.port)))
        self.client().create_bucket(Bucket=S3_BUCKET)

    def client(self):
        import boto3
        from botocore.config import Config

        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=S3_KEY,
            aws_secret_access_key=S3_SECRET,
            config=Config(s3={"addressing_style": "path"}),
        )

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HARBOR_STORAGE_DRIVER": "s3",
            "HARBOR_STORAGE_S3_BUCKET": S3_BUCKET,
            "HARBOR_STORAGE_S3_REGION": "us-east-1",
            "HARBOR_STORAGE_S3_REGIONENDPOINT": self.url,
            "HARBOR_STORAGE_S3_ACCESSKEY": S3_KEY,
            "HARBOR_STORAGE_S3_SECRETKEY": S3_SECRET,
            "HARBOR_STORAGE_S3_SECURE": "false",
            "HARBOR_STORAGE_S3_ROOTDIRECTORY": "/harbor",
        }


def find(program: str) -> str:
    """Absolute path of a program, system folders included. Raises FileNotFoundError."""
    found = shutil.which(program, path=clean_environment()["PATH"])
    if found is None:
        raise FileNotFoundError(f"{program} is not installed; `make install` installs it")
    return found


def connects(address: Path | tuple[str, int]) -> bool:
    """Whether somebody accepts connections there."""
    family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
        probe.settimeout(1)
        probe.connect(str(address) if isinstance(address, Path) else address)
        return True
    return False


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Ask every 20 ms until true. Raises TimeoutError naming what was awaited."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(0.02)

"""The command line, environment and readiness of every program of the standalone registry."""

import asyncio
import os
import shutil
import signal
import stat
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from harbor_core.env import ConfigError, env_int
from harbor_core.lib.turns import IN_LINE
from harbor_core.standalone.config import BASE_DIR, Config
from harbor_core.standalone.process import Program

# What children inherit. Everything else stays out: a stray AWS_CA_BUNDLE, for example, stops the registry's S3 driver.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER")
_OUTBOUND = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_OURS = ("HARBOR_", "CONFIG_OVERWRITE_JSON", "TRACE_", "OTEL_")
_KEPT = "_EXECUTION_RETENTION_COUNT"
_TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_CLOUD = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_REGION",
)
PACKAGES = {"nginx": "nginx", "docker-registry": "docker-registry", "redis-server": "redis-server"}
_SEARCH = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")


def executable(name: str) -> str:
    """Absolute path of a program. Raises ConfigError naming the package that has it."""
    path = os.pathsep.join((*_SEARCH, os.environ.get("PATH", "")))
    found = shutil.which(name, path=path)
    if found is None:
        raise ConfigError(f"the program {name} is missing: apt-get install -y {PACKAGES[name]}")
    return found


def python_environment(config: Config) -> dict[str, str]:
    """For core, worker, beat and management commands: the operator's settings and what the supervisor decided."""
    env = _pick(*_INHERITED, *_OUTBOUND, *_TRUST, *_CLOUD)
    env |= {name: value for name, value in os.environ.items() if name.startswith(_OURS) or name.endswith(_KEPT)}
    env |= {
        "PYTHONPATH": str(BASE_DIR),
        "PYTHONUNBUFFERED": "1",
        # Else each thread's own arena keeps the 19 MiB a password check took.
        "MALLOC_ARENA_MAX": "2",
        "DJANGO_SETTINGS_MODULE": "harbor_core.settings",
        "HARBOR_DATA_DIR": str(config.data_dir),
        "HARBOR_RUN_DIR": str(config.run_dir),
        "HARBOR_KEY_DIR": str(config.data_dir / "keys"),
        "HARBOR_STATIC_ROOT": str(config.data_dir / "static"),
        "HARBOR_PORT": str(config.port),
        "HARBOR_EXTERNAL_URL": config.external_url,
        "HARBOR_PUBLIC_URLS": ",".join(config.public_urls),
        "HARBOR_REGISTRY_URL": f"unix:{config.run_dir}/registry.sock",
        "HARBOR_GATEWAY_SERVES_BLOBS": "true" if config.serves_blobs else "false",
        "HARBOR_STORAGE_REDIRECT": "true" if config.storage_redirect else "false",
        "HARBOR_TRAFFIC_LISTEN": "off",
    }
    if not config.redis_url:
        env["HARBOR_REDIS_URL"] = f"unix://{config.run_dir}/redis.sock"
    if config.ca_file is not None:
        env["HARBOR_CA_FILE"] = str(config.ca_file)
    if "HARBOR_DATABASE_URL" not in env and "HARBOR_DATABASE_URL_FILE" not in env:
        env["HARBOR_DATABASE_URL"] = config.database_url
    for name in ("secret_key", "registry_http_secret"):
        variable = f"HARBOR_{name.upper()}"
        if variable not in env and f"{variable}_FILE" not in env:
            env[f"{variable}_FILE"] = str(config.data_dir / "secrets" / name)
    return env


def backing(config: Config) -> list[Program]:
    """What management commands may already need."""
    return [] if config.redis_url else [_redis(config)]


def serving(config: Config) -> list[Program]:
    """In the order of start; they stop in the opposite order."""
    return [_registry(config), _core(config), _waiting(config), _worker(config), _beat(config), _gateway(config)]


def _redis(config: Config) -> Program:
    socket_path = config.run_dir / "redis.sock"
    # Nothing in Redis is worth a disk write: sessions fall back to the database and jobs live there.
    argv = [executable("redis-server"), "--port", "0", "--unixsocket", str(socket_path), "--unixsocketperm", "600"]
    argv += ["--save", "", "--appendonly", "no", "--daemonize", "no", "--dir", str(config.run_dir)]
    argv += ["--logfile", "", "--loglevel", "warning", "--maxmemory", "256mb", "--maxmemory-policy", "volatile-lru"]
    return _program(config, "redis", argv, _pick(*_INHERITED), socket_path)


def _registry(config: Config) -> Program:
    argv = [executable("docker-registry"), "serve", str(config.run_dir / "registry.yml")]
    env = _pick(*_INHERITED, *_OUTBOUND, *_CLOUD)
    return _program(config, "registry", argv, env, config.run_dir / "registry.sock")


def _core(config: Config) -> Program:
    return _gunicorn(config, "core", workers=2, threads=8)


def _waiting(config: Config) -> Program:
    """Core again, for requests that wait for other registries: one process, since waiting takes threads only. Being
    one, it is also who counts what the gateway moves."""
    at_work = env_int("HARBOR_WAITING_THREADS", 48, low=2, high=500)
    settings = {"HARBOR_TRAFFIC_LISTEN": config.traffic or "off", "TRACE_SERVICE_NAME": "harbor-waiting"}
    return _gunicorn(config, "waiting", workers=1, threads=at_work * (1 + IN_LINE), **settings)


def _gunicorn(config: Config, name: str, *, workers: int, threads: int, **settings: str) -> Program:
    socket_path = config.run_dir / f"{name}.sock"
    argv = [sys.executable, "-m", "gunicorn", "harbor_core.wsgi:application", "--bind", f"unix:{socket_path}"]
    argv += ["--worker-class", "gthread", "--workers", str(workers), "--threads", str(threads), "--keep-alive", "75"]
    argv += ["--umask", "0o027", "--no-control-socket", "--timeout", "120", "--graceful-timeout", "15"]
    # The gateway bounds request lines and headers (32 KiB each) and refuses longer ones in JSON.
    argv += ["--limit-request-line", "0", "--limit-request-field_size", "32768"]
    argv += ["--log-level", config.log_level, "--backlog", "2048"]
    argv += ["--logger-class", "harbor_core.lib.gunicorn_logs.Logger"]
    env = python_environment(config) | settings
    return _program(config, name, argv, env, socket_path, seconds=20.0, death=signal.SIGQUIT)


def _celery() -> list[str]:
    # Started by root everything but the gateway's workers runs as root; Celery need not say so each time.
    quiet = "ignore:You're running the worker with superuser privileges"
    return [sys.executable, "-W", quiet, "-m", "celery", "--quiet", "-A", "harbor_core.celery:app"]


def _worker(config: Config) -> Program:
    # One pool of threads for every queue: what may run at once is decided by leases in the database.
    threads = env_int("HARBOR_WORKER_THREADS", 6, low=2, high=200)
    argv = [*_celery(), "worker", "--pool", "threads"]
    argv += ["--concurrency", str(threads), "--without-gossip", "--without-mingle", "--hostname", "worker@standalone"]
    argv += ["--loglevel", config.log_level]
    return _program(config, "worker", argv, python_environment(config), None, seconds=20.0)


def _beat(config: Config) -> Program:
    argv = [*_celery(), "beat", "--pidfile", ""]
    argv += ["--schedule", str(config.run_dir / "beat-schedule"), "--loglevel", config.log_level]
    return _program(config, "beat", argv, python_environment(config), None)


def _gateway(config: Config) -> Program:
    argv = [executable("nginx"), "-c", str(config.run_dir / "nginx.conf"), "-p", str(config.run_dir), "-e", "stderr"]
    probe = Path(f"/proc/net/tcp{'6' if all(':' in address for address in config.listen) else ''}")
    return Program(
        name="gateway",
        argv=argv,
        env=_pick(*_INHERITED),
        cwd=config.run_dir,
        ready=lambda: _listening(probe, config.port),
        stop_signal=signal.SIGQUIT,
        stop_seconds=10.0,
        death_signal=signal.SIGTERM,
        raw_stdout=stdout_can_be_reopened(),
        hide_queries=True,
    )


def _program(
    config: Config,
    name: str,
    argv: list[str],
    env: dict[str, str],
    socket_path: Path | None,
    seconds: float = 10.0,
    death: signal.Signals = signal.SIGKILL,
) -> Program:
    return Program(
        name=name,
        argv=argv,
        env=env,
        cwd=BASE_DIR if "PYTHONPATH" in env else config.run_dir,
        ready=_answers(socket_path),
        stop_seconds=seconds,
        death_signal=death,
        socket=socket_path if name in ("core", "waiting", "registry") else None,
        hide_queries=name == "registry",  # they hold upload states
    )


def _answers(socket_path: Path | None) -> Callable[[], Awaitable[bool]]:
    async def ready() -> bool:
        if socket_path is None:
            return True
        with suppress(OSError):
            _, writer = await asyncio.open_unix_connection(socket_path)
            writer.close()
            return True
        return False

    return ready


async def _listening(table: Path, port: int) -> bool:
    """Whether a socket listens on the port, without a request that would show up in the gateway's log."""
    wanted = f":{port:04X}"
    rows = (line.split() for line in table.read_text(encoding="ascii").splitlines()[1:])
    return any(row[1].endswith(wanted) and row[3] == "0A" for row in rows)


def stdout_can_be_reopened() -> bool:
    """The gateway opens /dev/stdout by name, which a socket or another account's file refuses: then it is relayed."""
    try:
        if stat.S_ISSOCK(os.fstat(1).st_mode):
            return False
        os.close(os.open("/dev/stdout", os.O_WRONLY | os.O_APPEND))
    except OSError:
        return False
    return True


def _pick(*names: str) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}

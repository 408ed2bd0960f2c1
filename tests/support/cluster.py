"""The registry in two copies of every role on this machine, as an orchestrator would run it.

Two cores, two workers, two beats, two gateways with a registry beside each on one shared folder, PostgreSQL, and Redis
with a replica and three Sentinels. An nginx of the test's own stands for the orchestrator's services: it knows the
copies and nothing else. Nobody but the test restarts what it kills.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx

from harbor_core.gateway import Gateway
from harbor_core.gateway import render as render_gateway
from harbor_core.registry_config import RegistryConfig
from harbor_core.registry_config import render as render_registry
from tests.support.services import (
    Postgres,
    clean_environment,
    connects,
    die_with_us,
    find,
    free_port,
    temp_folder,
    wait_until,
)
from tests.support.stack import ROOT

MASTER = "mymaster"
PASSWORD = "Cluster-Passw0rd"
SERVICE = """
    upstream {name} {{ {servers} keepalive 16; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://{name};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            client_max_body_size 0;
            proxy_request_buffering off;
            proxy_connect_timeout 1s;
        }}
    }}
"""
BALANCER = """
load_module /usr/lib/nginx/modules/ndk_http_module.so;
daemon off;
pid {folder}/balancer.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {services}
}}
"""


@dataclass
class Copy:
    """One process. ``ports`` it listens on."""

    name: str
    argv: list[str]
    environment: dict[str, str]
    ready: Callable[[], bool]
    umask: int = 0o027
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self, log: Path) -> None:
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                self.argv,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=self.umask,
                preexec_fn=die_with_us(signal.SIGTERM),
            )
        wait_until(self._settled, 60, f"{self.name} to answer")
        assert self.process.poll() is None, f"{self.name} ended at once, see {log}"

    def _settled(self) -> bool:
        assert self.process is not None
        return self.process.poll() is not None or self.ready()

    def end(self, number: signal.Signals) -> None:
        """The process and what it started."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, number)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


class Cluster:
    """``url`` is where clients go; ``copies`` by name: core-1, registry-2, redis-1, sentinel-3 …"""

    def __init__(self) -> None:
        self.folder = temp_folder("harbor-cluster")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.copies: dict[str, Copy] = {}
        self.postgres = Postgres(durable=True)
        self._ports = {name: free_port() for name in ("cores", "registries")}

    # ------------------------------------------------------------------ life
    def start(self) -> Self:
        self._redis()
        environment = self._environment()
        for argv in (["init_secrets", "--folder", str(self.folder / "secrets")], ["migrate", "--verbosity", "0"],
                     ["bootstrap"], ["collectstatic", "--noinput", "--verbosity", "0"]):  # fmt: skip
            subprocess.run([sys.executable, "manage.py", *argv], cwd=ROOT, env=environment, check=True,
                           capture_output=True, umask=0o027)  # fmt: skip
        registries = [self._registry(number) for number in (1, 2)]
        cores = [self._core(number, environment) for number in (1, 2)]
        gateways = [self._gateway(number, registries[number - 1]) for number in (1, 2)]
        self._balancer(cores, registries, gateways)
        for number in (1, 2):
            self._job_role("worker", number, environment)
            self._job_role("beat", number, environment)
        wait_until(self.is_healthy, 90, "the cluster to be healthy")
        return self

    def stop(self) -> None:
        for copy in reversed(self.copies.values()):
            copy.end(signal.SIGKILL)
        self.postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self, name: str) -> None:
        self.copies[name].end(signal.SIGKILL)

    def revive(self, name: str) -> None:
        self.copies[name].start(self.log(name))

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def is_healthy(self) -> bool:
        try:
            answer = httpx.get(f"{self.url}/api/v2.0/health", timeout=10, trust_env=False)
            return bool(answer.json()["status"] == "healthy")
        except (httpx.HTTPError, ValueError, KeyError):
            return False

    def client(self) -> httpx.Client:
        """With the administrator's credentials."""
        return httpx.Client(base_url=self.url, auth=("admin", PASSWORD), timeout=20, trust_env=False)

    def manage(self, *argv: str) -> str:
        done = subprocess.run([sys.executable, "manage.py", *argv], cwd=ROOT, env=self._environment(),
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # ------------------------------------------------------------------ roles
    def _add(self, copy: Copy) -> None:
        self.copies[copy.name] = copy
        copy.start(self.log(copy.name))

    def _environment(self) -> dict[str, str]:
        sentinels = ",".join(f"127.0.0.1:{port}" for port in self._sentinels)
        secret = self.folder / "secrets"
        return clean_environment() | {
            "DJANGO_SETTINGS_MODULE": "harbor_core.settings",
            "PYTHONPATH": str(ROOT),
            "HARBOR_DATA_DIR": str(self.folder / "data"),
            "HARBOR_RUN_DIR": str(self.folder),
            "HARBOR_STATIC_ROOT": str(self.folder / "static"),
            "HARBOR_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(self.folder / "storage"),
            "HARBOR_KEY_DIR": str(secret / "keys"),
            "HARBOR_SECRET_KEY": self._secret_key,
            "HARBOR_REGISTRY_HTTP_SECRET": self._secret_key,
            "HARBOR_EXTERNAL_URL": self.url,
            "HARBOR_ADMIN_PASSWORD": PASSWORD,
            "HARBOR_DATABASE_URL": self.postgres.url("harbor"),
            "HARBOR_REDIS_URL": f"redis+sentinel://{sentinels}/{MASTER}",
            "HARBOR_REGISTRY_URL": f"http://127.0.0.1:{self._ports['registries']}",
            "HARBOR_JOB_LOGGERS": "database",
            "HARBOR_JOB_LEASE_SECONDS": "6",
            "HARBOR_JOB_SWEEP_SECONDS": "2",
            "HARBOR_TRUSTED_PROXIES": "127.0.0.1",
        }

    _secret_key = secrets.token_urlsafe(48)

    def _redis(self) -> None:
        ports = [free_port() for _ in range(2)]
        self._sentinels = [free_port() for _ in range(3)]
        for number, port in enumerate(ports, 1):
            argv = [find("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", "/tmp"]
            argv += ["--replicaof", "127.0.0.1", str(ports[0])] if number > 1 else []
            # A server that comes back asks the Sentinels' choice by being told: it is reconfigured by them.
            self._add(Copy(f"redis-{number}", argv, clean_environment(), _listens(port)))
        for number, port in enumerate(self._sentinels, 1):
            config = self.folder / f"sentinel-{number}.conf"
            config.write_text(
                f"port {port}\nbind 127.0.0.1\ndir /tmp\n"
                f"sentinel monitor {MASTER} 127.0.0.1 {ports[0]} 2\n"
                f"sentinel down-after-milliseconds {MASTER} 2000\n"
                f"sentinel failover-timeout {MASTER} 10000\n",
                encoding="ascii",
            )
            argv = [find("redis-server"), str(config), "--sentinel"]
            self._add(Copy(f"sentinel-{number}", argv, clean_environment(), _listens(port)))

    def _registry(self, number: int) -> int:
        port = free_port()
        path = self.folder / f"registry-{number}.yml"
        (self.folder / "storage").mkdir(exist_ok=True)
        path.write_text(
            render_registry(
                RegistryConfig(
                    address=f"127.0.0.1:{port}",
                    http_secret=self._secret_key,
                    driver="filesystem",
                    options={"rootdirectory": str(self.folder / "storage")},
                    redirect=False,
                    external_url=self.url,
                    trusted_certificate=self.folder / "secrets" / "keys" / "internal" / "registry.crt",
                )
            ),
            encoding="utf-8",
        )
        argv = [find("docker-registry"), "serve", str(path)]
        self._add(Copy(f"registry-{number}", argv, clean_environment(), _listens(port)))
        return port

    def _core(self, number: int, environment: dict[str, str]) -> int:
        port = free_port()
        argv = [sys.executable, "-m", "gunicorn", "harbor_core.wsgi:application", "--bind", f"127.0.0.1:{port}"]
        argv += ["--worker-class", "gthread", "--workers", "1", "--threads", "8", "--keep-alive", "75"]
        argv += ["--no-control-socket", "--timeout", "120", "--limit-request-line", "0"]
        self._add(Copy(f"core-{number}", argv, environment, _listens(port)))
        return port

    def _gateway(self, number: int, registry: int) -> int:
        port = free_port()
        run = self.folder / f"gateway-{number}"
        for name in ("gateway", "authz"):
            (run / name).mkdir(parents=True)
        path = self.folder / f"gateway-{number}.conf"
        path.write_text(
            render_gateway(
                Gateway(
                    core=f"127.0.0.1:{self._ports['cores']}",
                    registry=f"127.0.0.1:{registry}",
                    run_dir=run,
                    static_root=self.folder / "static",
                    external_url=self.url,
                    listen=("127.0.0.1",),
                    port=port,
                    storage_root=self.folder / "storage",
                    trusted_proxies=("127.0.0.1",),
                    worker_user="root" if os.geteuid() == 0 else "",
                    workers="1",
                    log_level="warning",
                )
            ),
            encoding="utf-8",
        )
        argv = [find("nginx"), "-c", str(path), "-p", str(run), "-e", "stderr"]
        self._add(Copy(f"gateway-{number}", argv, clean_environment(), _listens(port)))
        return port

    def _balancer(self, cores: list[int], registries: list[int], gateways: list[int]) -> None:
        folder = self.folder / "balancer"
        folder.mkdir()
        wanted = [
            ("cores", self._ports["cores"], cores),
            ("registries", self._ports["registries"], registries),
            ("gateways", self.port, gateways),
        ]
        services = "".join(
            SERVICE.format(
                name=name,
                port=port,
                servers=" ".join(f"server 127.0.0.1:{one} max_fails=0;" for one in of),
            )
            for name, port, of in wanted
        )
        path = self.folder / "balancer.conf"
        path.write_text(BALANCER.format(folder=folder, services=services), encoding="utf-8")
        argv = [find("nginx"), "-c", str(path), "-p", str(folder), "-e", "stderr"]
        self._add(Copy("balancer", argv, clean_environment(), _listens(self.port)))

    def _job_role(self, role: str, number: int, environment: dict[str, str]) -> None:
        argv = [sys.executable, "-W", "ignore", "-m", "celery", "--quiet", "-A", "harbor_core.celery:app"]
        if role == "worker":
            argv += ["worker", "--pool", "threads", "--concurrency", "4", "--without-gossip", "--without-mingle"]
            argv += ["--hostname", f"worker-{number}@cluster", "--loglevel", "info"]
        else:
            argv += ["beat", "--pidfile", "", "--schedule", str(self.folder / f"beat-{number}"), "--loglevel", "info"]
        self._add(Copy(f"{role}-{number}", argv, environment, lambda: True))


def _listens(port: int) -> Callable[[], bool]:
    return lambda: connects(("127.0.0.1", port))

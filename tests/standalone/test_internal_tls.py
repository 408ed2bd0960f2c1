"""TLS between the roles, as images and chart set it: each role a process of its own on TCP, by the images' own entry
points, and nobody talks in the clear."""

import os
import secrets
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.test_jobs import purge
from tests.replication.test_proxy_cache import proxy, pull
from tests.support import oci
from tests.support.cluster import Copy
from tests.support.services import clean_environment, connects, find, free_port, temp_folder, wait_until
from tests.support.stack import ROOT
from tests.support.upstream import Upstream

pytestmark = pytest.mark.slow
PASSWORD = "Inside-Passw0rd"
CALLED = ("registry", "core", "waiting", "exporter")


class Roles:
    """``url`` is where clients go."""

    def __init__(self) -> None:
        self.folder = temp_folder("harbor-internal-tls")
        self.ports = {name: free_port() for name in ("redis", *CALLED, "gateway")}
        self.metrics = free_port()
        self.copies: dict[str, Copy] = {}
        self.url = f"http://localhost:{self.ports['gateway']}"
        certificates = self.folder / "secrets" / "internal-tls"
        key = secrets.token_urlsafe(48)
        self.environment = clean_environment() | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "harbor_core.settings",
            "INTERNAL_TLS_ENABLED": "true",
            "INTERNAL_TLS_CERT_PATH": str(certificates / "server.crt"),
            "INTERNAL_TLS_KEY_PATH": str(certificates / "server.key"),
            "INTERNAL_TLS_TRUST_CA_PATH": str(certificates / "ca.crt"),
            "HARBOR_INTERNAL_NAMES": "localhost",
            "HARBOR_DATA_DIR": str(self.folder / "data"),
            "HARBOR_RUN_DIR": str(self.folder),
            "HARBOR_STATIC_ROOT": str(self.folder / "static"),
            "HARBOR_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(self.folder / "storage"),
            "HARBOR_KEY_DIR": str(self.folder / "secrets" / "keys"),
            "HARBOR_SECRET_KEY": key,
            "HARBOR_REGISTRY_HTTP_SECRET": key,
            "HARBOR_EXTERNAL_URL": self.url,
            "HARBOR_ADMIN_PASSWORD": PASSWORD,
            "HARBOR_PORT": str(self.ports["gateway"]),
            "HARBOR_LISTEN": "127.0.0.1",
            "HARBOR_REDIS_URL": f"redis://127.0.0.1:{self.ports['redis']}/0",
            "HARBOR_JOB_LOGGERS": "database",
            "HARBOR_METRICS": f"127.0.0.1:{self.metrics}",
            "HARBOR_GATEWAY_USER": "root" if os.geteuid() == 0 else "",
        }
        # As an orchestrator names them, without a word of TLS.
        self.environment |= {f"HARBOR_{name.upper()}_URL": f"http://localhost:{self.ports[name]}" for name in CALLED}

    def start(self) -> None:
        (self.folder / "data").mkdir()
        (self.folder / "storage").mkdir()
        build = self.environment | {"HARBOR_BUILD": "1"}
        for argv, environment in (
            (["init_secrets", "--folder", str(self.folder / "secrets")], build),
            (["migrate", "--verbosity", "0"], self.environment),
            (["bootstrap"], self.environment),
            (["collectstatic", "--noinput", "--verbosity", "0"], self.environment),
        ):
            command = [sys.executable, "manage.py", *argv]
            subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, umask=0o027)
        redis = [find("redis-server"), "--port", str(self.ports["redis"]), "--bind", "127.0.0.1", "--save", ""]
        self.add("redis", [*redis, "--dir", str(self.folder)], clean_environment())
        self.registry(self.environment)
        entry = ["sh", str(ROOT / "docker" / "harbor-entrypoint.sh")]
        web = {name: value for name, value in self.environment.items() if name != "HARBOR_CORE_URL"}
        for name in ("core", "waiting"):
            listen = {"HARBOR_CORE_LISTEN": f"127.0.0.1:{self.ports[name]}", "HARBOR_CORE_WORKERS": "1"}
            self.add(name, [*entry, "core"], web | listen)
        listen = {"HARBOR_EXPORTER_LISTEN": f"127.0.0.1:{self.ports['exporter']}"}
        self.add("exporter", [*entry, "exporter"], self.environment | listen)
        self.add("worker", [*entry, "worker"], web | {"HARBOR_WORKER_THREADS": "3"})
        self.gateway(self.environment)
        wait_until(self.is_healthy, 60, "all roles to be healthy")

    def add(self, name: str, argv: list[str], environment: dict[str, str]) -> None:
        port = self.ports.get(name)
        self.copies[name] = Copy(name, argv, environment, lambda: port is None or connects(("127.0.0.1", port)))
        self.copies[name].start(self.folder / f"{name}.log")

    def rendered(self, module: str, environment: dict[str, str]) -> str:
        command = [sys.executable, "-m", module]
        return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout

    def registry(self, environment: dict[str, str]) -> None:
        listen = {"HARBOR_REGISTRY_LISTEN": f"127.0.0.1:{self.ports['registry']}"}
        path = self.folder / "registry.yml"
        path.write_text(self.rendered("harbor_core.registry_config", environment | listen), encoding="utf-8")
        self.add("registry", [find("docker-registry"), "serve", str(path)], clean_environment())

    def gateway(self, environment: dict[str, str]) -> None:
        for name in ("gateway", "authz"):
            (self.folder / name).mkdir(exist_ok=True)
        path = self.folder / "nginx.conf"
        path.write_text(self.rendered("harbor_core.gateway", environment), encoding="utf-8")
        self.add("gateway", [find("nginx"), "-c", str(path), "-p", str(self.folder), "-e", "stderr"], environment)

    def end(self, name: str) -> None:
        self.copies.pop(name).end(signal.SIGTERM)

    def stop(self) -> None:
        for copy in reversed(self.copies.values()):
            copy.end(signal.SIGKILL)
        shutil.rmtree(self.folder)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, auth=("admin", PASSWORD), timeout=30, trust_env=False)

    def is_healthy(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.get("/api/v2.0/health").json()["status"] == "healthy")
        except (httpx.HTTPError, ValueError, KeyError):
            return False


@pytest.fixture(scope="module")
def roles() -> Iterator[Roles]:
    made = Roles()
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_push_pull_proxy_and_job(roles: Roles) -> None:
    image = oci.image(300_000)
    upstream = Upstream()
    try:
        with roles.client() as client, upstream.client() as there:
            assert oci.push(client, "library/app", "1.0", image).status_code == 201
            pull(client, "library/app", "1.0", image)
            assert client.get("/account/sign-in", follow_redirects=True).status_code == 200
            run = purge(client, "Manual").headers["Location"]
            wait_until(lambda: client.get(run).json()["job_status"] == "Success", 30, "the job to end")
            # Through the process that waits, and into the registry in chunks.
            assert oci.push(there, "up/app", "1.0", image).status_code == 201
            pull(client, f"{proxy(client, upstream)}/up/app", "1.0", image)
    finally:
        upstream.stop()


def test_the_exporter_asks_core(roles: Roles) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{roles.metrics}", trust_env=False) as client:
        text = client.get("/metrics").text
        assert 'harbor_up{component="core"} 1.0' in text and 'harbor_up{component="registry"} 1.0' in text
        assert "harbor_core_http_request_total" in client.get("/metrics?comp=core").text


@pytest.mark.parametrize("name", CALLED)
def test_nobody_is_answered_in_the_clear(roles: Roles, name: str) -> None:
    port = roles.ports[name]
    try:
        status = httpx.get(f"http://localhost:{port}/", trust_env=False).status_code
    except httpx.HTTPError:
        status = 0
    assert status in (0, 400)
    authority = ssl.create_default_context(cafile=roles.environment["INTERNAL_TLS_TRUST_CA_PATH"])
    assert httpx.get(f"https://localhost:{port}/", verify=authority, trust_env=False).status_code < 500
    probe = [sys.executable, str(ROOT / "docker" / "health.py"), str(port), "/"]
    assert subprocess.run(probe, env=roles.environment, check=False).returncode == 0


def test_a_certificate_of_somebody_else_is_refused(roles: Roles, tmp_path: Path) -> None:
    """A registry that shows one: neither core nor the gateway gives it anything. A gateway that believes somebody
    else: it gives core nothing."""
    build = roles.environment | {"HARBOR_BUILD": "1"}
    command = [sys.executable, "manage.py", "init_secrets", "--folder", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, env=build, check=True, capture_output=True)
    other = {
        "INTERNAL_TLS_CERT_PATH": str(tmp_path / "internal-tls" / "server.crt"),
        "INTERNAL_TLS_KEY_PATH": str(tmp_path / "internal-tls" / "server.key"),
    }
    roles.end("registry")
    roles.registry(roles.environment | other)
    with roles.client() as client:
        health = {one["name"]: one["status"] for one in client.get("/api/v2.0/health").json()["components"]}
        assert health["registry"] == "unhealthy" and health["core"] == "healthy"
        opened = client.post("/v2/library/other/blobs/uploads/")
        assert opened.status_code == 202, "core makes an empty session by itself"
        refused = client.patch(opened.headers["Location"], content=b"x")
        assert refused.status_code == 503, refused.text
    roles.end("registry")
    roles.registry(roles.environment)
    wait_until(roles.is_healthy, 30, "the right registry to be believed")
    roles.end("gateway")
    roles.gateway(roles.environment | {"INTERNAL_TLS_TRUST_CA_PATH": str(tmp_path / "internal-tls" / "ca.crt")})
    with roles.client() as client:
        assert client.get("/v2/").status_code == 503
    roles.end("gateway")
    roles.gateway(roles.environment)
    wait_until(roles.is_healthy, 30, "the right gateway to be believed")

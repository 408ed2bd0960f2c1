"""The compose file for real: stand-in bases, our images, the whole stack on a private Docker Engine.

Takes minutes and needs root, so it has a target of its own: ``make test-compose``.
"""

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harbor_core.standalone.tls import ensure_certificate
from tests.e2e.clients import root_filesystem
from tests.support.services import S3, S3_BUCKET, Service, clean_environment, connects, find, free_port, wait_until
from tests.support.stack import ROOT

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1800)]  # images are built
PASSWORD = "Compose-Passw0rd"
HERE = Path(__file__).parent


def _ip(*words: str) -> None:
    subprocess.run([find("ip"), *words], check=True, capture_output=True)


class Engine(Service):
    """A Docker Engine with a bridge and addresses of its own: another engine of this machine has docker0."""

    def __init__(self) -> None:
        super().__init__("compose")
        self.socket = self.folder / "docker.sock"
        number = os.getpid() % 100 + 100
        self._bridge, self.address = f"harbor{os.getpid() % 100_000}", f"10.{number}.0.1"
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("addr", "add", f"{self.address}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        self.spawn(
            [
                *(find("dockerd"), "--host", f"unix://{self.socket}", "--data-root", str(self.folder / "data")),
                *("--exec-root", str(self.folder / "exec"), "--pidfile", str(self.folder / "pid")),
                *("--bridge", self._bridge, "--default-address-pool", f"base=10.{number}.128.0/17,size=24"),
                *("--log-level", "warn"),
            ],
            lambda: connects(self.socket),
        )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        super().stop(number)
        _ip("link", "delete", self._bridge)

    @property
    def environment(self) -> dict[str, str]:
        return clean_environment() | {
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(self.folder / "config"),
            "DOCKER_BUILDKIT": "0",
            "COMPOSE_HTTP_TIMEOUT": "300",
        }

    def run(self, *argv: str | Path, seconds: float = 900, stdin: bytes = b"", check: bool = True) -> str:
        done = subprocess.run(
            [str(word) for word in argv],
            env=self.environment | self.settings,
            cwd=ROOT,
            input=stdin,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        said = (done.stdout + done.stderr).decode(errors="replace")
        assert done.returncode == 0 or not check, said
        return done.stdout.decode(errors="replace")

    settings: dict[str, str] = {}

    def docker(self, *argv: str, stdin: bytes = b"", seconds: float = 300) -> str:
        return self.run("docker", *argv, stdin=stdin, seconds=seconds)

    def compose(self, *argv: str, seconds: float = 600) -> str:
        files = ("--project-directory", "docker", "-f", "docker/compose.yaml")
        return self.run("docker-compose", "-p", "harbor", *files, *argv, seconds=seconds)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    if os.geteuid():
        pytest.fail("a Docker Engine needs root")
    engine = Engine()
    port = free_port()
    engine.settings = {
        "HARBOR_HTTP_PORT": str(port),
        "HARBOR_EXTERNAL_URL": f"http://127.0.0.1:{port}",
        "HARBOR_ADMIN_PASSWORD": PASSWORD,
    }
    try:
        engine.run("sh", HERE / "bases.sh", engine.folder)
        engine.compose("build", seconds=1500)
        engine.compose("up", "-d")
        wait_until(lambda: health(engine) == "healthy", 120, "every component to be healthy")
        yield engine
        engine.compose("down", "--volumes")
    finally:
        engine.stop()


class Site:
    """A compose project of its own with the images that were built, in a copy of ``docker/``."""

    def __init__(self, engine: Engine, name: str, files: tuple[str, ...] = ()) -> None:
        self.engine, self.name = engine, name
        self.folder = engine.folder / name
        shutil.copytree(ROOT / "docker", self.folder)
        self._files = [str(self.folder / file) for file in ("compose.yaml", *files)]

    def compose(self, *argv: str) -> str:
        files = [word for file in self._files for word in ("-f", file)]
        where = ("-p", self.name, "--project-directory", self.folder, "--env-file", self.folder / ".env")
        # What the shell says comes before what the file says: nothing of the first stack's may.
        settings, self.engine.settings = self.engine.settings, {}
        try:
            return self.engine.run("docker-compose", *where, *files, *argv)
        finally:
            self.engine.settings = settings

    def write(self, name: str, values: dict[str, str]) -> None:
        (self.folder / name).write_text("".join(f"{key}={value}\n" for key, value in values.items()))

    def __enter__(self) -> "Site":
        self.compose("up", "-d", "--no-build")
        return self

    def __exit__(self, *error: object) -> None:
        self.compose("down", "--volumes")


def ask(url: str, path: str, context: ssl.SSLContext | None = None) -> Any:
    with urllib.request.urlopen(url + path, timeout=10, context=context) as answer:
        return json.load(answer)


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def health(engine: Engine, url: str = "", context: ssl.SSLContext | None = None) -> str:
    try:
        return str(ask(url or engine.settings["HARBOR_EXTERNAL_URL"], "/api/v2.0/health", context)["status"])
    except OSError:
        return "unreachable"


def push(engine: Engine, image: str, url: str = "") -> str:
    full = (url or engine.settings["HARBOR_EXTERNAL_URL"]).partition("://")[2] + f"/library/{image}"
    engine.docker("login", "--username", "admin", "--password-stdin", full.partition("/")[0], stdin=PASSWORD.encode())
    engine.docker("import", "-", full, stdin=root_filesystem(image.encode() * 1000))
    engine.docker("push", full)
    return full


def pull_again(engine: Engine, full: str) -> None:
    engine.docker("rmi", full)
    engine.docker("pull", full)


def test_push_and_pull(engine: Engine) -> None:
    pull_again(engine, push(engine, "first:1"))
    url = engine.settings["HARBOR_EXTERNAL_URL"]
    assert ask(url, "/api/v2.0/search?q=first")["repository"][0]["repository_name"] == "library/first"


def test_the_portal_and_its_files(engine: Engine) -> None:
    url = engine.settings["HARBOR_EXTERNAL_URL"]
    page = read(f"{url}/")
    styles = re.findall(r'href="(/static/[^"]+\.css)"', page)
    assert styles and all(read(url + path) for path in styles)


@pytest.mark.parametrize("service", ["core", "waiting", "worker", "beat", "registry", "gateway", "redis", "postgresql"])
def test_every_container_comes_back(engine: Engine, service: str) -> None:
    full = push(engine, f"before-{service}:1")
    engine.docker("kill", f"harbor_{service}_1")
    engine.compose("up", "-d")
    wait_until(lambda: health(engine) == "healthy", 120, f"{service} to be back")
    pull_again(engine, full)
    push(engine, f"after-{service}:1")


def test_containers_run_as_nobody_special_on_a_read_only_file_system(engine: Engine) -> None:
    for service in ("core", "waiting", "worker", "beat", "gateway", "registry"):
        (found,) = json.loads(engine.docker("inspect", f"harbor_{service}_1"))
        assert found["Config"]["User"] == "harbor"
        assert found["HostConfig"]["ReadonlyRootfs"] is True
        assert found["HostConfig"]["CapDrop"] == ["ALL"]


def test_an_upgrade_keeps_everything(engine: Engine) -> None:
    full = push(engine, "kept:1")
    keys = engine.docker("exec", "harbor_core_1", "cat", "/secrets/secret_key")
    engine.compose("down")
    engine.compose("up", "-d")
    wait_until(lambda: health(engine) == "healthy", 120, "the new containers to answer")
    pull_again(engine, full)
    assert engine.docker("exec", "harbor_core_1", "cat", "/secrets/secret_key") == keys
    assert "0 violations" in engine.docker("exec", "harbor_core_1", "harbor", "manage", "verify")
    assert "of this release already" in engine.docker("exec", "harbor_core_1", "harbor", "manage", "check_upgrade")


def test_commands_of_day_two(engine: Engine) -> None:
    manage = ("exec", "harbor_core_1", "harbor", "manage")
    said = engine.docker(*manage, "doctor")
    assert "\nerror" not in f"\n{said}", said
    engine.docker(*manage, "backup", "/tmp/backups")
    assert "good: " in engine.docker(*manage, "restore", "/tmp/backups", "--verify")
    assert "version: 1" in engine.docker(*manage, "config_export")


def test_no_secret_is_readable_by_others(engine: Engine) -> None:
    listing = engine.docker("exec", "harbor_core_1", "find", "/secrets", "-type", "f", "-perm", "/077")
    assert listing.split() == ["/secrets/database_password"]  # the database's own image reads it as another account


def test_tls_with_an_authority_of_its_own(engine: Engine) -> None:
    port = free_port()
    url = f"https://127.0.0.1:{port}"
    site = Site(engine, "tls")
    site.write(".env", {"HARBOR_TLS": "self-signed", "HARBOR_HTTP_PORT": str(port), "HARBOR_EXTERNAL_URL": url,
                        "HARBOR_ADMIN_PASSWORD": PASSWORD})  # fmt: skip
    with site:
        blind = ssl._create_unverified_context()
        wait_until(lambda: health(engine, url, blind) == "healthy", 120, "the stack with TLS to be healthy")
        with urllib.request.urlopen(f"{url}/api/v2.0/systeminfo/getcert", timeout=10, context=blind) as answer:
            trusting = ssl.create_default_context(cadata=answer.read().decode())
        assert ask(url, "/api/v2.0/systeminfo", trusting)["auth_mode"] == "db_auth"
        pull_again(engine, push(engine, "tls:1", url))


def test_tls_between_the_containers(engine: Engine) -> None:
    """Each by the certificate that was made at the first start, and none in the clear."""
    port, metrics = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    site = Site(engine, "inside", ("compose.metrics.yaml",))
    site.write(".env", {"INTERNAL_TLS_ENABLED": "true", "HARBOR_HTTP_PORT": str(port), "HARBOR_EXTERNAL_URL": url,
                        "HARBOR_ADMIN_PASSWORD": PASSWORD, "HARBOR_METRICS_PORT": f"127.0.0.1:{metrics}"})  # fmt: skip
    with site:
        wait_until(lambda: health(engine, url) == "healthy", 120, "the stack with TLS inside to be healthy")
        pull_again(engine, push(engine, "inside:1", url))
        numbers = f"http://127.0.0.1:{metrics}/metrics"
        wait_until(lambda: "harbor_up" in _numbers(numbers), 60, "the exporter to answer")
        assert 'harbor_up{component="core"} 1.0' in read(numbers)
        for name, inside in (("core", 8000), ("waiting", 8000), ("registry", 5000), ("exporter", 8001)):
            question = (
                f"import http.client as h; c = h.HTTPConnection('{name}', {inside}); c.request('GET', '/')\n"
                "try: print(c.getresponse().status)\n"
                "except Exception: print('refused')\n"
            )
            said = engine.docker("exec", "inside_core_1", "python", "-c", question).strip()
            assert said in ("refused", "400"), name
        assert "\nerror" not in "\n" + engine.docker("exec", "inside_core_1", "harbor", "manage", "doctor")


def test_object_storage(engine: Engine) -> None:
    """Blobs and manifests in an S3 server; clients fetch blobs from there."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = S3(engine.address)
    site = Site(engine, "s3")
    storage = {name: value for name, value in server.environment.items() if name != "HARBOR_STORAGE_DRIVER"}
    site.write("storage.env", storage)
    site.write(".env", {"HARBOR_STORAGE_DRIVER": "s3", "HARBOR_HTTP_PORT": str(port), "HARBOR_EXTERNAL_URL": url,
                        "HARBOR_ADMIN_PASSWORD": PASSWORD})  # fmt: skip
    try:
        with site:
            wait_until(lambda: health(engine, url) == "healthy", 120, "the stack with object storage to be healthy")
            pull_again(engine, push(engine, "s3:1", url))
            keys = [item["Key"] for item in server.client().list_objects_v2(Bucket=S3_BUCKET)["Contents"]]
            assert len([key for key in keys if key.endswith("/data")]) == 3
            assert "0 violations" in engine.docker("exec", "s3_core_1", "harbor", "manage", "verify")
    finally:
        server.stop()


def test_harbor_yml(engine: Engine) -> None:
    """Harbor's own configuration file: a certificate of one's own, metrics."""
    port, metrics = free_port(), free_port()
    url = f"https://127.0.0.1:{port}"
    certificates = engine.folder / "certificates"
    ensure_certificate(certificates, [url])
    for name in ("server.crt", "server.key"):
        os.chown(certificates / name, 10000, 10000)
    certificates.chmod(0o755)
    document = {
        "hostname": "127.0.0.1",
        "https": {
            "port": port,
            "certificate": str(certificates / "server.crt"),
            "private_key": str(certificates / "server.key"),
        },
        "harbor_admin_password": PASSWORD,
        "metric": {"enabled": True, "port": metrics},
        "log": {"level": "warning"},
        "jobservice": {"max_job_workers": 3},
    }
    site = Site(engine, "file", ("compose.tls.yaml", "compose.metrics.yaml"))
    translate = ("run", "--rm", "-i", "harbor/harbor:latest", "manage", "harbor_yml")
    (site.folder / ".env").write_text(engine.docker(*translate, stdin=yaml.safe_dump(document).encode()))
    with site:
        trusting = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
        wait_until(lambda: health(engine, url, trusting) == "healthy", 120, "the stack of the file to be healthy")
        pull_again(engine, push(engine, "file:1", url))
        numbers = f"http://127.0.0.1:{metrics}/metrics"
        wait_until(lambda: "harbor_up" in _numbers(numbers), 60, "the exporter to answer")
        told = read(numbers)
        assert 'harbor_up{component="core"} 1.0' in told and 'harbor_project_total{public="true"} 1.0' in told
        assert "harbor_core_http_request_total" in read(f"{numbers}?comp=core")
        assert "harbor_jobservice_info" in read(f"{numbers}?comp=jobservice")
        sent = re.compile(r'harbor_gateway_sent_bytes_total\{operation="blob"\} [1-9]')
        wait_until(lambda: sent.search(read(f"{numbers}?comp=gateway")), 20, "the gateway's bytes")
        assert "registry_storage_action_seconds" in read(f"{numbers}?comp=registry")
        found = json.loads(engine.docker("inspect", "file_exporter_1"))[0]
        assert found["HostConfig"]["ReadonlyRootfs"] is True and found["Config"]["User"] == "harbor"


def _numbers(url: str) -> str:
    try:
        return read(url)
    except OSError:
        return ""

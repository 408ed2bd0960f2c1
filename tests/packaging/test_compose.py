"""The compose file for real: stand-in bases, our images, the whole stack on a private Docker Engine.

Takes minutes and needs root, so it has a target of its own: ``make test-compose``.
"""

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clients import root_filesystem
from tests.support.services import Service, clean_environment, connects, find, free_port, wait_until
from tests.support.stack import ROOT

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1800)]  # images are built
PASSWORD = "Compose-Passw0rd"
HERE = Path(__file__).parent


class Engine(Service):
    """A Docker Engine with a network of its own."""

    def __init__(self) -> None:
        super().__init__("compose")
        self.socket = self.folder / "docker.sock"
        self.spawn(
            [
                *(find("dockerd"), "--host", f"unix://{self.socket}", "--data-root", str(self.folder / "data")),
                *("--exec-root", str(self.folder / "exec"), "--pidfile", str(self.folder / "pid")),
                *("--log-level", "warn"),
            ],
            lambda: connects(self.socket),
        )

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

    def compose(self, *argv: str) -> str:
        files = ("--project-directory", "docker", "-f", "docker/compose.yaml")
        return self.run("docker-compose", "-p", "harbor", *files, *argv)


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
        engine.compose("build")
        engine.compose("up", "-d")
        wait_until(lambda: health(engine) == "healthy", 120, "every component to be healthy")
        yield engine
        engine.compose("down", "--volumes")
    finally:
        engine.stop()


def ask(engine: Engine, path: str) -> Any:
    with urllib.request.urlopen(engine.settings["HARBOR_EXTERNAL_URL"] + path, timeout=10) as answer:
        return json.load(answer)


def health(engine: Engine) -> str:
    try:
        return str(ask(engine, "/api/v2.0/health")["status"])
    except OSError:
        return "unreachable"


def name(engine: Engine, image: str) -> str:
    return engine.settings["HARBOR_EXTERNAL_URL"].partition("://")[2] + f"/library/{image}"


def push(engine: Engine, image: str) -> str:
    full = name(engine, image)
    engine.docker("login", "--username", "admin", "--password-stdin", full.partition("/")[0], stdin=PASSWORD.encode())
    engine.docker("import", "-", full, stdin=root_filesystem(image.encode() * 1000))
    engine.docker("push", full)
    return full


def pull_again(engine: Engine, full: str) -> None:
    engine.docker("rmi", full)
    engine.docker("pull", full)


def test_push_and_pull(engine: Engine) -> None:
    pull_again(engine, push(engine, "first:1"))
    assert ask(engine, "/api/v2.0/search?q=first")["repository"][0]["repository_name"] == "library/first"


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


def test_no_secret_is_readable_by_others(engine: Engine) -> None:
    listing = engine.docker("exec", "harbor_core_1", "find", "/secrets", "-type", "f", "-perm", "/077")
    assert listing.split() == ["/secrets/database_password"]  # the database's own image reads it as another account

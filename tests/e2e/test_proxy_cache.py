"""Real clients pull an image of two platforms through a proxy project, and go on when its upstream is gone."""

import uuid
from collections.abc import Iterator

import pytest

from tests.e2e.clients import Containerd, Containers, Docker
from tests.replication.test_proxy_cache import proxy
from tests.replication.test_replication import push_index
from tests.support.services import wait_until
from tests.support.stack import Stack
from tests.support.upstream import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    served = Upstream()
    yield served
    served.stop()


@pytest.fixture
def name(stack: Stack, upstream: Upstream) -> str:
    """Of an image behind a proxy of Docker Hub, without the host."""
    image = f"n{uuid.uuid4().hex[:8]}"
    with upstream.client() as there, stack.api() as api:
        push_index(there, f"library/{image}", "1.0")
        return f"{proxy(api, upstream, 'docker-hub')}/library/{image}:1.0"


def whole(stack: Stack, name: str) -> bool:
    """Is the image here with its child for amd64?"""
    project, _, rest = name.partition(":")[0].partition("/")
    with stack.api() as api:
        rows = api.get(f"/api/v2.0/projects/{project}/repositories/{rest.replace('/', '%252F')}/artifacts").json()
    return isinstance(rows, list) and any(row["size"] > 50_000 for row in rows)


def test_docker(docker: Docker, stack: Stack, upstream: Upstream, name: str) -> None:
    host = f"127.0.0.1:{stack.port}"
    docker.login(host, stack.admin).ok()
    short = f"{host}/{name}".replace("/library/", "/")
    docker("pull", short).ok()  # as people type it: the answer is a redirect
    docker("rmi", "--force", short).ok()
    wait_until(lambda: whole(stack, name), 120, "the image to be stored")
    upstream.close()
    docker("pull", f"{host}/{name}").ok()
    assert len(docker.read(f"{host}/{name}")) == 50_000
    docker("rmi", "--force", f"{host}/{name}").ok()


def test_podman(containers: Containers, stack: Stack, upstream: Upstream, name: str) -> None:
    image, user = f"{stack.registry}/{name}", ("--username", stack.admin[0], "--password-stdin", stack.registry)
    containers.podman("login", "--tls-verify=false", *user, stdin=stack.admin[1].encode()).ok()
    for _ in range(2):
        containers.podman("pull", "--tls-verify=false", "--arch", "amd64", image).ok()
        assert len(containers.read(image)) == 50_000
        containers.podman("rmi", "--all", "--force").ok()
        wait_until(lambda: whole(stack, name), 120, "the image to be stored")
        upstream.close()
    containers.podman("logout", stack.registry).ok()


def test_containerd(containerd: Containerd, stack: Stack, upstream: Upstream, name: str) -> None:
    image, user = f"{stack.registry}/{name}", ("--user", ":".join(stack.admin))
    for _ in range(2):
        containerd.ctr("images", "pull", "--snapshotter", "native", "--plain-http", *user, image).ok()
        containerd.ctr("images", "rm", "--sync", image).ok()
        wait_until(lambda: whole(stack, name), 120, "the image to be stored")
        upstream.close()

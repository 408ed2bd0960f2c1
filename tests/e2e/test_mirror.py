"""Container runtimes pull another registry's images through a proxy project with the settings the portal shows."""

import uuid
from collections.abc import Iterator

import pytest

from portal.commands import registry_of
from portal.mirror_guides import MirrorGuide, mirror_guides
from replication.models import Registry
from tests.e2e.clients import Containerd, Containers, Docker
from tests.replication.test_proxy_cache import proxy
from tests.replication.test_proxy_mirror import until_known
from tests.replication.test_replication import push_index
from tests.support.services import wait_until
from tests.support.stack import Stack
from tests.support.upstream import Upstream

HUB = Registry(type="docker-hub", url="https://hub.docker.com")
OTHER = Registry(type="docker-registry", url="https://far.example")


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    served = Upstream()
    yield served
    served.stop()


@pytest.fixture
def image(upstream: Upstream) -> str:
    """The short name of an image of Docker Hub, as far as clients can tell."""
    name = f"n{uuid.uuid4().hex[:8]}"
    with upstream.client() as there:
        push_index(there, f"library/{name}", "1.0")
    return name


def guide(stack: Stack, tool: str, remote: Registry, project: str, *names: str) -> MirrorGuide:
    found = mirror_guides(registry_of(stack.url), remote, project, names)
    return next(one for one in found if one.tool == tool)


def cache(stack: Stack, upstream: Upstream, remote: Registry, *names: str) -> str:
    """A public proxy project under these names."""
    with stack.api() as api:
        project = proxy(api, upstream, remote.type, public="true", proxy_mirror_names=",".join(names))
    if names:
        until_known(stack, project, *names)
    return project


@pytest.mark.parametrize(("remote", "host", "is_bound"), [(HUB, "docker.io", True), (OTHER, "far.example", False)])
def test_containerd(
    containerd: Containerd, stack: Stack, upstream: Upstream, image: str, remote: Registry, host: str, is_bound: bool
) -> None:
    """By what it calls the registry, and, where that is bound to nothing, with the project in the path."""
    names = (host,) if is_bound else ()
    project = cache(stack, upstream, remote, *names)
    shown = guide(stack, "containerd", remote, project, *names)
    assert ("override_path" in shown.text) == (not is_bound) and f"/{host}/hosts.toml" in shown.file
    folder = containerd.hosts / host
    folder.mkdir()
    (folder / "hosts.toml").write_text(shown.text, encoding="utf-8")
    reference = f"{host}/library/{image}:1.0"
    pull = ("images", "pull", "--snapshotter", "native", "--hosts-dir", str(containerd.hosts))
    containerd.ctr(*pull, reference).ok()
    containerd.cri_pull(reference, None).ok()
    assert upstream.times("GET", f"/library/{image}/manifests/") == 2  # the index and one child, for both


def test_podman(containers: Containers, stack: Stack, upstream: Upstream, image: str) -> None:
    project = cache(stack, upstream, HUB)
    settings = containers.folder / "registries.conf"
    settings.write_text(guide(stack, "podman", HUB, project).text, encoding="utf-8")
    reference = f"docker.io/library/{image}:1.0"
    # Nobody has signed in, where the credentials would be.
    env = {"CONTAINERS_REGISTRIES_CONF": str(settings), "REGISTRY_AUTH_FILE": str(containers.folder / "none.json")}
    (containers.folder / "none.json").write_text("{}", encoding="utf-8")
    containers.podman("pull", "--arch", "amd64", reference, env=env).ok()
    assert len(containers.read(reference)) == 50_000
    containers.podman("rmi", "--all", "--force").ok()
    assert upstream.times("GET", f"/library/{image}/blobs/") >= 2


def test_docker(docker: Docker, stack: Stack, upstream: Upstream, image: str) -> None:
    project = cache(stack, upstream, HUB, Docker.MIRROR)
    docker.configure(guide(stack, "docker", HUB, project, Docker.MIRROR).text)
    try:
        wait_until(lambda: Docker.MIRROR in docker("info").stdout, 30, "the engine to know the mirror")
        docker("pull", f"{image}:1.0").ok()
        assert len(docker.read(f"{image}:1.0")) == 50_000
        docker("rmi", "--force", f"{image}:1.0").ok()
    finally:
        docker.configure("{}")
    assert upstream.times("GET", f"/library/{image}/blobs/") >= 2

"""The docker engine: what its users type."""

import json
import os
import uuid

import pytest

from tests.e2e import people
from tests.e2e.clients import Docker
from tests.support.stack import Stack

MEGABYTES_64 = 64 * 1024 * 1024


@pytest.fixture
def host(site: Stack, docker: Docker) -> str:
    """The registry's name for the engine, with the administrator signed in."""
    if site.url.startswith("https:"):
        docker.trust(site.registry, site.ca_file)
        name = site.registry
    else:
        name = f"127.0.0.1:{site.port}"
    assert "Login Succeeded" in docker.login(name, site.admin).ok()
    return name


def test_push_and_pull_by_tag_and_digest(docker: Docker, host: str) -> None:
    image, content = f"{host}/library/docker-{uuid.uuid4().hex[:8]}", os.urandom(200_000)
    docker.build(f"{image}:1.0", content)
    pushed = docker("push", f"{image}:1.0").ok()
    digest = pushed.partition("digest: ")[2].split()[0]
    for reference in (f"{image}:1.0", f"{image}@{digest}"):
        docker("rmi", "--force", f"{image}:1.0").ok()
        docker("pull", reference).ok()
        assert docker.read(reference) == content


def test_multi_arch_index(docker: Docker, stack: Stack) -> None:
    host = f"127.0.0.1:{stack.port}"
    docker.login(host, stack.admin).ok()
    image = f"{host}/library/multi-{uuid.uuid4().hex[:8]}"
    contents = {"amd64": os.urandom(1000), "arm64": os.urandom(1000)}
    for architecture, content in contents.items():
        docker.build(f"{image}:{architecture}", content)
        docker("push", f"{image}:{architecture}").ok()
    docker("manifest", "create", "--insecure", f"{image}:1.0", f"{image}:amd64", f"{image}:arm64").ok()
    docker("manifest", "annotate", "--arch", "arm64", f"{image}:1.0", f"{image}:arm64").ok()
    docker("manifest", "push", "--insecure", f"{image}:1.0").ok()
    listed = json.loads(docker("manifest", "inspect", "--insecure", f"{image}:1.0").ok())
    assert {entry["platform"]["architecture"] for entry in listed["manifests"]} == contents.keys()
    for architecture, content in contents.items():
        docker("rmi", "--force", f"{image}:{architecture}").ok()
        docker("pull", "--platform", f"linux/{architecture}", f"{image}:1.0").ok()
        assert docker.read(f"{image}:1.0") == content
        docker("rmi", "--force", f"{image}:1.0").ok()


def test_wrong_password_and_missing_right(docker: Docker, stack: Stack) -> None:
    host, stranger, guest = f"127.0.0.1:{stack.port}", people.account(stack), people.account(stack)
    docker.login(host, (stranger[0], "wrong")).refused("unauthorized")
    secret = people.project(stack)
    people.member(stack, secret, guest, people.Role.GUEST)
    docker.build(f"{host}/{secret}/app:1.0", b"content")
    docker.login(host, stranger).ok()
    docker("push", f"{host}/{secret}/app:1.0").refused("denied", "unauthorized")
    docker("pull", f"{host}/{secret}/app:1.0").refused("denied", "unauthorized")
    docker.login(host, stack.admin).ok()
    docker("push", f"{host}/{secret}/app:1.0").ok()
    docker.login(host, guest).ok()
    docker("pull", f"{host}/{secret}/app:1.0").ok()
    docker("push", f"{host}/{secret}/app:2.0").refused("does not exist")
    docker("tag", f"{host}/{secret}/app:1.0", f"{host}/{secret}/app:2.0").ok()
    docker("push", f"{host}/{secret}/app:2.0").refused("denied", "unauthorized")
    docker("logout", host).ok()
    docker("pull", f"{host}/{secret}/app:1.0").refused("denied", "unauthorized")


@pytest.mark.slow
def test_an_unknown_authority_is_refused(docker: Docker) -> None:
    with Stack() as other:
        other.start(database="sqlite", tls=True)
        docker.login(other.registry, other.admin).refused("unknown authority")


@pytest.mark.slow
def test_a_layer_of_64_megabytes(docker: Docker, host: str) -> None:
    image, content = f"{host}/library/large-{uuid.uuid4().hex[:8]}:1.0", os.urandom(MEGABYTES_64)
    docker.build(image, content)
    docker("push", image).ok()
    docker("rmi", "--force", image).ok()
    docker("pull", image).ok()
    assert docker.read(image) == content

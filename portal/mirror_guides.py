"""What container runtimes must be told so that they pull another registry's images through a proxy project.

Names of projects and hosts have passed their grammar; what an administrator typed (a registry's address) is quoted.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from portal.commands import Registry
from replication.models import Registry as Remote

DOCKER_HUB, DOCKER_HUB_SERVER = "docker.io", "https://registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class MirrorGuide:
    """The content of a file on each machine that pulls."""

    tool: str
    file: str
    text: str


def name_of(remote: Remote) -> str:
    """As it stands in the names of images, and as containerd calls it."""
    return DOCKER_HUB if remote.type == "docker-hub" else remote.url.partition("://")[2].partition("/")[0].lower()


def mirror_guides(registry: Registry, remote: Remote, project: str, names: Sequence[str]) -> list[MirrorGuide]:
    """``names`` are those the project is bound to. Docker has no place for a project in an address: it is told only
    where a host name leads to the project alone."""
    upstream = name_of(remote)
    guides = [_containerd(registry, remote, project, upstream in names), _podman(registry, upstream, project)]
    hosts = [name for name in names if name != upstream]
    if upstream == DOCKER_HUB and hosts:
        guides.insert(0, _docker(registry, hosts[0]))
    return guides


def _address(registry: Registry, host: str) -> str:
    return f"{'http' if registry.plain_http else 'https'}://{host}"


def _docker(registry: Registry, host: str) -> MirrorGuide:
    _, colon, port = registry.host.rpartition(":")
    mirror = host if ":" in host or not colon or not port.isdigit() else f"{host}:{port}"
    return MirrorGuide(
        "docker", "/etc/docker/daemon.json", json.dumps({"registry-mirrors": [_address(registry, mirror)]}, indent=2)
    )


def _containerd(registry: Registry, remote: Remote, project: str, bound: bool) -> MirrorGuide:
    """containerd says whose image it wants (``ns``); where that leads nowhere, the path has to name the project."""
    upstream = name_of(remote)
    server = DOCKER_HUB_SERVER if upstream == DOCKER_HUB else remote.url
    path = "" if bound else f"/v2/{project}"
    lines = [
        f"server = {json.dumps(server)}",
        "",
        f"[host.{json.dumps(_address(registry, registry.host) + path)}]",
        '  capabilities = ["pull", "resolve"]',
        *([] if bound else ["  override_path = true"]),
    ]
    return MirrorGuide("containerd", f"/etc/containerd/certs.d/{upstream}/hosts.toml", "\n".join(lines))


def _podman(registry: Registry, upstream: str, project: str) -> MirrorGuide:
    lines = [
        "[[registry]]",
        f"prefix = {json.dumps(upstream)}",
        f"location = {json.dumps(upstream)}",
        "",
        "[[registry.mirror]]",
        f"location = {json.dumps(f'{registry.host}/{project}')}",
        *(["insecure = true"] if registry.plain_http else []),
    ]
    return MirrorGuide("podman", f"/etc/containers/registries.conf.d/{project}.conf", "\n".join(lines))

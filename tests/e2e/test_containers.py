"""podman, buildah and skopeo: one library, three ways to use it."""

import json
import os
import uuid
from pathlib import Path

import pytest

from tests.e2e import people
from tests.e2e.clients import Containers, docker_config, root_filesystem
from tests.support import oci
from tests.support.stack import Stack

MEGABYTES_64 = 64 * 1024 * 1024


def trust(containers: Containers, site: Stack, prefix: str = "") -> tuple[str, ...]:
    """The option that makes a client accept this registry; ``prefix`` is skopeo's ``src-`` or ``dest-``."""
    if site.url.startswith("http:"):
        return (f"--{prefix}tls-verify=false",)
    return (f"--{prefix}cert-dir", str(containers.trust(str(site.port), site.ca_file)))


def test_podman_pushes_and_pulls_by_tag_and_digest(containers: Containers, site: Stack) -> None:
    image, content = f"{site.registry}/library/podman-{uuid.uuid4().hex[:8]}", os.urandom(200_000)
    tls, podman = trust(containers, site), containers.podman
    signed_in = podman(
        *("login", *tls, "--username", site.admin[0], "--password-stdin", site.registry), stdin=site.admin[1].encode()
    )
    assert "Login Succeeded" in signed_in.ok()
    podman("import", "-", f"{image}:1.0", stdin=root_filesystem(content)).ok()
    digest_file = containers.folder / "digest"
    podman("push", *tls, "--digestfile", digest_file, f"{image}:1.0").ok()
    for reference in (f"{image}:1.0", f"{image}@{digest_file.read_text()}"):
        podman("rmi", "--all", "--force").ok()
        podman("pull", *tls, reference).ok()
        assert containers.read(reference) == content
    podman("rmi", "--all", "--force").ok()
    podman("logout", site.registry).ok()


def test_buildah_pushes_a_multi_arch_index(containers: Containers, stack: Stack, tmp_path: Path) -> None:
    image, buildah = f"{stack.registry}/library/buildah-{uuid.uuid4().hex[:8]}", containers.buildah
    tls, credentials = trust(containers, stack), ("--creds", ":".join(stack.admin))
    index, contents = f"index-{uuid.uuid4().hex[:8]}", {"amd64": os.urandom(1000), "arm64": os.urandom(1000)}
    buildah("manifest", "create", index).ok()
    for architecture, content in contents.items():
        (tmp_path / "content").write_bytes(content)
        container = buildah("from", "--arch", architecture, "scratch").ok().strip()
        buildah("copy", container, tmp_path / "content", "/content").ok()
        buildah("commit", "--rm", "--manifest", index, container).ok()
    buildah("manifest", "push", "--all", *tls, *credentials, index, f"docker://{image}:1.0").ok()
    containers.podman("rmi", "--all", "--force").ok()
    listed = json.loads(containers.skopeo("inspect", "--raw", *tls, f"docker://{image}:1.0").ok())
    assert {entry["platform"]["architecture"] for entry in listed["manifests"]} == contents.keys()
    for architecture, content in contents.items():
        containers.podman("pull", *tls, "--arch", architecture, f"{image}:1.0").ok()
        assert containers.read(f"{image}:1.0") == content
        containers.podman("rmi", "--all", "--force").ok()


def test_skopeo_copies_lists_and_deletes(containers: Containers, site: Stack, tmp_path: Path) -> None:
    content, name = oci.image(100_000), f"{site.registry}/library/skopeo-{uuid.uuid4().hex[:8]}"
    source, credentials = oci.layout(tmp_path / "layout", content), ":".join(site.admin)
    tls, from_there, to_there = (trust(containers, site, prefix) for prefix in ("", "src-", "dest-"))
    skopeo = containers.skopeo
    skopeo("copy", *to_there, "--dest-creds", credentials, f"oci:{source}:1.0", f"docker://{name}:1.0").ok()
    skopeo(
        "copy", *from_there, *to_there, "--dest-creds", credentials, f"docker://{name}:1.0", f"docker://{name}-b:1"
    ).ok()
    assert json.loads(skopeo("list-tags", *tls, f"docker://{name}").ok())["Tags"] == ["1.0"]
    skopeo("copy", *from_there, f"docker://{name}-b:1", f"dir:{tmp_path}/pulled").ok()
    assert (tmp_path / "pulled" / oci.digest_of(content.layer).removeprefix("sha256:")).read_bytes() == content.layer
    skopeo("delete", *tls, f"docker://{name}:1.0").refused("unauthorized", "denied")
    skopeo("delete", *tls, "--creds", credentials, f"docker://{name}:1.0").ok()
    skopeo("copy", *from_there, f"docker://{name}:1.0", f"dir:{tmp_path}/gone").refused("unknown")


def test_wrong_password_and_missing_right(containers: Containers, stack: Stack, tmp_path: Path) -> None:
    secret, stranger, developer = people.project(stack), people.account(stack), people.account(stack)
    people.member(stack, secret, developer, people.Role.DEVELOPER)
    source, target = oci.layout(tmp_path / "layout", oci.image()), f"docker://{stack.registry}/{secret}/app:1.0"

    def push(credentials: str) -> tuple[str | Path, ...]:
        return ("copy", "--dest-tls-verify=false", "--dest-creds", credentials, f"oci:{source}:1.0", target)

    containers.skopeo(*push(f"{developer[0]}:wrong")).refused("unauthorized", "wrong user name")
    containers.skopeo(*push(":".join(stranger))).refused("unauthorized", "denied")
    containers.skopeo(*push(":".join(developer))).ok()
    pull = ("copy", "--src-tls-verify=false", target, f"dir:{tmp_path}/pulled")
    containers.skopeo(*pull).refused("unauthorized", "denied")
    containers.skopeo("inspect", "--tls-verify=false", "--creds", ":".join(stranger), target).refused("unauthorized")


def test_the_content_of_an_image_pull_secret(containers: Containers, site: Stack, tmp_path: Path) -> None:
    secret, reader = people.project(site), people.account(site)
    people.member(site, secret, reader, people.Role.GUEST)
    with site.api() as admin:
        assert oci.push(admin, f"{secret}/app", "1.0", oci.image()).status_code == 201
    config = tmp_path / ".dockerconfigjson"
    config.write_text(docker_config(site.registry, reader))
    tls, target = trust(containers, site), f"docker://{site.registry}/{secret}/app:1.0"
    containers.skopeo("inspect", *tls, "--authfile", config, target).ok()
    config.write_text(docker_config(site.registry, people.account(site)))
    containers.skopeo("inspect", *tls, "--authfile", config, target).refused("unauthorized", "denied")


@pytest.mark.slow
def test_an_unknown_authority_is_refused(containers: Containers, stack_tls: Stack, tmp_path: Path) -> None:
    source = oci.layout(tmp_path / "layout", oci.image())
    target = f"docker://{stack_tls.registry}/library/untrusted:1.0"
    done = containers.skopeo("copy", "--dest-creds", ":".join(stack_tls.admin), f"oci:{source}:1.0", target)
    done.refused("unknown authority")


@pytest.mark.slow
def test_a_layer_of_64_megabytes(containers: Containers, site: Stack, tmp_path: Path) -> None:
    image, content = f"{site.registry}/library/large-{uuid.uuid4().hex[:8]}:1.0", os.urandom(MEGABYTES_64)
    tls, credentials = trust(containers, site), ("--creds", ":".join(site.admin))
    containers.podman("import", "-", image, stdin=root_filesystem(content)).ok()
    containers.podman("push", *tls, *credentials, image).ok()
    containers.podman("rmi", "--all", "--force").ok()
    containers.podman("pull", *tls, image).ok()
    assert containers.read(image) == content
    containers.podman("rmi", "--all", "--force").ok()

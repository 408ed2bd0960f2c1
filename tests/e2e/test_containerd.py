"""containerd: ``ctr`` by hand, and the container runtime interface as a kubelet uses it."""

import io
import os
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import people
from tests.e2e.clients import Containerd, Done, run
from tests.support import oci
from tests.support.stack import Stack

MEGABYTES_64 = 64 * 1024 * 1024


@pytest.fixture(scope="module")
def stack_named() -> Iterator[Stack]:
    """https under a name that is not ``localhost``."""
    with Stack() as running:
        yield running.start(
            database="sqlite", tls=True, HARBOR_EXTERNAL_URL=f"https://{Containerd.NAME}:{running.port}"
        )


@pytest.fixture(params=["http", pytest.param("https", marks=pytest.mark.slow)])
def site(request: pytest.FixtureRequest) -> Stack:
    return request.getfixturevalue("stack" if request.param == "http" else "stack_named")


def registry(site: Stack) -> str:
    return site.registry if site.url.startswith("http:") else f"{Containerd.NAME}:{site.port}"


def archive(folder: Path, content: oci.Image, name: str) -> bytes:
    """An OCI layout as a tar, which ``ctr images import`` reads from standard input."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for path in sorted(oci.layout(folder, content, name).rglob("*")):
            tar.add(path, path.relative_to(folder), recursive=False)
    return raw.getvalue()


def options(site: Stack) -> tuple[str, ...]:
    return ("--plain-http",) if site.url.startswith("http:") else ("--tlscacert", str(site.ca_file))


def test_ctr_pushes_and_pulls(containerd: Containerd, site: Stack, tmp_path: Path) -> None:
    image, ctr = oci.image(200_000), containerd.ctr
    name, user = f"{registry(site)}/library/ctr-{uuid.uuid4().hex[:8]}", ("--user", ":".join(site.admin))
    ctr("images", "import", "--base-name", name, "-", stdin=archive(tmp_path / "layout", image, "1.0")).ok()
    ctr("images", "push", *options(site), *user, f"{name}:1.0").ok()
    for reference in (f"{name}:1.0", f"{name}@{image.digest}"):
        ctr("images", "rm", "--sync", f"{name}:1.0").ok()
        assert ctr("content", "get", oci.digest_of(image.layer)).returncode != 0
        ctr("images", "pull", "--snapshotter", "native", *options(site), *user, reference).ok()
        assert oci.digest_of(image.layer) in ctr("content", "ls", "--quiet").ok().split()
        ctr("images", "rm", "--sync", reference).ok()
        ctr("images", "import", "--base-name", name, "-", stdin=archive(tmp_path / reference[-8:], image, "1.0")).ok()


def test_ctr_without_verification_and_with_wrong_passwords(containerd: Containerd, site: Stack) -> None:
    secret, reader = people.project(site), people.account(site)
    people.member(site, secret, reader, people.Role.GUEST)
    with site.api() as admin:
        assert oci.push(admin, f"{secret}/app", "1.0", oci.image()).status_code == 201
    unchecked = ("--plain-http",) if site.url.startswith("http:") else ("-k",)
    name = f"{registry(site)}/{secret}/app:1.0"

    def pull(*user: str) -> Done:
        return containerd.ctr("images", "pull", "--snapshotter", "native", *unchecked, *user, name)

    pull("--user", f"{reader[0]}:wrong").refused("401", "unauthorized", "authorization failed")
    pull("--user", ":".join(people.account(site))).refused("401", "unauthorized", "authorization failed")
    pull().refused("401", "unauthorized", "authorization failed")
    pull("--user", ":".join(reader)).ok()


def test_a_kubelet_pulls_with_an_image_pull_secret(containerd: Containerd, site: Stack) -> None:
    secret, reader = people.project(site), people.account(site)
    people.member(site, secret, reader, people.Role.GUEST)
    image = oci.image(50_000)
    with site.api() as admin:
        assert oci.push(admin, f"{secret}/app", "1.0", image).status_code == 201
    url = f"{site.url.partition('://')[0]}://{registry(site)}"
    containerd.configure(registry(site), url, site.ca_file if url.startswith("https:") else None)
    name = f"{registry(site)}/{secret}/app"
    containerd.cri_pull(f"{name}:1.0", None).refused("401", "unauthorized", "authorization failed")
    containerd.cri_pull(f"{name}:1.0", (reader[0], "wrong")).refused("401", "unauthorized", "authorization failed")
    assert oci.digest_of(image.config) in containerd.cri_pull(f"{name}:1.0", reader).ok()
    containerd.cri_pull(f"{name}@{image.digest}", reader).ok()
    assert f"{name}:1.0" in containerd.ctr("--namespace", "k8s.io", "images", "ls", "--quiet").ok()


@pytest.mark.slow
def test_ctr_checks_the_certificate_against_its_authority(
    containerd: Containerd, stack_named: Stack, tmp_path: Path
) -> None:
    other = tmp_path / "other.crt"
    run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-subj", "/CN=other", "-days", "1", "-keyout", tmp_path / "other.key", "-out", other),
    ).ok()
    with stack_named.api() as admin:
        assert oci.push(admin, "library/app", "1.0", oci.image()).status_code == 201

    def pull(*tls: str | Path) -> Done:
        name, user = f"{registry(stack_named)}/library/app:1.0", ("--user", ":".join(stack_named.admin))
        return containerd.ctr("images", "pull", "--snapshotter", "native", *tls, *user, name)

    pull().refused("unknown authority")
    pull("--tlscacert", other).refused("unknown authority")
    pull("--tlscacert", stack_named.ca_file).ok()
    pull("-k").ok()


@pytest.mark.slow
def test_a_layer_of_64_megabytes(containerd: Containerd, site: Stack, tmp_path: Path) -> None:
    image, ctr = oci.image(MEGABYTES_64), containerd.ctr
    name, user = f"{registry(site)}/library/large-{os.urandom(4).hex()}", ("--user", ":".join(site.admin))
    ctr("images", "import", "--base-name", name, "-", stdin=archive(tmp_path / "layout", image, "1.0")).ok()
    ctr("images", "push", *options(site), *user, f"{name}:1.0").ok()
    ctr("images", "rm", "--sync", f"{name}:1.0").ok()
    ctr("images", "pull", "--snapshotter", "native", *options(site), *user, f"{name}:1.0").ok()

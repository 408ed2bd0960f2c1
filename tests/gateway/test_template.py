"""The renderer and the configurations it makes, checked by nginx itself."""

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from harbor_core import gateway
from harbor_core.env import ConfigError
from harbor_core.gateway import Gateway, render
from harbor_core.lib import names
from harbor_core.standalone import tls
from tests.support.services import clean_environment, find


@pytest.fixture
def base(tmp_path: Path) -> Gateway:
    (tmp_path / "gateway").mkdir()
    return Gateway(
        core=f"unix:{tmp_path}/core.sock",
        registry=f"unix:{tmp_path}/registry.sock",
        run_dir=tmp_path,
        static_root=tmp_path,
        external_url="https://registry.test",
        listen=("127.0.0.1",),
        storage_root=tmp_path / "registry",
        worker_user="root" if os.geteuid() == 0 else "",
    )


def accepted(configuration: str, folder: Path) -> None:
    (folder / "nginx.conf").write_text(configuration, encoding="utf-8")
    command = [find("nginx"), "-t", "-q", "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", "stderr"]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nginx_accepts_every_variant(base: Gateway, tmp_path: Path) -> None:
    tls.ensure_certificate(tmp_path / "tls", ("https://registry.test",))
    files = tmp_path / "tls" / "server.crt", tmp_path / "tls" / "server.key"
    for variant in (
        base,
        replace(base, storage_root=None),
        replace(base, tls=files),
        replace(base, core="127.0.0.1:8000", registry="127.0.0.1:5000"),
        replace(base, trusted_proxies=("10.0.0.0/8", "fd00::/8")),
        replace(base, log_level="error"),
        replace(base, waiting=f"unix:{tmp_path}/waiting.sock"),
        replace(base, metrics="127.0.0.1:9090", traffic="127.0.0.1:9090"),
        replace(base, metrics="127.0.0.1:9090", traffic="127.0.0.1:9090", storage_root=None, log_level="error"),
        replace(base, tracing=True),
        replace(base, tracing=True, log_format="json"),
        replace(base, core="localhost:8000", registry="localhost:5000", internal_ca=str(tmp_path / "tls" / "ca.crt")),
    ):
        accepted(render(variant), tmp_path)


@pytest.mark.parametrize("level", ["info", "warning"])
def test_traffic_is_told_whatever_is_logged(base: Gateway, level: str) -> None:
    """``access_log off`` would end every log beside it."""
    assert "access_log off;" in _head(render(replace(base, log_level="warning")))
    told = _head(render(replace(base, traffic="127.0.0.1:9091", log_level=level)))
    assert "access_log syslog:server=127.0.0.1:9091" in told and "access_log off;" not in told
    assert ("access_log /dev/stdout" in told) == (level == "info")


def _head(configuration: str) -> str:
    """What stands before the first server."""
    return configuration.partition("    server {")[0]


def test_nothing_of_the_template_language_is_left(base: Gateway) -> None:
    assert not re.search(r"^#@|@@", render(base), re.MULTILINE)


@pytest.mark.parametrize("value", ["/srv/a b", "/srv/x;}", '/srv/"', "/srv/$uri", "/srv/\n"])
def test_a_value_that_nginx_would_read_as_syntax_is_refused(base: Gateway, value: str) -> None:
    with pytest.raises(ConfigError):
        render(replace(base, storage_root=Path(value)))


@pytest.mark.parametrize("value", ["example.com", "10.0.0.0/33", "10.0.0.1; }"])
def test_trusted_proxies_are_addresses(base: Gateway, value: str) -> None:
    with pytest.raises(ConfigError):
        render(replace(base, trusted_proxies=(value,)))


def test_without_the_volume_blobs_go_to_core(base: Gateway) -> None:
    assert "/_authz/blob" not in render(replace(base, storage_root=None))
    assert "/_authz/upload" in render(replace(base, storage_root=None))


def test_the_repository_grammar_is_the_one_core_uses() -> None:
    """One grammar, spelled twice: the location's must be core's, with the length as a look-ahead."""
    text = gateway.TEMPLATE.read_text(encoding="utf-8")
    spelled = re.search(r"#@define repository\n(.+)\n", text)
    assert spelled is not None
    assert spelled.group(1) == rf"(?<repo>(?=.{{1,{names.REPOSITORY_MAX}}}/blobs/){names.REPOSITORY})"


def test_what_images_render_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("HARBOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HARBOR_CORE_URL", "http://core:8000")
    monkeypatch.setenv("HARBOR_REGISTRY_URL", "http://registry:5000/")
    monkeypatch.setenv("HARBOR_STORAGE_DRIVER", "s3")
    monkeypatch.setenv("HARBOR_TRUSTED_PROXIES", "10.1.0.0/16")
    made = gateway.from_environment()
    assert (made.core, made.registry, made.storage_root) == ("core:8000", "registry:5000", None)
    assert "set_real_ip_from 10.1.0.0/16;" in render(made)

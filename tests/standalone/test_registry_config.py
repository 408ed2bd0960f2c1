"""registry:2's configuration for every driver, read back as YAML and by docker-registry itself."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from harbor_core.env import ConfigError
from harbor_core.registry_config import DRIVERS, RegistryConfig, render, storage_options
from harbor_core.standalone import tls
from tests.support.services import clean_environment, find

OPTIONS = {
    "filesystem": {"rootdirectory": "/srv/registry", "maxthreads": "100"},
    "s3": {"bucket": "b", "region": "eu-west-1", "secretkey": "0123456789", "secure": "false", "chunksize": "5242880"},
    "gcs": {"bucket": "b", "keyfile": "/keys/gcs.json"},
    "azure": {"accountname": "a", "accountkey": "a2V5", "container": "c"},
    "swift": {"authurl": "http://127.0.0.1:1/v3", "username": "u", "password": "12345", "container": "c"},
    "oss": {"accesskeyid": "a", "accesskeysecret": "s", "region": "r", "bucket": "b", "internal": "true"},
}
# Debian's docker-registry is built without these; the upstream image has them.
NOT_IN_DEBIAN = {"gcs", "azure", "oss"}


def configuration(driver: str, folder: Path) -> str:
    tls.ensure_certificate(folder / "tls", ())
    return render(
        RegistryConfig(
            address=f"unix:{folder}/registry.sock",
            http_secret='quoted " and \\ too',
            driver=driver,
            options=OPTIONS[driver],
            redirect=driver != "filesystem",
            external_url="https://registry.test",
            trusted_certificate=folder / "tls" / "ca.crt",
        )
    )


@pytest.mark.parametrize("driver", sorted(DRIVERS))
def test_what_every_driver_needs(driver: str, tmp_path: Path) -> None:
    made = yaml.safe_load(configuration(driver, tmp_path))
    assert set(made["storage"]) == {driver, "delete", "redirect", "maintenance"}
    assert made["storage"]["maintenance"]["uploadpurging"] == {"enabled": False}
    assert made["storage"]["redirect"] == {"disable": driver == "filesystem"}
    assert made["http"]["relativeurls"] is True
    assert made["http"]["secret"] == 'quoted " and \\ too'
    assert made["auth"]["token"]["realm"] == "https://registry.test/service/token"
    given = made["storage"][driver]
    assert {name: str(value).lower() for name, value in given.items()} == {
        name: value.lower() for name, value in OPTIONS[driver].items()
    }


def test_secrets_made_of_digits_stay_text(tmp_path: Path) -> None:
    storage = yaml.safe_load(configuration("s3", tmp_path))["storage"]["s3"]
    assert storage["secretkey"] == "0123456789"
    assert (storage["secure"], storage["chunksize"]) == (False, 5242880)


@pytest.mark.parametrize("driver", sorted(DRIVERS))
def test_docker_registry_reads_it(driver: str, tmp_path: Path) -> None:
    """The program gets as far as its driver: it serves, or says that this driver is not built in or not reachable."""
    (tmp_path / "registry.yml").write_text(configuration(driver, tmp_path), encoding="utf-8")
    command = [find("docker-registry"), "serve", str(tmp_path / "registry.yml")]
    process = subprocess.Popen(
        command, env=clean_environment(), cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    try:
        _, said = process.communicate(timeout=4)
        expected = f"StorageDriver not registered: {driver}" if driver in NOT_IN_DEBIAN else "authentication failed"
        assert expected in said
        assert driver in NOT_IN_DEBIAN | {"swift"}
    except subprocess.TimeoutExpired:
        assert (tmp_path / "registry.sock").is_socket()
        assert driver in ("filesystem", "s3")
    finally:
        process.kill()
        process.communicate()


def test_options_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("HARBOR_STORAGE_")]:
        monkeypatch.delenv(name)
    (tmp_path / "secret").write_text("from a file\n", encoding="utf-8")
    monkeypatch.setenv("HARBOR_STORAGE_S3_BUCKET", "b")
    monkeypatch.setenv("HARBOR_STORAGE_S3_REGION", "r")
    monkeypatch.setenv("HARBOR_STORAGE_S3_SECRETKEY_FILE", str(tmp_path / "secret"))
    assert storage_options("s3") == {"bucket": "b", "region": "r", "secretkey": "from a file"}
    monkeypatch.setenv("HARBOR_STORAGE_S3_COLOUR", "red")
    with pytest.raises(ConfigError, match="HARBOR_STORAGE_S3_COLOUR"):
        storage_options("s3")

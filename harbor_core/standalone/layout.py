"""Folders, secrets and configuration files of the standalone registry."""

import fcntl
import grp
import os
import secrets
import stat
from pathlib import Path
from typing import IO

from harbor_core import gateway, registry_config
from harbor_core.env import ConfigError, env_str
from harbor_core.standalone import tls
from harbor_core.standalone.config import GATEWAY_ACCOUNT, Config
from harbor_core.standalone.process import say
from harbor_core.standalone.programs import stdout_can_be_reopened

SECRETS = ("secret_key", "registry_http_secret")


def lock(config: Config) -> IO[str]:
    """Hold the data folder; a second supervisor on it is refused. Keep the returned file open."""
    file = (config.data_dir / ".lock").open("w", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise ConfigError(f"HARBOR_DATA_DIR: {config.data_dir} is in use by another running registry.") from None
    return file


def prepare(config: Config) -> None:
    """Create what is missing. The run folder is shared with the gateway's account, secrets and keys with nobody."""
    shared = _gateway_group(config)
    _folder(config.run_dir, shared)
    for stale in (*config.run_dir.glob("*.sock"), *config.run_dir.glob("*.pid"), *config.run_dir.glob("metrics/*.db")):
        stale.unlink()
    _folder(config.data_dir / "static", shared)
    for name in ("secrets", "keys"):
        _folder(config.data_dir / name, None)
    if config.storage_root is not None:
        _folder(config.storage_root, shared)
    _enterable(config.data_dir, shared)
    for name in SECRETS:
        _secret(config.data_dir / "secrets" / name)
    renew_certificate(config)


def renew_certificate(config: Config) -> bool:
    """With HARBOR_TLS=self-signed: make or renew the certificate. Returns whether the gateway must read it again."""
    if config.tls != "self-signed":
        return False
    return tls.ensure_certificate(config.data_dir / "tls", (config.external_url, *config.public_urls))


def write_configurations(config: Config) -> None:
    """``registry.yml`` and ``nginx.conf`` in the run folder. Raises ConfigError for a value they cannot hold."""
    made = (config.data_dir / "secrets" / "registry_http_secret").read_text(encoding="ascii").strip()
    secret = env_str("HARBOR_REGISTRY_HTTP_SECRET") or made  # core is told the same one
    certificates = config.data_dir / "tls"
    registry = registry_config.render(
        registry_config.RegistryConfig(
            address=f"unix:{config.run_dir}/registry.sock",
            http_secret=secret,
            driver=config.storage_driver,
            options=config.storage_options,
            redirect=config.storage_redirect,
            external_url=config.external_url,
            trusted_certificate=config.data_dir / "keys" / "internal" / "registry.crt",
            log_level=config.log_level,
            log_format=config.log_format,
        )
    )
    _private(config.run_dir / "registry.yml", registry)
    rendered = gateway.render(
        gateway.Gateway(
            core=f"unix:{config.run_dir}/core.sock",
            waiting=f"unix:{config.run_dir}/waiting.sock",
            registry=f"unix:{config.run_dir}/registry.sock",
            run_dir=config.run_dir,
            static_root=config.data_dir / "static",
            external_url=config.external_url,
            listen=config.listen,
            port=config.port,
            storage_root=config.storage_root if config.serves_blobs else None,
            tls=config.tls_files
            or ((certificates / "server.crt", certificates / "server.key") if config.tls != "off" else None),
            trusted_proxies=config.trusted_proxies,
            worker_user=config.gateway_user,
            metrics=config.metrics,
            traffic=config.traffic,
            tracing=config.tracing,
            log_level=config.log_level,
            log_format=config.log_format,
            log_prefix=_prefix(config),
        )
    )
    _private(config.run_dir / "nginx.conf", rendered)
    _folder(config.run_dir / "gateway", _gateway_group(config))  # its workers keep large bodies in there


def _prefix(config: Config) -> str:
    """Where the gateway's lines are relayed they get it there; an object needs none."""
    return "gateway  | " if config.log_format == "plain" and stdout_can_be_reopened() else ""


def _gateway_group(config: Config) -> int | None:
    if config.gateway_user != GATEWAY_ACCOUNT:
        return None
    return grp.getgrnam(GATEWAY_ACCOUNT).gr_gid


def _folder(folder: Path, group: int | None) -> None:
    """Private to this account; with a group, its members may enter and read, and new files belong to the group."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or os.geteuid() not in (0, status.st_uid):
        raise ConfigError(f"{folder} belongs to somebody else.")
    try:
        if group is not None:
            os.chown(folder, -1, group)
        folder.chmod(0o700 if group is None else 0o2750)
    except PermissionError as exc:
        raise ConfigError(f"{folder}: cannot set its permissions: {exc.strerror}.") from exc


def _enterable(folder: Path, group: int | None) -> None:
    """The data folder itself: the gateway's account passes through, others do not."""
    if group is None:
        return
    if folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & 0o001:
        os.chown(folder, -1, group)
        folder.chmod(folder.stat().st_mode | 0o010)


def _secret(path: Path) -> None:
    if path.exists() and path.stat().st_size:
        return
    _private(path, secrets.token_urlsafe(48) + "\n")
    say(f"made {path.name} in {path.parent}")


def _private(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.rename(path)

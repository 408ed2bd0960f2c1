"""What the standalone start needs to know, read from the environment (docs/configuration.md) and checked."""

import grp
import hashlib
import ipaddress
import os
import pwd
import socket
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from harbor_core.env import (
    ConfigError,
    database_config,
    env_address,
    env_bool,
    env_choice,
    env_int,
    env_list,
    env_str,
    public_url,
)
from harbor_core.lib import redis, trace_settings
from harbor_core.registry_config import storage_options

BASE_DIR = Path(__file__).resolve().parent.parent.parent
DRIVERS = ("filesystem", "s3", "gcs", "azure", "swift", "oss")
# Debian's docker-registry is built without the others; swift it has, but the control plane reaches it over S3.
STANDALONE_DRIVERS = ("filesystem", "s3")
LEVELS = ("debug", "info", "warning", "error", "critical")
DEFAULT_PASSWORD = "Harbor12345"
GATEWAY_ACCOUNT = "www-data"
SOCKET_PATH_MAX = 107  # bytes in sockaddr_un.sun_path, less the final NUL
LONGEST_SOCKET = "registry.sock"


@dataclass(frozen=True, slots=True)
class Config:
    """Everything decided before the first process starts. ``tls`` is off, self-signed or files."""

    data_dir: Path
    run_dir: Path
    port: int
    listen: tuple[str, ...]
    external_url: str
    public_urls: tuple[str, ...]
    tls: str
    tls_files: tuple[Path, Path] | None
    database_url: str
    redis_url: str  # empty: a private server is started
    storage_driver: str
    storage_options: dict[str, str]
    storage_redirect: bool
    serves_blobs: bool
    trusted_proxies: tuple[str, ...]
    password_is_default: bool
    log_level: str
    gateway_user: str
    metrics: str  # address:port, empty: off
    tracing: bool
    log_format: str = "plain"  # or json

    @property
    def traffic(self) -> str:
        """Where (UDP) the gateway tells what it moves: this machine, the port of the metrics."""
        return f"127.0.0.1:{self.metrics.rpartition(':')[2]}" if self.metrics else ""

    @property
    def storage_root(self) -> Path | None:
        return Path(self.storage_options["rootdirectory"]) if self.storage_driver == "filesystem" else None

    @property
    def ca_file(self) -> Path | None:
        return self.data_dir / "tls" / "ca.crt" if self.tls == "self-signed" else None


def load() -> Config:
    """Read and check the environment. Raises ConfigError with one sentence for the operator."""
    data_dir = Path(env_str("HARBOR_DATA_DIR", str(BASE_DIR / "var"))).absolute()
    _usable_folder("HARBOR_DATA_DIR", data_dir)
    port = env_int("HARBOR_PORT", 8080, low=1, high=65535)
    tls, tls_files = _tls(env_str("HARBOR_TLS", "off").strip())
    scheme = "http" if tls == "off" else "https"
    external_url = public_url(env_str("HARBOR_EXTERNAL_URL", f"{scheme}://localhost:{port}"))
    local = tuple(f"{scheme}://{host}:{port}" for host in ("localhost", "127.0.0.1", "[::1]"))
    database_url = env_str("HARBOR_DATABASE_URL", f"sqlite:///{data_dir}/harbor.db")
    database_config(database_url)
    redis_url = env_str("HARBOR_REDIS_URL")
    if redis_url:
        try:
            redis.parse(redis_url)
        except ValueError as exc:
            raise ConfigError(str(exc)) from exc
    driver = env_choice("HARBOR_STORAGE_DRIVER", "filesystem", DRIVERS)
    if driver not in STANDALONE_DRIVERS:
        raise ConfigError(
            f"HARBOR_STORAGE_DRIVER: Debian's docker-registry cannot run the {driver} driver; "
            f"use filesystem or s3 here, or the container images."
        )
    if driver == "filesystem":
        root = Path(env_str("HARBOR_STORAGE_FILESYSTEM_ROOTDIRECTORY", str(data_dir / "registry"))).absolute()
        os.environ.pop("HARBOR_STORAGE_FILESYSTEM_ROOTDIRECTORY_FILE", None)
        os.environ["HARBOR_STORAGE_FILESYSTEM_ROOTDIRECTORY"] = str(root)  # children work in other folders
    options = storage_options(driver)
    if driver == "filesystem":
        _usable_folder("HARBOR_STORAGE_FILESYSTEM_ROOTDIRECTORY", Path(options["rootdirectory"]))
    password_is_default = not env_str("HARBOR_ADMIN_PASSWORD")
    if password_is_default and tls == "off" and external_url.startswith("http://") and is_public(external_url):
        raise ConfigError(
            f"HARBOR_ADMIN_PASSWORD must be set: {external_url} is a public address without TLS, "
            "and the default password of admin is known to everybody."
        )
    return Config(
        data_dir=data_dir,
        run_dir=_run_dir(data_dir),
        port=port,
        listen=_listen(env_list("HARBOR_LISTEN")) or _all_addresses(),
        external_url=external_url,
        public_urls=tuple(public_url(url) for url in env_list("HARBOR_PUBLIC_URLS")) + local,
        tls=tls,
        tls_files=tls_files,
        database_url=database_url,
        redis_url=redis_url,
        storage_driver=driver,
        storage_options=options,
        storage_redirect=env_bool("HARBOR_STORAGE_REDIRECT", driver != "filesystem"),
        serves_blobs=env_bool("HARBOR_GATEWAY_SERVES_BLOBS", driver == "filesystem") and driver == "filesystem",
        trusted_proxies=tuple(env_list("HARBOR_TRUSTED_PROXIES")),
        password_is_default=password_is_default,
        log_level=env_choice("HARBOR_LOG_LEVEL", "info", LEVELS),
        log_format=env_choice("HARBOR_LOG_FORMAT", "plain", ("plain", "json")),
        gateway_user=_gateway_user(data_dir, options.get("rootdirectory") if driver == "filesystem" else None),
        metrics=env_address("HARBOR_METRICS"),
        tracing=trace_settings.read() is not None,
    )


def is_public(url: str) -> bool:
    """Whether strangers may reach the host: a routable address, or a name outside the private name spaces."""
    host = (urlsplit(url).hostname or "").lower()
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        private = (".localhost", ".local", ".internal", ".lan", ".test", ".home.arpa", ".example")
        return "." in host and not host.endswith(private)


def check_ports_free(config: Config) -> None:
    """Raises ConfigError when HARBOR_PORT cannot be bound."""
    for address in config.listen:
        bare = address.strip("[]")
        family = socket.AF_INET6 if ":" in bare else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind((bare, config.port))
            except PermissionError:
                raise ConfigError(f"HARBOR_PORT: port {config.port} needs root, choose one above 1023.") from None
            except OSError as exc:
                raise ConfigError(
                    f"HARBOR_PORT: cannot listen on {address}:{config.port} ({exc.strerror}); "
                    "stop what uses the port or choose another."
                ) from None


def _usable_folder(name: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as exc:
        raise ConfigError(f"{name}: cannot write to the folder {folder}: {exc.strerror}.") from exc


def _run_dir(data_dir: Path) -> Path:
    """The folder of sockets and pids: inside the data folder when socket paths stay short enough."""
    given = env_str("HARBOR_RUN_DIR")
    inside = Path(given).absolute() if given else data_dir / "run"
    if len(os.fsencode(inside / LONGEST_SOCKET)) <= SOCKET_PATH_MAX:
        return inside
    if given:
        raise ConfigError(f"HARBOR_RUN_DIR: {given} is too long for socket paths ({SOCKET_PATH_MAX} bytes).")
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    runtime = Path("/run") if os.geteuid() == 0 else Path(os.environ.get("XDG_RUNTIME_DIR", tempfile.gettempdir()))
    return runtime / f"harbor-{os.geteuid()}-{name}"


def _listen(addresses: list[str]) -> tuple[str, ...]:
    for address in addresses:
        try:
            ipaddress.ip_address(address.strip("[]"))
        except ValueError:
            raise ConfigError(f"HARBOR_LISTEN: {address!r} is not an IP address.") from None
    return tuple(addresses)


def _all_addresses() -> tuple[str, ...]:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(("::", 0))
    except OSError:
        return ("0.0.0.0",)
    return ("0.0.0.0", "[::]")


def _tls(value: str) -> tuple[str, tuple[Path, Path] | None]:
    if value in ("off", "self-signed"):
        return value, None
    certificate, comma, key = value.partition(",")
    if not comma:
        raise ConfigError(f"HARBOR_TLS must be off, self-signed or <certificate.pem>,<key.pem>, not {value!r}.")
    files = Path(certificate.strip()).absolute(), Path(key.strip()).absolute()
    for file in files:
        if not os.access(file, os.R_OK):
            raise ConfigError(f"HARBOR_TLS: cannot read {file}.")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files)
    except (ssl.SSLError, OSError) as exc:
        raise ConfigError(f"HARBOR_TLS: {files[0]} and {files[1]} are not a certificate and its key ({exc}).") from exc
    return "files", files


def _gateway_user(data_dir: Path, storage_root: str | None) -> str:
    """The account of the gateway's workers: www-data when started by root and the folders can be entered by it."""
    if os.geteuid() != 0:
        return ""
    folders = [data_dir, Path(storage_root)] if storage_root else [data_dir]
    parents = {parent for folder in folders for parent in folder.resolve().parents}
    return GATEWAY_ACCOUNT if all(_can_enter(parent) for parent in parents) else pwd.getpwuid(0).pw_name


def _can_enter(folder: Path) -> bool:
    try:
        group = grp.getgrnam(GATEWAY_ACCOUNT).gr_gid
        pwd.getpwnam(GATEWAY_ACCOUNT)
    except KeyError:
        return False
    status = folder.stat()
    return bool(status.st_mode & 0o001) or (status.st_gid == group and bool(status.st_mode & 0o010))

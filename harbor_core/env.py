"""Typed readers for environment variables.

Every reader also accepts ``<NAME>_FILE``, the path of a file that holds the value (container secrets). A value that
cannot be used raises :class:`ConfigError` with one sentence that names the variable, so that a wrong setting stops
the start instead of surfacing later.
"""

import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


class ConfigError(Exception):
    """A setting has a value that cannot be used; the message is meant for the operator."""


def env_str(name: str, default: str = "") -> str:
    value = os.environ.get(name)
    path = os.environ.get(f"{name}_FILE")
    if value is not None and value != "" and path:
        raise ConfigError(f"{name} and {name}_FILE are both set; keep one of them.")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(f"{name}_FILE: cannot read {path}: {exc}.") from exc
    return value if value not in (None, "") else default


def env_bool(name: str, default: bool = False) -> bool:
    value = env_str(name).strip().lower()
    if not value:
        return default
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("0", "false", "no", "off"):
        return False
    raise ConfigError(f"{name} must be true or false, not {value!r}.")


def env_int(name: str, default: int, *, low: int | None = None, high: int | None = None) -> int:
    value = env_str(name).strip()
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise ConfigError(f"{name} must be a whole number, not {value!r}.") from None
    if (low is not None and number < low) or (high is not None and number > high):
        raise ConfigError(f"{name} must lie between {low} and {high}, not {number}.")
    return number


def env_list(name: str) -> list[str]:
    return [item.strip() for item in env_str(name).split(",") if item.strip()]


def env_address(name: str, port: int = 9090) -> str:
    """``address:port`` to listen on, empty for off. ``on`` and a bare port mean this machine only."""
    value = env_str(name).strip().lower()
    if value in ("", "off", "false", "no", "0"):
        return ""
    given = str(port) if value in ("on", "true", "yes", "1") else value
    host, colon, number = given.rpartition(":")
    host = host if colon else "127.0.0.1"
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        usable = number.isascii() and number.isdigit() and 0 < int(number) < 65536
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"{name} must be on, off, a port or address:port, not {value!r}.")
    return f"{host}:{number}"


@dataclass(frozen=True, slots=True)
class InternalTLS:
    """TLS between the roles. Paths: what this one shows (empty where it only calls others), and whom it believes."""

    certificate: str
    key: str
    authority: str


def internal_tls() -> InternalTLS | None:
    """None where roles talk in the clear. Raises ConfigError."""
    if not env_bool("INTERNAL_TLS_ENABLED"):
        return None
    names = ("INTERNAL_TLS_CERT_PATH", "INTERNAL_TLS_KEY_PATH", "INTERNAL_TLS_TRUST_CA_PATH")
    certificate, key, authority = (env_str(name) for name in names)
    if not authority or bool(certificate) != bool(key):
        raise ConfigError(f"INTERNAL_TLS_ENABLED needs {names[2]}, and {names[0]} together with {names[1]}.")
    for name, path in zip(names, (certificate, key, authority), strict=True):
        if path and not os.access(path, os.R_OK):
            raise ConfigError(f"{name}: cannot read {path}.")
    return InternalTLS(certificate, key, authority)


def internal_url(name: str, default: str, tls: InternalTLS | None) -> str:
    """Where another role answers: ``unix:…``, or ``http://host:port``, which is https with TLS between the roles."""
    url = env_str(name, default).rstrip("/")
    return url.replace("http://", "https://", 1) if tls and url.startswith("http://") else url


_HOST_PATTERN = re.compile(r"(?=.{1,253}$)(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*")


def env_targets(name: str) -> list[str]:
    """Networks (``10.0.0.0/8``), addresses, host names, and ``*.`` with a domain."""
    for entry in (entries := env_list(name)):
        try:
            ipaddress.ip_network(entry)
        except ValueError:
            if not _HOST_PATTERN.fullmatch(entry) or entry.replace(".", "").isdigit():
                raise ConfigError(f"{name}: {entry!r} is neither a network like 10.0.0.0/8 nor a host name.") from None
    return entries


def env_choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    value = env_str(name, default).strip()
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    return value


def env_url(name: str, default: str = "", check: Callable[[str], str] | None = None) -> str:
    value = env_str(name, default).strip()
    if not value:
        return ""
    return (check or public_url)(value if name in os.environ or f"{name}_FILE" in os.environ else default)


def public_url(value: str) -> str:
    """``http(s)://host[:port]`` without path, query or trailing slash. Raises ConfigError."""
    parts = urlsplit(value)
    try:
        port_ok = parts.port is None or 0 < parts.port < 65536
    except ValueError:
        port_ok = False
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not port_ok
        or parts.path.strip("/")
        or parts.query
        or parts.fragment
        or parts.username
    ):
        raise ConfigError(f"{value!r} is not a public URL of the form http(s)://host[:port].")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def database_config(url: str) -> dict[str, Any]:
    """Django's DATABASES entry for ``sqlite:///path`` or ``postgres://user:password@host:port/name?option=value``."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        path = unquote(parts.path)
        if path.startswith("//"):
            path = path[1:]
        if not path or path == "/":
            raise ConfigError("HARBOR_DATABASE_URL: sqlite needs a path, as in sqlite:///var/lib/harbor/harbor.db.")
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": path,
            # One writer at a time, taken at BEGIN: a deferred transaction that turns writer late fails at once.
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;",
            },
            "CONN_MAX_AGE": None,
        }
    if parts.scheme in ("postgres", "postgresql"):
        options = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
        pooled = options.pop("prepare_threshold", "") == "none"
        name = unquote(parts.path.lstrip("/"))
        if not name:
            raise ConfigError("HARBOR_DATABASE_URL: the database name is missing after the host.")
        return {
            "ENGINE": "harbor_core.postgresql",
            "NAME": name,
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or "") or env_str("HARBOR_DATABASE_PASSWORD"),
            "HOST": unquote(options.pop("host", "") or parts.hostname or ""),
            "PORT": str(parts.port or options.pop("port", "")),
            # Statements that come again are prepared: planning costs more than most of them.
            "OPTIONS": {
                "application_name": "harbor",
                "connect_timeout": 5,
                "server_side_binding": True,
                "prepare_threshold": None if pooled else 1,
            }
            | {k: unquote(v) for k, v in options.items()},
            "CONN_MAX_AGE": None,
            "CONN_HEALTH_CHECKS": True,
            "DISABLE_SERVER_SIDE_CURSORS": pooled,
        }
    raise ConfigError(f"HARBOR_DATABASE_URL must start with sqlite:// or postgres://, not {parts.scheme!r}.")

"""The configuration of the backing registry:2, for every storage driver it has.

Options are the driver's own parameters (https://distribution.github.io/distribution/about/configuration/#storage), set
as ``HARBOR_STORAGE_<DRIVER>_<OPTION>``: ``HARBOR_STORAGE_S3_BUCKET``, ``HARBOR_STORAGE_GCS_KEYFILE`` and so on.
``python -m harbor_core.registry_config`` prints the configuration for images and charts.
"""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harbor_core.env import (
    ConfigError,
    InternalTLS,
    env_address,
    env_bool,
    env_choice,
    env_str,
    internal_tls,
    public_url,
)

TOKEN_ISSUER = "harbor-token-issuer"
TOKEN_SERVICE = "harbor-registry"

# driver -> (options that must be set, options that may be set)
DRIVERS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "filesystem": (frozenset({"rootdirectory"}), frozenset({"maxthreads"})),
    "s3": (
        frozenset({"bucket", "region"}),
        frozenset(
            {
                "accesskey",
                "secretkey",
                "sessiontoken",
                "regionendpoint",
                "encrypt",
                "keyid",
                "secure",
                "skipverify",
                "v4auth",
                "chunksize",
                "multipartcopychunksize",
                "multipartcopymaxconcurrency",
                "multipartcopythresholdsize",
                "rootdirectory",
                "storageclass",
                "objectacl",
                "useragent",
            }
        ),
    ),
    "gcs": (frozenset({"bucket"}), frozenset({"keyfile", "rootdirectory", "chunksize"})),
    "azure": (frozenset({"accountname", "accountkey", "container"}), frozenset({"realm"})),
    "swift": (
        frozenset({"authurl", "username", "password", "container"}),
        frozenset(
            {
                "tenant",
                "tenantid",
                "domain",
                "domainid",
                "tenantdomain",
                "tenantdomainid",
                "trustid",
                "region",
                "insecureskipverify",
                "chunksize",
                "prefix",
                "secretkey",
                "accesskey",
                "authversion",
                "endpointtype",
                "tempurlcontainerkey",
                "tempurlmethods",
            }
        ),
    ),
    "oss": (
        frozenset({"accesskeyid", "accesskeysecret", "region", "bucket"}),
        frozenset({"endpoint", "internal", "encrypt", "encryptionkeyid", "secure", "chunksize", "rootdirectory"}),
    ),
}
_FORMATTERS = {"plain": "text", "json": "json"}
_BOOLEANS = frozenset({"encrypt", "secure", "skipverify", "v4auth", "internal", "insecureskipverify"})
_NUMBERS = frozenset(
    {
        "chunksize",
        "maxthreads",
        "multipartcopychunksize",
        "multipartcopymaxconcurrency",
        "multipartcopythresholdsize",
        "authversion",
    }
)
_LEVELS = {"debug": "debug", "info": "warn", "warning": "warn", "error": "error", "critical": "fatal"}


@dataclass(frozen=True, slots=True)
class RegistryConfig:
    """``address`` is ``unix:/path`` or ``host:port``; ``options`` are the driver's parameters as strings."""

    address: str
    http_secret: str
    driver: str
    options: dict[str, str]
    redirect: bool
    external_url: str
    trusted_certificate: Path
    log_level: str = "info"
    log_format: str = "plain"  # or json
    metrics: str = ""  # address:port of its own numbers for Prometheus
    tls: InternalTLS | None = None


def storage_options(driver: str) -> dict[str, str]:
    """The driver's parameters from the environment. Raises ConfigError for a missing or unknown one."""
    required, optional = DRIVERS[driver]
    prefix = f"HARBOR_STORAGE_{driver.upper()}_"
    names = {name.removesuffix("_FILE") for name in os.environ if name.startswith(prefix)}
    given = {name.removeprefix(prefix).lower(): env_str(name) for name in sorted(names)}
    options = {name: value for name, value in given.items() if value}
    unknown = sorted(set(options) - required - optional)
    if unknown:
        raise ConfigError(f"{prefix}{unknown[0].upper()}: the {driver} driver has no option {unknown[0]}.")
    missing = sorted(required - set(options))
    if missing:
        raise ConfigError(f"{prefix}{missing[0].upper()} must be set for HARBOR_STORAGE_DRIVER={driver}.")
    return options


def render(config: RegistryConfig) -> str:
    """YAML for ``docker-registry serve``."""
    net, address = (
        ("unix", config.address.removeprefix("unix:"))
        if config.address.startswith("unix:")
        else (
            "tcp",
            config.address,
        )
    )
    document: dict[str, Any] = {
        "version": "0.1",
        "log": {
            "level": _LEVELS[config.log_level],
            "formatter": _FORMATTERS[config.log_format],
            "accesslog": {"disabled": True},
        },
        "storage": {
            config.driver: {name: _typed(name, value) for name, value in sorted(config.options.items())},
            "delete": {"enabled": True},
            "redirect": {"disable": not config.redirect},
            # Core owns upload sessions. There is no descriptor cache: it would outlive collected blobs.
            "maintenance": {"uploadpurging": {"enabled": False}, "readonly": {"enabled": False}},
        },
        "http": {
            "net": net,
            "addr": address,
            "secret": config.http_secret,
            "relativeurls": True,
            "draintimeout": "30s",
            "headers": {"X-Content-Type-Options": ["nosniff"]},
            **_debug(config.metrics),
            **_tls(config.tls),
        },
        "auth": {
            "token": {
                "realm": f"{config.external_url}/service/token",
                "service": TOKEN_SERVICE,
                "issuer": TOKEN_ISSUER,
                "rootcertbundle": str(config.trusted_certificate),
            }
        },
        "health": {"storagedriver": {"enabled": False}},
    }
    return "\n".join(_yaml(document, 0)) + "\n"


def _debug(address: str) -> dict[str, Any]:
    return {"debug": {"addr": address, "prometheus": {"enabled": True, "path": "/metrics"}}} if address else {}


def _tls(tls: InternalTLS | None) -> dict[str, Any]:
    if tls is None:
        return {}
    return {"tls": {"certificate": tls.certificate, "key": tls.key, "minimumtls": "tls1.2"}}


def _typed(name: str, value: str) -> str | bool | int:
    """registry:2 checks the types of these options; everything else is text, also a password made of digits."""
    if name in _BOOLEANS:
        if value.lower() not in ("true", "false"):
            raise ConfigError(f"the storage option {name} must be true or false, not {value!r}.")
        return value.lower() == "true"
    if name in _NUMBERS:
        if not value.isdigit():
            raise ConfigError(f"the storage option {name} must be a whole number, not {value!r}.")
        return int(value)
    return value


def _yaml(node: dict[str, Any], depth: int) -> list[str]:
    lines: list[str] = []
    for key, value in node.items():
        if isinstance(value, dict):
            lines += [f"{'  ' * depth}{key}:", *_yaml(value, depth + 1)]
        else:
            lines.append(f"{'  ' * depth}{key}: {json.dumps(value)}")  # JSON scalars and lists are YAML
    return lines


def from_environment() -> RegistryConfig:
    """The registry of an image or chart."""
    driver = env_choice("HARBOR_STORAGE_DRIVER", "filesystem", tuple(DRIVERS))
    return RegistryConfig(
        address=env_str("HARBOR_REGISTRY_LISTEN", ":5000"),
        http_secret=env_str("HARBOR_REGISTRY_HTTP_SECRET"),
        driver=driver,
        options=storage_options(driver),
        redirect=env_bool("HARBOR_STORAGE_REDIRECT", driver != "filesystem"),
        external_url=public_url(env_str("HARBOR_EXTERNAL_URL", "http://localhost:8080")),
        trusted_certificate=Path(env_str("HARBOR_KEY_DIR", "/keys")) / "internal" / "registry.crt",
        log_level=env_choice("HARBOR_LOG_LEVEL", "info", tuple(_LEVELS)),
        log_format=env_choice("HARBOR_LOG_FORMAT", "plain", tuple(_FORMATTERS)),
        metrics=env_address("HARBOR_REGISTRY_METRICS", 5001),
        tls=internal_tls(),
    )


if __name__ == "__main__":
    try:
        sys.stdout.write(render(from_environment()))
    except ConfigError as exc:
        sys.exit(f"harbor: {exc}")

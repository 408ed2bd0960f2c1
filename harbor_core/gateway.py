"""Render the gateway's configuration from the one template (docker/nginx/nginx.conf.template).

The standalone supervisor calls :func:`render`; images and charts run ``python -m harbor_core.gateway`` with the
environment of docs/configuration.md and get the configuration on standard output. Only the standard library is used.

Template language, one line each: ``#@if NAME`` / ``#@else`` / ``#@end`` keep lines by a truth value, ``#@define NAME``
/ ``#@end`` store lines, ``#@use NAME`` puts them in, and ``@@NAME@@`` is a value or a one-line definition.
"""

import ipaddress
import re
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

from harbor_core.env import (
    ConfigError,
    env_address,
    env_bool,
    env_choice,
    env_int,
    env_list,
    env_str,
    internal_tls,
    public_url,
)

TEMPLATE = Path(__file__).resolve().parent.parent / "docker" / "nginx" / "nginx.conf.template"
DEFAULT_LISTEN = ("0.0.0.0", "[::]")  # a registry is there to be reached
MODULES = "/usr/lib/nginx/modules"
MIME_TYPES = "/etc/nginx/mime.types"
_ERROR_LEVELS = {"debug": "info", "info": "warn", "warning": "warn", "error": "error", "critical": "crit"}
_PLAIN = re.compile(r"[A-Za-z0-9_./:@,=%+\[\]~-]+")


@dataclass(frozen=True, slots=True)
class Gateway:
    """What the template needs. ``core`` and ``registry`` are ``unix:/path`` or ``host:port``; ``listen`` holds
    addresses without port; ``tls`` is the certificate and key file; ``storage_root`` is None without the volume."""

    core: str
    registry: str
    run_dir: Path
    static_root: Path
    external_url: str
    listen: tuple[str, ...] = DEFAULT_LISTEN
    port: int = 8080
    storage_root: Path | None = None
    tls: tuple[Path, Path] | None = None
    trusted_proxies: tuple[str, ...] = ()
    worker_user: str = ""
    workers: str = "auto"
    log_level: str = "info"
    log_format: str = "plain"  # or json
    log_prefix: str = ""
    access_log: str = "/dev/stdout"
    cache_dir: Path | None = None
    portal: str = ""  # where pages come from; core when empty
    waiting: str = ""  # where requests go that wait for other registries; they wait in core when empty
    metrics: str = ""  # address:port that answers /metrics
    exporter: str = ""  # where numbers of the database come from; core when empty
    registry_metrics: str = ""  # host:port of the registry's own numbers
    internal_ca: str = ""  # whose certificates core and registry show; they are called in the clear when empty
    tracing: bool = False  # the gateway begins traces and tells core of them
    traffic: str = ""  # host:port (UDP) that is told what each request moved


def render(gateway: Gateway, template: str | None = None) -> str:
    """The whole nginx configuration. Raises ConfigError for a value nginx would read as syntax."""
    text = TEMPLATE.read_text(encoding="utf-8") if template is None else template
    return _Renderer(_values(gateway)).render(text)


def _values(gateway: Gateway) -> dict[str, str]:
    certificate, key = gateway.tls or ("", "")
    open_files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65536)
    plain = {
        "MODULES": MODULES,
        "MIME_TYPES": MIME_TYPES,
        "WORKER_USER": gateway.worker_user,
        "RUN_DIR": str(gateway.run_dir),
        "TEMP_DIR": str(gateway.run_dir / "gateway"),
        "CACHE_DIR": str(gateway.cache_dir or gateway.run_dir / "authz"),
        "STATIC_ROOT": str(gateway.static_root),
        "STORAGE_ROOT": str(gateway.storage_root or ""),
        "SERVES_BLOBS": "yes" if gateway.storage_root else "",
        **_roles(gateway),
        "METRICS": gateway.metrics,
        "REGISTRY_METRICS": gateway.registry_metrics,
        "SCHEME": "https" if gateway.internal_ca else "http",
        "INTERNAL_CA": gateway.internal_ca,
        **{f"{name}_NAME": address.rpartition(":")[0] for name, address in _roles(gateway).items()},
        "TRACING": "yes" if gateway.tracing else "",
        "TRAFFIC": gateway.traffic,
        # Who listens there and answers ?comp=gateway.
        "METER": "exporter" if gateway.exporter else "waiting" if gateway.waiting else "core",
        "EXTERNAL_URL": gateway.external_url,
        "TLS": "yes" if gateway.tls else "",
        "TLS_CERTIFICATE": str(certificate),
        "TLS_KEY": str(key),
        "WORKERS": gateway.workers,
        "OPEN_FILES": str(open_files),
        "CONNECTIONS": str(open_files // 4),  # a blob costs a client, an authorisation, a file and its link
        "ERROR_LEVEL": _ERROR_LEVELS[gateway.log_level],
    }
    for name, value in plain.items():
        if value and not _PLAIN.fullmatch(value):
            raise ConfigError(f"{value!r} cannot be used in the gateway's configuration ({name.lower()}).")
    return plain | {
        "LISTEN": "\n".join(f"        listen {_listen(address, gateway)};" for address in gateway.listen),
        "TRUSTED_PROXIES": _trusted(gateway.trusted_proxies),
        "ACCESS_LOG": _access_log(gateway),
        "LOG_PREFIX": gateway.log_prefix,
    }


def _access_log(gateway: Gateway) -> str:
    if gateway.log_level in ("debug", "info"):
        log_format = "gateway_json" if gateway.log_format == "json" else "gateway"
        return f"{gateway.access_log} {log_format} buffer=4k flush=1s"
    return "" if gateway.traffic else "off"  # which would end what is told of the traffic, too


def _roles(gateway: Gateway) -> dict[str, str]:
    return {
        "CORE": gateway.core,
        "PORTAL": gateway.portal or gateway.core,
        "WAITING": gateway.waiting,
        "REGISTRY": gateway.registry,
        "EXPORTER": gateway.exporter or gateway.core,
    }


def _listen(address: str, gateway: Gateway) -> str:
    bare = address.removeprefix("[").removesuffix("]")
    try:
        six = ipaddress.ip_address(bare).version == 6
    except ValueError:
        raise ConfigError(f"HARBOR_LISTEN: {address!r} is not an IP address.") from None
    where = f"[{bare}]:{gateway.port} ipv6only=on" if six else f"{bare}:{gateway.port}"
    return f"{where} backlog=4096{' ssl' if gateway.tls else ''}"


def _trusted(networks: tuple[str, ...]) -> str:
    """Forwarded headers count only when the peer is one of these networks."""
    for network in networks:
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            raise ConfigError(f"HARBOR_TRUSTED_PROXIES: {network!r} is not an address or network.") from None
    lines = ["    geo $realip_remote_addr $from_trusted_proxy {", "        default 0;"]
    lines += [f"        {network} 1;" for network in networks]
    lines += ["    }"]
    if networks:
        lines += [f"    set_real_ip_from {network};" for network in networks]
        lines += ["    real_ip_header X-Forwarded-For;", "    real_ip_recursive on;"]
    return "\n".join(lines)


class _Renderer:
    def __init__(self, values: dict[str, str]) -> None:
        self._values = values
        self._blocks: dict[str, list[str]] = {}

    def render(self, text: str) -> str:
        lines = self._lines(text.splitlines())
        return re.sub(r"@@([A-Za-z_]+)@@", self._value, "\n".join(lines)) + "\n"

    def _lines(self, source: list[str]) -> list[str]:
        kept: list[str] = []
        open_blocks: list[tuple[str, str, bool]] = []  # word, name, is what follows kept
        for line in source:
            word, _, name = line.removeprefix("#@").partition(" ") if line.startswith("#@") else ("", "", "")
            if word in ("if", "define"):
                open_blocks.append((word, name, word == "define" or bool(self._values[name])))
                if word == "define":
                    self._blocks[name] = []
            elif word == "else":
                kind, of, keeping = open_blocks.pop()
                open_blocks.append((kind, of, not keeping))
            elif word == "end":
                open_blocks.pop()
            elif all(keeping for _, _, keeping in open_blocks):
                found = list(self._blocks[name]) if word == "use" else [line]
                target = next((self._blocks[of] for kind, of, _ in reversed(open_blocks) if kind == "define"), kept)
                target.extend(found)
        return kept

    def _value(self, match: re.Match[str]) -> str:
        name = match.group(1)
        return self._values[name] if name in self._values else "".join(self._blocks[name]).strip()


def _place(name: str, default: str = "") -> str:
    """``host:port``; whether it is called by TLS is one decision for all."""
    return env_str(name, default).removeprefix("http://").removeprefix("https://").rstrip("/")


def from_environment() -> Gateway:
    """The gateway of an image or chart, where core and registry are other containers."""
    serves_blobs = env_bool(
        "HARBOR_GATEWAY_SERVES_BLOBS", env_str("HARBOR_STORAGE_DRIVER", "filesystem") == "filesystem"
    )
    internal = internal_tls()
    tls = env_str("HARBOR_TLS", "off")
    certificate, _, key = tls.partition(",")
    port = env_int("HARBOR_PORT", 8080, low=1, high=65535)
    return Gateway(
        core=_place("HARBOR_CORE_URL", "http://core:8000"),
        portal=_place("HARBOR_PORTAL_URL"),
        waiting=_place("HARBOR_WAITING_URL"),
        exporter=_place("HARBOR_EXPORTER_URL"),
        registry_metrics=_place("HARBOR_REGISTRY_METRICS_URL"),
        registry=_place("HARBOR_REGISTRY_URL", "http://registry:5000"),
        internal_ca=internal.authority if internal else "",
        run_dir=Path(env_str("HARBOR_RUN_DIR", "/run/harbor")),
        static_root=Path(env_str("HARBOR_STATIC_ROOT", "/srv/static")),
        external_url=public_url(env_str("HARBOR_EXTERNAL_URL", f"http://localhost:{port}")),
        listen=tuple(env_list("HARBOR_LISTEN")) or DEFAULT_LISTEN,
        port=port,
        storage_root=Path(env_str("HARBOR_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/storage")) if serves_blobs else None,
        tls=(Path(certificate), Path(key)) if tls != "off" else None,
        trusted_proxies=tuple(env_list("HARBOR_TRUSTED_PROXIES")),
        worker_user=env_str("HARBOR_GATEWAY_USER"),
        metrics=env_address("HARBOR_METRICS"),
        tracing=env_bool("TRACE_ENABLED") and not env_bool("OTEL_SDK_DISABLED"),
        traffic=env_str("HARBOR_TRAFFIC_TO"),
        log_level=env_choice("HARBOR_LOG_LEVEL", "info", tuple(_ERROR_LEVELS)),
        log_format=env_choice("HARBOR_LOG_FORMAT", "plain", ("plain", "json")),
    )


if __name__ == "__main__":
    try:
        sys.stdout.write(render(from_environment()))
    except ConfigError as exc:
        sys.exit(f"harbor: {exc}")

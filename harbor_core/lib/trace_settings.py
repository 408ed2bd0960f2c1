"""Settings of traces (docs/tracing.md): Harbor's names, and the standard ones of OpenTelemetry beside them."""

import json
from dataclasses import dataclass

from harbor_core.env import ConfigError, env_bool, env_int, env_str

_STANDARD = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


@dataclass(frozen=True, slots=True)
class Settings:
    """Harbor's settings; ``endpoint`` is the whole URL, empty where the standard variables (OTEL_*) say it."""

    endpoint: str
    gzip: bool
    seconds: int
    rate: float
    namespace: str
    attributes: dict[str, str]


def read() -> Settings | None:
    """None while traces are not wanted. Raises ConfigError."""
    if not env_bool("TRACE_ENABLED") or env_bool("OTEL_SDK_DISABLED"):
        return None
    provider = env_str("TRACE_PROVIDER", "otel")
    if provider != "otel":
        raise ConfigError(f"TRACE_PROVIDER must be otel, not {provider!r}: Jaeger takes that, at its port 4318.")
    place = env_str("TRACE_OTEL_ENDPOINT").rstrip("/")
    if not place and not any(env_str(name) for name in _STANDARD):
        raise ConfigError("TRACE_OTEL_ENDPOINT (host:port) must be set, or OTEL_EXPORTER_OTLP_ENDPOINT.")
    if place and "://" not in place:
        place = f"{'http' if env_bool('TRACE_OTEL_INSECURE') else 'https'}://{place}"
    path = env_str("TRACE_OTEL_URL_PATH", "/v1/traces")
    return Settings(
        endpoint=f"{place}/{path.lstrip('/')}" if place else "",
        gzip=env_bool("TRACE_OTEL_COMPRESSION"),
        seconds=env_int("TRACE_OTEL_TIMEOUT", 10, low=1, high=60),
        rate=_rate(env_str("TRACE_SAMPLE_RATE", "1")),
        namespace=env_str("TRACE_NAMESPACE"),
        attributes=_attributes(env_str("TRACE_ATTRIBUTES")),
    )


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1
    if not 0 <= rate <= 1:
        raise ConfigError(f"TRACE_SAMPLE_RATE must lie between 0 and 1, not {text!r}.")
    return rate


def _attributes(text: str) -> dict[str, str]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ConfigError('TRACE_ATTRIBUTES must be a JSON object, as in {"application": "harbor"}.')
    return {str(name): str(value) for name, value in found.items()}

"""Harbor's single configuration file (``harbor.yml``, contract 1.25) as the environment of the compose file.

What a file names and this installation has no use for is told with the reason, never passed over in silence.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

LOG_LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "fatal": "critical"}
DRIVERS = ("filesystem", "s3", "gcs", "azure", "swift", "oss")
MEANINGLESS = {
    "data_volume": "content, database and keys are in volumes of the engine (docs/install.md)",
    "database": "the bundled database's password is made at the first start",
    "trivy": "scanners are registered by address",
    "upload_purging": "core owns uploads and sweeps them",
    "cache": "what is worth caching is cached",
    "uaa": "there is no sign-in with UAA",
    "chart": "charts are stored with images",
    "notary": "signatures are artifacts",
    "clair": "scanners are registered by address",
    "core": "quotas are exact, there is no provider to choose",
    "_version": "the version of Harbor's own file format",
}


class HarborYmlError(ValueError):
    """The file cannot be used; the message names the place."""


_PLAIN = re.compile(r"[A-Za-z0-9_./:@,+=%?&-]*")


@dataclass(slots=True)
class Environment:
    """``settings`` for ``.env``, ``storage`` for ``storage.env``; ``files`` are the compose files to add; ``notes``
    tell what was not used, and why."""

    settings: dict[str, str] = field(default_factory=dict)
    storage: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def translate(document: Any) -> Environment:
    """Raises HarborYmlError."""
    if not isinstance(document, dict):
        raise HarborYmlError("the file must be a map with hostname and http or https")
    result = Environment()
    for key, value in document.items():
        if key in MEANINGLESS:
            result.notes.append(f"{key}: {MEANINGLESS[key]}")
        elif key not in _SECTIONS and key not in _ADDRESS:
            result.notes.append(f"{key}: not known")
        elif key in _SECTIONS and value is not None:
            _SECTIONS[key](result, value)
    _address(result, document)
    return result


def lines(values: Mapping[str, str]) -> str:
    """As an env file has them. Raises HarborYmlError for a value of several lines."""
    for name, value in values.items():
        if "\n" in value or "\r" in value:
            raise HarborYmlError(f"{name} must be one line")
    return "".join(f"{name}={_quoted(value)}\n" for name, value in values.items())


def _quoted(value: str) -> str:
    """Single quotes keep compose from reading variables and comments in it."""
    return value if _PLAIN.fullmatch(value) else "'" + value.replace("'", "\\'") + "'"


def _map(where: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise HarborYmlError(f"{where} must be a map")
    return value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _unused(result: Environment, where: str, values: Mapping[str, Any], known: set[str]) -> None:
    result.notes += [f"{where}.{key}: not used" for key in values if key not in known]


_ADDRESS = ("hostname", "http", "https", "external_url")


def _address(result: Environment, document: Mapping[str, Any]) -> None:
    """Where clients come in. TLS ends here where there is a certificate; http then is not listened on."""
    hostname = _text(document.get("hostname") or "")
    http, https = (_map(name, document.get(name) or {}) for name in ("http", "https"))
    external = _text(document.get("external_url") or "").rstrip("/")
    if not hostname and not external:
        raise HarborYmlError("hostname is missing")
    if https:
        if not https.get("certificate") or not https.get("private_key"):
            raise HarborYmlError("https needs certificate and private_key")
        port, scheme, usual = _text(https.get("port") or 443), "https", "443"
        result.settings["HARBOR_TLS_CERTIFICATE"] = _text(https["certificate"])
        result.settings["HARBOR_TLS_KEY"] = _text(https["private_key"])
        result.files.append("compose.tls.yaml")
        if http:
            result.notes.append("http: with https only that port is published")
    else:
        port, scheme, usual = _text(http.get("port") or 80), "http", "80"
    own = f"{scheme}://{hostname}{'' if port == usual else f':{port}'}" if hostname else ""
    result.settings["HARBOR_EXTERNAL_URL"] = external or own
    if external and own and external != own:
        result.settings["HARBOR_PUBLIC_URLS"] = own
    result.settings["HARBOR_HTTP_PORT"] = port


def _password(result: Environment, value: Any) -> None:
    result.settings["HARBOR_ADMIN_PASSWORD"] = _text(value)


def _storage(result: Environment, value: Any) -> None:
    values = _map("storage_service", value)
    drivers = [name for name in DRIVERS if name in values]
    if len(drivers) > 1:
        raise HarborYmlError(f"storage_service names {' and '.join(drivers)}: one of them")
    redirect = _map("storage_service.redirect", values.get("redirect") or {})
    if "disable" in redirect or "disabled" in redirect:
        disabled = redirect.get("disable", redirect.get("disabled"))
        result.settings["HARBOR_STORAGE_REDIRECT"] = "false" if disabled else "true"
    _unused(result, "storage_service", values, {*DRIVERS, "redirect"})
    if not drivers or drivers == ["filesystem"]:
        return
    (driver,) = drivers
    result.settings["HARBOR_STORAGE_DRIVER"] = driver
    for name, option in _map(f"storage_service.{driver}", values[driver] or {}).items():
        if option not in (None, ""):
            result.storage[f"HARBOR_STORAGE_{driver.upper()}_{name.upper()}"] = _text(option)


def _external_database(result: Environment, value: Any) -> None:
    every = _map("external_database", value)
    values = _map("external_database.harbor", every.get("harbor") or {})
    for name in ("host", "db_name", "username"):
        if not values.get(name):
            raise HarborYmlError(f"external_database.harbor.{name} is missing")
    account = quote(_text(values["username"]), safe="")
    if values.get("password"):
        account += f":{quote(_text(values['password']), safe='')}"
    query = urlencode({"sslmode": _text(values.get("ssl_mode") or "prefer")})
    place = f"{values['host']}:{values.get('port') or 5432}/{quote(_text(values['db_name']), safe='')}"
    result.settings["HARBOR_DATABASE_URL"] = f"postgres://{account}@{place}?{query}"
    known = {"host", "port", "db_name", "username", "password", "ssl_mode"}
    _unused(result, "external_database.harbor", values, known)
    _unused(result, "external_database", every, {"harbor"})


def _external_redis(result: Environment, value: Any) -> None:
    values = _map("external_redis", value)
    if not values.get("host"):
        raise HarborYmlError("external_redis.host is missing")
    tls = "s" if _map("external_redis.tlsOptions", values.get("tlsOptions") or {}).get("enable") else ""
    account = ""
    if values.get("password"):
        name = quote(_text(values.get("username") or ""), safe="")
        account = f"{name}:{quote(_text(values['password']), safe='')}@"
    master = values.get("sentinel_master_set")
    scheme, path = (f"redis{tls}+sentinel", f"{master}/0") if master else (f"redis{tls}", "0")
    result.settings["HARBOR_REDIS_URL"] = f"{scheme}://{account}{values['host']}/{path}"
    _unused(result, "external_redis", values, {"host", "password", "username", "sentinel_master_set", "tlsOptions"})


def _log(result: Environment, value: Any) -> None:
    values = _map("log", value)
    level = _text(values.get("level") or "info")
    if level not in LOG_LEVELS:
        raise HarborYmlError(f"log.level must be one of {', '.join(LOG_LEVELS)}")
    result.settings["HARBOR_LOG_LEVEL"] = LOG_LEVELS[level]
    result.notes += [f"log.{key}: the engine's logging driver decides" for key in values if key != "level"]


def _jobservice(result: Environment, value: Any) -> None:
    values = _map("jobservice", value)
    if values.get("max_job_workers"):
        result.settings["HARBOR_WORKER_THREADS"] = _text(values["max_job_workers"])
    if values.get("logger_sweeper_duration"):
        result.settings["HARBOR_JOB_LOG_DAYS"] = _text(values["logger_sweeper_duration"])
    _unused(result, "jobservice", values, {"max_job_workers", "logger_sweeper_duration"})


def _notification(result: Environment, value: Any) -> None:
    values = _map("notification", value)
    if "webhook_job_max_retry" in values:
        result.settings["JOBSERVICE_WEBHOOK_JOB_MAX_RETRY"] = _text(values["webhook_job_max_retry"])
    _unused(result, "notification", values, {"webhook_job_max_retry"})


def _proxy(result: Environment, value: Any) -> None:
    values = _map("proxy", value)
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        if values.get(name):
            result.settings[name.upper()] = _text(values[name])
    if values.get("http_proxy") or values.get("https_proxy"):
        inside = "core,registry,postgresql,redis,localhost,127.0.0.1"
        result.settings["NO_PROXY"] = ",".join(filter(None, (_text(values.get("no_proxy") or ""), inside)))
    _unused(result, "proxy", values, {"http_proxy", "https_proxy", "no_proxy"})


def _metric(result: Environment, value: Any) -> None:
    values = _map("metric", value)
    if values.get("enabled"):
        result.files.append("compose.metrics.yaml")
        result.settings["HARBOR_METRICS_PORT"] = f"127.0.0.1:{values.get('port') or 9090}"
    _unused(result, "metric", values, {"enabled", "port"})


def _trace(result: Environment, value: Any) -> None:
    values = _map("trace", value)
    if not values.get("enabled"):
        return
    otel = _map("trace.otel", values.get("otel") or {})
    if not otel.get("endpoint"):
        raise HarborYmlError("trace needs otel.endpoint; Jaeger takes what is sent there, too (port 4318)")
    result.settings["TRACE_ENABLED"] = "true"
    known = {"sample_rate", "namespace"}
    for name in sorted(known & values.keys()):
        result.settings[f"TRACE_{name.upper()}"] = _text(values[name])
    if values.get("attributes"):
        result.settings["TRACE_ATTRIBUTES"] = json.dumps(_map("trace.attributes", values["attributes"]))
    options = {"endpoint", "url_path", "compression", "insecure", "timeout"}
    for name in sorted(options & otel.keys()):
        result.settings[f"TRACE_OTEL_{name.upper()}"] = _text(otel[name])
    _unused(result, "trace.otel", otel, options)
    _unused(result, "trace", values, known | {"enabled", "attributes", "otel"})


def _internal_tls(result: Environment, value: Any) -> None:
    values = _map("internal_tls", value)
    if values.get("enabled"):
        result.settings["INTERNAL_TLS_ENABLED"] = "true"
    if values.get("dir"):
        result.notes.append("internal_tls.dir: the certificates are made at the first start")
    _unused(result, "internal_tls", values, {"enabled", "dir"})


_SECTIONS: dict[str, Callable[[Environment, Any], None]] = {
    "harbor_admin_password": _password,
    "storage_service": _storage,
    "external_database": _external_database,
    "external_redis": _external_redis,
    "log": _log,
    "jobservice": _jobservice,
    "notification": _notification,
    "proxy": _proxy,
    "metric": _metric,
    "trace": _trace,
    "internal_tls": _internal_tls,
}

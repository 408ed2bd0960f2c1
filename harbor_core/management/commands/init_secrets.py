import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from auth.keys import ensure_internal_key, ensure_token_key
from harbor_core import kubernetes
from harbor_core.env import ConfigError, env_bool, env_list, env_str
from harbor_core.standalone.tls import CA_DAYS, ensure_certificate

ROLES = ["core", "portal", "waiting", "exporter", "registry", "gateway"]  # as compose names them


class Command(BaseCommand):
    help = "Make the secrets and keys that every role shares, once: what is there stays as it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--folder", type=Path, required=True, help="where the secrets are (a shared volume)")
        parser.add_argument(
            "--kubernetes",
            metavar="NAME",
            help="keep them in the Secrets NAME, NAME-token-keys, NAME-tls and NAME-internal-tls of the own namespace",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"]
        folder.mkdir(parents=True, exist_ok=True)
        name: str = options["kubernetes"] or ""
        try:
            if name:
                _bring(folder, name)
            _fill(folder)
            if name:
                _keep(folder, name)
        except ConfigError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"secrets are ready in {folder}")


def _fill(folder: Path) -> None:
    _once(folder / "secret_key", lambda: env_str("HARBOR_INIT_SECRET_KEY") or secrets.token_urlsafe(48))
    _once(folder / "registry_http_secret", lambda: secrets.token_urlsafe(48))
    ensure_token_key(folder / "keys")
    ensure_internal_key(folder / "keys")
    database = env_str("HARBOR_INIT_DATABASE")  # the bundled database: its password is ours to choose
    if database:
        _once(folder / "database_password", lambda: secrets.token_urlsafe(24))
        password = (folder / "database_password").read_text(encoding="ascii").strip()
        _once(folder / "database_url", lambda: _with_password(database, password))
        # The database's own image reads its password as another account.
        (folder / "database_password").chmod(0o644)
    if env_str("HARBOR_TLS", "off") == "self-signed":
        ensure_certificate(folder / "tls", settings.PUBLIC_URLS)
    if env_bool("INTERNAL_TLS_ENABLED"):
        names = env_list("HARBOR_INTERNAL_NAMES") or ROLES
        # No client of the web sees it, and roles read it when they start: it lives as long as its authority.
        ensure_certificate(folder / "internal-tls", [f"https://{name}" for name in names], CA_DAYS)


def _once(path: Path, make: Any) -> None:
    if path.exists() and path.stat().st_size:
        return
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(make() + "\n")
    temporary.rename(path)


def _with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    account, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{account}:{quote(password, safe='')}@{host}"))


# A Secret is one flat folder, and pods mount token keys as a folder of their own so that they can rotate.
_FILES = {
    "secret_key": "secret_key",
    "registry_http_secret": "registry_http_secret",
    "database_password": "database_password",
    "database_url": "database_url",
    "registry.key": "keys/internal/registry.key",
    "registry.crt": "keys/internal/registry.crt",
}
# Authorities: pods mount what they sign, and never these keys.
_AUTHORITIES = {
    "tls_ca.crt": "tls/ca.crt",
    "tls_ca.key": "tls/ca.key",
    "internal_tls_ca.crt": "internal-tls/ca.crt",
    "internal_tls_ca.key": "internal-tls/ca.key",
}
# Certificates are made anew before they end, or for a further name: folder, which is the Secret's ending as well.
_CERTIFICATES = ("tls", "internal-tls")
_CERTIFICATE_FILES = {"tls.crt": "server.crt", "tls.key": "server.key", "ca.crt": "ca.crt"}


def _bring(folder: Path, name: str) -> None:
    """What the cluster has already."""
    paths = _FILES | _AUTHORITIES
    found = {paths[key]: value for key, value in kubernetes.read_secret(name).items() if key in paths}
    found |= {f"keys/token/{key}": value for key, value in kubernetes.read_secret(f"{name}-token-keys").items()}
    for kind in _CERTIFICATES:
        there = kubernetes.read_secret(f"{name}-{kind}")
        served = {"tls.crt", "tls.key"} & there.keys()
        found |= {f"{kind}/{_CERTIFICATE_FILES[key]}": there[key] for key in served}
    for path, value in found.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(value)


def _keep(folder: Path, name: str) -> None:
    labels = {"app.kubernetes.io/managed-by": "harbor-init", "app": "harbor"}
    kubernetes.add_to_secret(name, _there(folder, _FILES), labels)
    kubernetes.put_secret(name, _there(folder, _AUTHORITIES), labels)
    keys = {path.name: path.read_bytes() for path in (folder / "keys" / "token").glob("*.pem")}
    kubernetes.add_to_secret(f"{name}-token-keys", keys, labels)
    for kind in _CERTIFICATES:
        if (folder / kind / "server.crt").exists():
            files = _there(folder / kind, _CERTIFICATE_FILES)
            kubernetes.put_secret(f"{name}-{kind}", files, labels, "kubernetes.io/tls")


def _there(folder: Path, paths: dict[str, str]) -> dict[str, bytes]:
    return {key: (folder / path).read_bytes() for key, path in paths.items() if (folder / path).exists()}

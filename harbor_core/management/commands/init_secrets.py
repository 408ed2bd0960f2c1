import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from auth.keys import ensure_internal_key, ensure_token_key
from harbor_core import kubernetes
from harbor_core.env import ConfigError, env_str
from harbor_core.standalone.tls import ensure_certificate


class Command(BaseCommand):
    help = "Make the secrets and keys that every role shares, once: what is there stays as it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--folder", type=Path, required=True, help="where the secrets are (a shared volume)")
        parser.add_argument(
            "--kubernetes",
            metavar="NAME",
            help="keep them in the Secrets NAME and NAME-token-keys of the own namespace as well",
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


def _bring(folder: Path, name: str) -> None:
    """What the cluster has already."""
    found = {_FILES[key]: value for key, value in kubernetes.read_secret(name).items() if key in _FILES}
    found |= {f"keys/token/{key}": value for key, value in kubernetes.read_secret(f"{name}-token-keys").items()}
    for path, value in found.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(value)


def _keep(folder: Path, name: str) -> None:
    labels = {"app.kubernetes.io/managed-by": "harbor-init", "app": "harbor"}
    values = {key: (folder / path).read_bytes() for key, path in _FILES.items() if (folder / path).exists()}
    kubernetes.add_to_secret(name, values, labels)
    keys = {path.name: path.read_bytes() for path in (folder / "keys" / "token").glob("*.pem")}
    kubernetes.add_to_secret(f"{name}-token-keys", keys, labels)

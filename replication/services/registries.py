"""Remote registries: create, change, delete, ask whether they are there (contract 2.13)."""

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from django.db import IntegrityError, transaction
from django.db.models import Q

from auth.actor import Actor
from harbor_core.lib.address import http_address
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from projects.models import Project
from replication import secrets
from replication.adapters import adapter
from replication.adapters.base import Endpoint, UnhealthyError
from replication.models import Registry, ReplicationPolicy
from replication.secrets import MASK
from replication.selectors.registries import endpoint_of, registry_get

logger = logging.getLogger(__name__)
NAME_MAX, URL_MAX, SECRET_MAX, CERTIFICATE_MAX = 64, 512, 16_384, 65_536
CREDENTIAL_TYPES = ("", "basic", "oauth", "secret")
HEALTHY, UNHEALTHY = "healthy", "unhealthy"
# A change of these is tried out before it is stored.
CONNECTION = (
    "url", "access_key", "access_secret", "insecure", "ca_certificate", "client_certificate", "client_key", "proxy",
    "timeout", "more_credentials",
)  # fmt: skip
OTHERS = ("name", "description", "credential_type", "speed")
# What a client may leave out, and what it is then.
DEFAULTS: dict[str, Any] = {
    "client_certificate": "", "client_key": "", "proxy": "", "timeout": 0, "more_credentials": [], "speed": 0,
}  # fmt: skip
SECRETS = ("access_secret", "client_key", "proxy", "more_credentials")
TIMEOUT_MAX, SPEED_MAX, MORE_MAX = 3600, 2**31 - 1, 20


def _bad(message: str) -> HarborError:
    return HarborError("BAD_REQUEST", message)


def checked_url(text: str) -> str:
    """In the form it is stored in. Raises BAD_REQUEST."""
    try:
        url = http_address(text)
    except ValueError as exc:
        raise _bad(str(exc)) from exc
    if len(url) > URL_MAX:
        raise _bad(f"the address must have at most {URL_MAX} characters")
    return url


def _check(values: Mapping[str, Any]) -> None:
    """Raises BAD_REQUEST."""
    if not 1 <= len(values["name"]) <= NAME_MAX:
        raise _bad(f"the name of a registry must have 1 to {NAME_MAX} characters")
    if values["credential_type"] not in CREDENTIAL_TYPES:
        raise _bad("the credential type must be basic, oauth or secret")
    if len(values["access_key"]) > SECRET_MAX or len(values["access_secret"]) > SECRET_MAX:
        raise _bad(f"access key and access secret must have at most {SECRET_MAX} characters")
    _check_certificates("ca_certificate", values["ca_certificate"])
    _check_client(values["client_certificate"], values["client_key"])
    secrets.check_proxy(values["proxy"])
    if not 0 <= values["timeout"] <= TIMEOUT_MAX:
        raise _bad(f"the timeout must lie between 0 and {TIMEOUT_MAX} seconds")
    if not 0 <= values["speed"] <= SPEED_MAX:
        raise _bad("the speed of a registry must be 0 or a number of KB per second")
    more = values["more_credentials"]
    if len(more) > MORE_MAX or any(len(pair[0]) + len(pair[1]) > SECRET_MAX or not pair[1] for pair in more):
        raise _bad(f"there can be {MORE_MAX} more credentials, each with a secret of at most {SECRET_MAX} characters")


def _check_certificates(name: str, pem: str) -> None:
    if not pem:
        return
    if len(pem) > CERTIFICATE_MAX:
        raise _bad(f"a certificate must have at most {CERTIFICATE_MAX} characters")
    try:
        load_pem_x509_certificates(pem.encode())
    except ValueError as exc:
        raise _bad(f"{name} is not a certificate in PEM form") from exc


def _check_client(certificate: str, key: str) -> None:
    """They belong together. Raises BAD_REQUEST."""
    _check_certificates("client_certificate", certificate)
    if not certificate and not key:
        return
    try:
        found = load_pem_private_key(key.encode(), None)
        first = load_pem_x509_certificates(certificate.encode())[0]
        fits = found.public_key() == first.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise _bad("client_certificate needs client_key, a private key in PEM form without a password") from exc
    if not fits:
        raise _bad("client_key is not the key of client_certificate")


def _ask(kind: str, endpoint: Endpoint) -> None:
    """Raises BAD_REQUEST with the reason when the registry is not healthy."""
    try:
        found = adapter(kind, endpoint)
        for each in (found, *found.others()):
            each.check()
    except UnhealthyError as exc:
        raise _bad(f"the registry is unhealthy: {exc}") from exc


def create(actor: Actor, *, kind: str, values: Mapping[str, Any], tolerant: bool = False) -> Registry:
    """``values`` are name, url, description, insecure, ca_certificate, credential_type, access_key, access_secret, and
    what DEFAULTS has. ``more_credentials`` are pairs of access key and secret.

    Raises BAD_REQUEST, also when it does not answer, unless ``tolerant``: then it is there as unhealthy; CONFLICT when
    the name is taken.
    """
    given = DEFAULTS | {name: value for name, value in values.items() if value is not None}
    given["url"] = checked_url(given["url"])
    _check(given)
    taken = HarborError("CONFLICT", f"registry {given['name']} already exists")
    if Registry.objects.filter(name=given["name"]).exists():
        raise taken
    adapter(kind, _endpoint(given))  # a kind that is not known or not allowed is refused in any case
    status = HEALTHY
    try:
        _ask(kind, _endpoint(given))
    except HarborError:
        if not tolerant:
            raise
        status = UNHEALTHY
    registry = Registry(**_stored(given), type=kind, status=status)
    try:
        with transaction.atomic():
            registry.save(force_insert=True)
            audit.record(actor, "create", "registry", registry.name)
    except IntegrityError as exc:
        raise taken from exc
    return registry


def _endpoint(values: Mapping[str, Any]) -> Endpoint:
    given = {name: values[name] for name in CONNECTION if name != "more_credentials"}
    return Endpoint(**given, more=tuple(values["more_credentials"]))


def _stored(values: Mapping[str, Any]) -> dict[str, Any]:
    """The model's fields: secrets are sealed."""
    proxy, password = secrets.without_password(values["proxy"])
    return {
        **values,
        "access_secret": secrets.sealed(values["access_secret"]),
        "client_key": secrets.sealed(values["client_key"]),
        "proxy": proxy,
        "proxy_password": secrets.sealed(password),
        "more_credentials": secrets.more_sealed(values["more_credentials"]),
    }


def merged(registry: Registry, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The registry's values, its secrets in clear, with the changes that are not None.

    A stored secret goes only where it was meant to go: another address, or another proxy, needs it given again. Raises
    BAD_REQUEST.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    for name in ("access_secret", "client_key"):
        if given.get(name) == MASK:
            del given[name]
    if "url" in given:
        given["url"] = checked_url(given["url"])
    if "proxy" in given:
        given["proxy"] = secrets.proxy_as_meant(given["proxy"], registry.proxy, registry.proxy_password)
    keeps_more = any(secret == MASK for _, secret in given.get("more_credentials", [("", MASK)]))
    if "more_credentials" in given:
        given["more_credentials"] = secrets.more_as_meant(given["more_credentials"], registry.more_credentials)
    after = {name: getattr(registry, name) for name in (*OTHERS, *CONNECTION) if name not in SECRETS} | given
    after |= {name: _clear(registry, name) for name in SECRETS if name not in given}
    moved = urlsplit(after["url"])[:2] != urlsplit(registry.url)[:2]
    if moved or secrets.without_password(after["proxy"])[0] != registry.proxy:
        if registry.access_secret and "access_secret" not in given:
            raise _bad("the address changes: give access_secret again, it is not sent anywhere else")
        if registry.more_credentials and keeps_more:
            raise _bad("the address changes: give the secrets of more_credentials again")
    return after


def _clear(registry: Registry, name: str) -> Any:
    if name == "more_credentials":
        return secrets.more_of(registry.more_credentials)
    if name == "proxy":
        return secrets.with_password(registry.proxy, secrets.unsealed(registry.proxy_password))
    return secrets.unsealed(getattr(registry, name))


def _is_changed(registry: Registry, name: str, after: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    """A secret counts as changed when it was given, whatever it was before."""
    if name in SECRETS:
        return changes.get(name) not in (None, MASK)
    return bool(after[name] != getattr(registry, name))


def update(actor: Actor, registry_id: int, changes: Mapping[str, Any]) -> None:
    """Change what is not None; the mask of a secret keeps it. Raises NOT_FOUND, BAD_REQUEST, CONFLICT."""
    registry = registry_get(registry_id)
    after = merged(registry, changes)
    _check(after)
    changed = [name for name in after if _is_changed(registry, name, after, changes)]
    changed += ["proxy_password"] if "proxy" in changed else []
    if any(name in CONNECTION for name in changed):
        _ask(registry.type, _endpoint(after))
    stored = _stored(after)
    try:
        with transaction.atomic():
            current = Registry.objects.select_for_update().filter(pk=registry_id).first()
            if current is None:
                raise HarborError("NOT_FOUND", f"registry {registry_id} not found")
            for name in changed:
                setattr(current, name, stored[name])
            if changed:
                current.status = HEALTHY if any(name in CONNECTION for name in changed) else current.status
                current.save(update_fields=[*changed, "status", "update_time"])
            audit.record(actor, "update", "registry", current.name)
    except IntegrityError as exc:
        raise HarborError("CONFLICT", f"registry {after['name']} already exists") from exc


def delete(actor: Actor, registry_id: int) -> None:
    """Raises NOT_FOUND, PRECONDITION while a proxy project stands for it or a replication policy names it."""
    with transaction.atomic():
        registry = Registry.objects.select_for_update().filter(pk=registry_id).first()
        if registry is None:
            raise HarborError("NOT_FOUND", f"registry {registry_id} not found")
        proxy = Project.objects.filter(registry_id=registry_id, deleted=False).first()
        if proxy is not None:
            raise HarborError("PRECONDITION", f"project {proxy.name} is a proxy of registry {registry.name}")
        policy = ReplicationPolicy.objects.filter(Q(source=registry) | Q(target=registry)).first()
        if policy is not None:
            raise HarborError("PRECONDITION", f"replication policy {policy.name} uses registry {registry.name}")
        registry.delete()
        audit.record(actor, "delete", "registry", registry.name)


def ping(registry_id: int | None, kind: str | None, changes: Mapping[str, Any]) -> None:
    """Ask a stored registry, as it would be with the changes, or one that is described in full.

    Raises NOT_FOUND, BAD_REQUEST with the reason when it is not healthy.
    """
    if registry_id:
        registry = registry_get(registry_id)
        _ask(kind or registry.type, _endpoint(merged(registry, changes)))
        return
    if not kind or not changes["url"]:
        raise _bad("type and url are needed")
    described = merged(Registry(name="new", url=checked_url(changes["url"])), changes)
    _check(described)
    _ask(kind, _endpoint(described))


def check_all() -> int:
    """Note which registries answer. Returns how many changed."""
    registries = list(Registry.objects.all())
    with ThreadPoolExecutor(max_workers=8, thread_name_prefix="health") as pool:
        statuses = list(pool.map(_status, registries))
    return sum(
        Registry.objects.filter(pk=registry.pk).exclude(status=status).update(status=status)
        for registry, status in zip(registries, statuses, strict=True)
    )


def _status(registry: Registry) -> str:
    try:
        _ask(registry.type, endpoint_of(registry))
    except HarborError as error:
        logger.warning("registry %s: %s", registry.name, error.message)
        return UNHEALTHY
    return HEALTHY

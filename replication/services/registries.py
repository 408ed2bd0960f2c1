"""Remote registries: create, change, delete, ask whether they are there (contract 2.13)."""

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from cryptography.x509 import load_pem_x509_certificates
from django.db import IntegrityError, transaction
from django.db.models import Q

from auth.actor import Actor
from harbor_core.lib.address import http_address
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from projects.models import Project
from replication.adapters import adapter
from replication.adapters.base import Endpoint, UnhealthyError
from replication.models import Registry, ReplicationPolicy
from replication.secrets import MASK, sealed
from replication.selectors.registries import endpoint_of, registry_get

logger = logging.getLogger(__name__)
NAME_MAX, URL_MAX, SECRET_MAX, CERTIFICATE_MAX = 64, 512, 16_384, 65_536
CREDENTIAL_TYPES = ("", "basic", "oauth", "secret")
HEALTHY, UNHEALTHY = "healthy", "unhealthy"
# A change of these is tried out before it is stored.
CONNECTION = ("url", "access_key", "access_secret", "insecure", "ca_certificate")


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
    _check_certificate(values["ca_certificate"])


def _check_certificate(pem: str) -> None:
    if not pem:
        return
    try:
        load_pem_x509_certificates(pem.encode()[: CERTIFICATE_MAX + 1])
    except ValueError as exc:
        raise _bad("ca_certificate is not a certificate in PEM form") from exc
    if len(pem) > CERTIFICATE_MAX:
        raise _bad(f"ca_certificate must have at most {CERTIFICATE_MAX} characters")


def _ask(kind: str, endpoint: Endpoint) -> None:
    """Raises BAD_REQUEST with the reason when the registry is not healthy."""
    try:
        adapter(kind, endpoint).check()
    except UnhealthyError as exc:
        raise _bad(f"the registry is unhealthy: {exc}") from exc


def create(actor: Actor, *, kind: str, values: Mapping[str, Any]) -> Registry:
    """``values`` are name, url, description, insecure, ca_certificate, credential_type, access_key, access_secret.

    Raises BAD_REQUEST, also when it does not answer; CONFLICT when the name is taken.
    """
    given = {**values, "url": checked_url(values["url"])}
    _check(given)
    taken = HarborError("CONFLICT", f"registry {given['name']} already exists")
    if Registry.objects.filter(name=given["name"]).exists():
        raise taken
    _ask(kind, _endpoint(given))
    registry = Registry(**{**given, "access_secret": sealed(given["access_secret"])}, type=kind, status=HEALTHY)
    try:
        with transaction.atomic():
            registry.save(force_insert=True)
            audit.record(actor, "create", "registry", registry.name)
    except IntegrityError as exc:
        raise taken from exc
    return registry


def _endpoint(values: Mapping[str, Any]) -> Endpoint:
    return Endpoint(**{name: values[name] for name in CONNECTION})


def merged(registry: Registry, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The registry's values, its secret in clear, with the changes that are not None.

    A stored secret goes only where it was meant to go: another address needs it given again. Raises BAD_REQUEST.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    if given.get("access_secret") == MASK:
        del given["access_secret"]
    if "url" in given:
        given["url"] = checked_url(given["url"])
        moved = urlsplit(given["url"])[:2] != urlsplit(registry.url)[:2]
        if moved and registry.access_secret and "access_secret" not in given:
            raise _bad("the address changes: give access_secret again, it is not sent anywhere else")
    secret = {} if "access_secret" in given else {"access_secret": endpoint_of(registry).access_secret}
    names = ("name", "description", "credential_type", *CONNECTION)
    return {name: getattr(registry, name) for name in names} | secret | given


def update(actor: Actor, registry_id: int, changes: Mapping[str, Any]) -> None:
    """Change what is not None; the mask of a secret keeps it. Raises NOT_FOUND, BAD_REQUEST, CONFLICT."""
    registry = registry_get(registry_id)
    after = merged(registry, changes)
    _check(after)
    changed = [name for name in after if name != "access_secret" and after[name] != getattr(registry, name)]
    if changes["access_secret"] not in (None, MASK):
        changed.append("access_secret")
    if any(name in CONNECTION for name in changed):
        _ask(registry.type, _endpoint(after))
    stored = {**after, "access_secret": sealed(after["access_secret"])}
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

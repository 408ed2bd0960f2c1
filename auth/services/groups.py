"""Groups of identity providers: made by administrators, or on demand when a project gives one a role (1.20)."""

import re
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from auth.actor import Actor
from auth.models import UserGroup
from auth.selectors.groups import not_found, type_in_use
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from harbor_core.services.config import config_get
from projects import access

NAME_MAX, DN_MAX = 255, 512
# RFC 4514: relative names joined by commas, each one attribute=value, or several joined by +.
_PAIR = r"(?:[a-zA-Z][a-zA-Z0-9-]*|\d+(?:\.\d+)*) *= *(?:[^\\,+\"<>;=\x00]|\\.|=)+"
_DN = re.compile(rf"{_PAIR}(?:[,+] *{_PAIR})*")


@dataclass(frozen=True, slots=True)
class GroupReference:
    """By id when it is not 0, else by distinguished name, else by name, of this type unless that is 0."""

    id: int = 0
    name: str = ""
    type: int = 0
    dn: str = ""


def _bad(message: str) -> HarborError:
    return HarborError("BAD_REQUEST", message)


def _checked_name(name: str) -> str:
    if not 1 <= len(name.strip()) <= NAME_MAX:
        raise _bad(f"a group name must have 1 to {NAME_MAX} characters")
    return name.strip()


def _checked_dn(dn: str) -> str:
    """As it is stored: case does not matter in a directory. Raises BAD_REQUEST."""
    dn = dn.strip()
    if len(dn) > DN_MAX or not _DN.fullmatch(dn):
        raise _bad(f"{dn[:200]!r} is not a distinguished name")
    return dn.lower()


def create(actor: Actor, *, name: str, group_type: int, dn: str = "") -> UserGroup:
    """A group of the provider in use. One of LDAP is known by its distinguished name, which also names it where no
    name is given. Raises BAD_REQUEST, CONFLICT.
    """
    current = type_in_use()
    if current is None:
        raise _bad("user groups come with LDAP, HTTP or OIDC authentication")
    if group_type != current:
        raise _bad(f"group_type must be {current.value}, the type of {config_get('auth_mode')}")
    dn = _checked_dn(dn) if current is UserGroup.Type.LDAP else ""
    group = UserGroup(group_name=_checked_name(name or _first_value(dn)), group_type=current, ldap_group_dn=dn)
    try:
        with transaction.atomic():
            group.save(force_insert=True)
            audit.record(actor, "create", "user-group", group.group_name)
    except IntegrityError as exc:
        raise HarborError("CONFLICT", f"user group {dn or group.group_name} already exists") from exc
    return group


def _first_value(dn: str) -> str:
    """``cn=crew,ou=groups`` -> ``crew``."""
    return re.split(r"(?<!\\)[,+]", dn)[0].partition("=")[2].strip()


def rename(actor: Actor, group_id: int, name: str) -> None:
    """Raises BAD_REQUEST, NOT_FOUND, CONFLICT."""
    name = _checked_name(name)
    try:
        with transaction.atomic():
            group = _locked(group_id)
            group.group_name = name
            group.save(update_fields=["group_name"])
            audit.record(actor, "update", "user-group", name)
    except IntegrityError as exc:
        raise HarborError("CONFLICT", f"user group {name} already exists") from exc


def delete(actor: Actor, group_id: int) -> None:
    """Its roles in projects go with it. Raises NOT_FOUND."""
    with transaction.atomic():
        group = _locked(group_id)
        name = group.group_name
        group.delete()
        audit.record(actor, "delete", "user-group", name)
        transaction.on_commit(access.forget)


def _locked(group_id: int) -> UserGroup:
    group = UserGroup.objects.select_for_update().filter(pk=group_id).first()
    if group is None:
        raise not_found(group_id)
    return group


def find_or_create(actor: Actor, reference: GroupReference) -> UserGroup:
    """The group a project wants to give a role, made on demand where the provider in use can have it: by name for
    HTTP and OIDC, by distinguished name for LDAP. Held until the caller's transaction ends. Raises NOT_FOUND,
    BAD_REQUEST.
    """
    found = _find(reference)
    if found is not None:
        return found
    current = type_in_use()
    known_by = reference.dn if current is UserGroup.Type.LDAP else reference.name
    if reference.id or current is None or not known_by or reference.type not in (0, current):
        raise not_found(reference.id or reference.dn or reference.name)
    try:
        return create(actor, name=reference.name, group_type=current, dn=reference.dn)
    except HarborError:
        found = _find(reference)  # made by somebody else in this moment
        if found is None:
            raise
        return found


def _find(reference: GroupReference) -> UserGroup | None:
    groups = UserGroup.objects.select_for_update(no_key=True)
    if reference.id:
        return groups.filter(pk=reference.id).first()
    if reference.dn:
        return groups.filter(ldap_group_dn=reference.dn.strip().lower()).first()
    current = reference.type or type_in_use()
    groups = groups.filter(group_name=reference.name)
    return (groups.filter(group_type=current) if current else groups).order_by("pk").first()

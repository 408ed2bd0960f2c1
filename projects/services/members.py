"""Roles of users and groups in a project."""

from dataclasses import dataclass

from django.db import IntegrityError, transaction

from auth.actor import Actor
from auth.models import User, UserGroup
from auth.rbac import Role
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from projects import access
from projects.models import Member, Project


@dataclass(frozen=True, slots=True)
class UserReference:
    """By id when it is not 0, else by name."""

    id: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class GroupReference:
    """By id when it is not 0, else by distinguished name, else by name and type."""

    id: int = 0
    name: str = ""
    type: int = 0
    dn: str = ""


def _checked(role: int) -> int:
    if role not in set(Role):
        raise HarborError("BAD_REQUEST", f"role_id must be one of {', '.join(str(int(known)) for known in Role)}")
    return role


def _user(reference: UserReference) -> User:
    users = User.objects.filter(deleted=False)
    found = users.filter(pk=reference.id).first() if reference.id else users.filter(username=reference.name).first()
    if found is None:
        raise HarborError("NOT_FOUND", f"user {reference.id or reference.name[:200]} not found")
    return found


def _group(reference: GroupReference) -> UserGroup:
    groups = UserGroup.objects.all()
    if reference.id:
        groups = groups.filter(pk=reference.id)
    elif reference.dn:
        groups = groups.filter(ldap_group_dn=reference.dn)
    else:
        groups = groups.filter(group_name=reference.name)
        groups = groups.filter(group_type=reference.type) if reference.type else groups
    found = groups.first()
    if found is None:
        raise HarborError("NOT_FOUND", f"group {reference.id or reference.dn[:200] or reference.name[:200]} not found")
    return found


def add(
    actor: Actor, project: Project, role: int, *, user: UserReference | None = None, group: GroupReference | None = None
) -> Member:
    """Give a user or a group (one of them) a role. Raises BAD_REQUEST, NOT_FOUND, CONFLICT when it has one."""
    _checked(role)
    if (user is None) == (group is None):
        raise HarborError("BAD_REQUEST", "name either a user or a group")
    member = Member(project=project, role=role)
    if user is not None:
        member.user = _user(user)
        name = member.user.username
    elif group is not None:
        member.group = _group(group)
        name = member.group.group_name
    try:
        with transaction.atomic():
            member.save(force_insert=True)
            audit.record(actor, "create", "member", f"{project.name}/{name}", project_id=project.pk)
    except IntegrityError as exc:
        raise HarborError("CONFLICT", f"{name} is a member of {project.name} already") from exc
    access.forget()
    return member


def set_role(actor: Actor, project: Project, member_id: int, role: int) -> None:
    """Raises BAD_REQUEST, NOT_FOUND."""
    _checked(role)
    with transaction.atomic():
        member = _locked(project, member_id)
        member.role = role
        member.save(update_fields=["role", "update_time"])
        audit.record(actor, "update", "member", f"{project.name}/{_name(member)}", project_id=project.pk)
    access.forget()


def remove(actor: Actor, project: Project, member_id: int) -> None:
    """Raises NOT_FOUND."""
    with transaction.atomic():
        member = _locked(project, member_id)
        name = _name(member)
        member.delete()
        audit.record(actor, "delete", "member", f"{project.name}/{name}", project_id=project.pk)
    access.forget()


def _locked(project: Project, member_id: int) -> Member:
    member = Member.objects.select_for_update().filter(project=project, pk=member_id).first()
    if member is None:
        raise HarborError("NOT_FOUND", f"member {member_id} not found in {project.name}")
    return member


def _name(member: Member) -> str:
    return member.user.username if member.user else member.group.group_name if member.group else ""

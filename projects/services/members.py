"""Roles of users and groups in a project."""

from dataclasses import dataclass

from django.db import IntegrityError, transaction

from auth.actor import Actor
from auth.models import User
from auth.rbac import Role
from auth.services import groups
from auth.services.groups import GroupReference
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from projects import access
from projects.models import Member, Project
from projects.services.hold import hold_project


@dataclass(frozen=True, slots=True)
class UserReference:
    """By id when it is not 0, else by name."""

    id: int = 0
    name: str = ""


def _checked(role: int) -> int:
    if role not in set(Role):
        raise HarborError("BAD_REQUEST", f"role_id must be one of {', '.join(str(int(known)) for known in Role)}")
    return role


def _user(reference: UserReference) -> User:
    """Held, so that a deleted account is a member of nothing."""
    users = User.objects.select_for_update(no_key=True).filter(deleted=False)
    found = users.filter(pk=reference.id).first() if reference.id else users.filter(username=reference.name).first()
    if found is None:
        raise HarborError("NOT_FOUND", f"user {reference.id or reference.name[:200]} not found")
    return found


def add(
    actor: Actor, project: Project, role: int, *, user: UserReference | None = None, group: GroupReference | None = None
) -> Member:
    """Give a user or a group (one of them) a role. A group that is not known yet is made on demand where groups of the
    authentication in use can be. Raises BAD_REQUEST, NOT_FOUND, CONFLICT when it has one."""
    _checked(role)
    if (user is None) == (group is None):
        raise HarborError("BAD_REQUEST", "name either a user or a group")
    try:
        with transaction.atomic():
            hold_project(project.pk)
            member = Member(project=project, role=role)
            if user is not None:
                member.user = _user(user)
            elif group is not None:
                member.group = groups.find_or_create(actor, group)
            name = _name(member)
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

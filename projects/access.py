"""The only permission door: what may this actor do in this project, and which projects may it see.

The REST API, the portal, the token service and ``/v2`` all ask here. Rules that are data live in auth.rbac.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from auth import last_used, personal_tokens, rbac, robot_names
from auth.actor import Actor, Credential, Kind
from auth.models import Robot, RobotPermission, RobotTrust, User
from auth.scopes import Scope
from harbor_core.lib import names
from harbor_core.lib.errors import HarborError
from harbor_core.lib.ttl import TTLCache
from projects.models import Member, Project


@dataclass(frozen=True, slots=True)
class ProjectAccess:
    """What one actor may do in one project, as of now."""

    project_id: int
    project_name: str
    public: bool
    proxy: bool
    created_at: float  # epoch seconds
    roles: frozenset[int]
    permissions: frozenset[str]


_decisions: TTLCache[ProjectAccess] = TTLCache(20_000)
_subjects: TTLCache[Actor] = TTLCache(20_000)

_ROLES_JOIN = """
    LEFT JOIN harbor_projects_member m ON m.project_id = p.id AND (
        m.user_id = %s OR m.group_id IN (SELECT group_id FROM harbor_auth_groupmembership WHERE user_id = %s))
"""
_PROJECT_SQL = f"""
    SELECT p.id, p.public, p.registry_id, p.creation_time, m.role
    FROM harbor_projects_project p {_ROLES_JOIN}
    WHERE p.name = %s AND NOT p.deleted
"""
_WHOLE_PROJECT_SQL = f"""
    SELECT p.*, u.username AS owner_name, m.role AS member_role
    FROM harbor_projects_project p JOIN harbor_auth_user u ON u.id = p.owner_id {_ROLES_JOIN}
"""
_GRANTS_SQL = """
    SELECT resource, action FROM harbor_auth_robotpermission
    WHERE robot_id = %s AND kind = 'project' AND (project_id = %s OR project_id IS NULL)
"""


def _epoch(value: datetime | str) -> float:
    if isinstance(value, str):  # SQLite through a raw cursor
        value = datetime.fromisoformat(value)
    return (value if value.tzinfo else value.replace(tzinfo=timezone.get_default_timezone())).timestamp()


def project_access(actor: Actor, project_name: str) -> ProjectAccess | None:
    """Read now from the database; None when the project does not exist. One query, two for a robot."""
    user_id = actor.user_id or 0
    with connection.cursor() as cursor:
        cursor.execute(_PROJECT_SQL, [user_id, user_id, project_name])
        rows = cursor.fetchall()
        if not rows:
            return None
    project_id, public, registry_id, created, _ = rows[0]
    roles = frozenset(row[4] for row in rows if row[4] is not None)
    permissions = _permissions(actor, project_id, roles, bool(public))
    return ProjectAccess(
        project_id, project_name, bool(public), registry_id is not None, _epoch(created), roles, permissions
    )


def _permissions(actor: Actor, project_id: int, roles: frozenset[int], public: bool) -> frozenset[str]:
    """Outside the projects a personal token is limited to it has what anybody has, where its scopes allow that."""
    scope = actor.scope
    counted = set(roles) if scope is None or scope.covers(project_id) else set()
    permissions = rbac.permissions_of(counted, public=public, sysadmin=actor.is_sysadmin)
    if scope is not None:
        return permissions & scope.permissions
    if not actor.is_robot:
        return permissions
    with connection.cursor() as cursor:
        cursor.execute(_GRANTS_SQL, [actor.id, project_id])
        return permissions | {f"{resource}:{action}" for resource, action in cursor.fetchall()}


def recent_project_access(actor: Actor, project_name: str, *permissions: str) -> ProjectAccess | None:
    """As :func:`project_access`, at most ACCESS_CACHE_SECONDS old. Only a yes is taken from the cache: a right that
    was just given counts at once, one that was taken away is gone within those seconds."""
    key = (actor.key, actor.is_sysadmin, project_name)
    access = _decisions.get(key)
    if access is None or not access.permissions.issuperset(permissions):
        access = project_access(actor, project_name)
        if access is not None:
            _decisions.put(key, access, settings.ACCESS_CACHE_SECONDS)
    return access


def actor_of_key(key: str) -> Actor | None:
    """The actor behind a token's subject, if it is still enabled (at most ACCESS_CACHE_SECONDS old)."""
    if key == "a":
        return Actor(Kind.ANONYMOUS, 0, "anonymous", False, Credential.BEARER)
    actor = _subjects.get(key)
    if actor is None:
        actor = _read_subject(key)
        if actor is not None:
            _subjects.put(key, actor, settings.ACCESS_CACHE_SECONDS)
    return actor


def _read_subject(key: str) -> Actor | None:
    kind, _, digits = key.partition(":")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        return None
    number = int(digits)
    match kind:
        case "u":
            return _read_user(number)
        case "r":
            return _read_robot(number)
        case "t":
            return personal_tokens.actor_of_id(number)
        case "f":  # a trust's tokens end with the trust
            robot_id = RobotTrust.objects.filter(pk=number).values_list("robot_id", flat=True).first()
            return _read_robot(robot_id, key) if robot_id else None
    return None


def _read_user(number: int) -> Actor | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT username, sysadmin_flag FROM harbor_auth_user WHERE id = %s AND NOT deleted", [number])
        row = cursor.fetchone()
    return Actor(Kind.USER, number, row[0], bool(row[1]), Credential.BEARER) if row else None


def _read_robot(number: int, through: str = "") -> Actor | None:
    """A robot's token ends with the robot, and with the project it belongs to."""
    robot = (
        Robot.objects.select_related("project")
        .only("name", "last_used_at", "project__name")
        .filter(pk=number, disabled=False)
        .exclude(project__deleted=True)
        .exclude(expires_at__lte=timezone.now())
        .first()
    )
    if robot is None:
        return None
    last_used.note(Robot, robot.pk, robot.last_used_at)
    return Actor(Kind.ROBOT, number, robot_names.login(robot), False, Credential.BEARER, through=through)


def forget() -> None:
    """Drop this process's cached decisions (after a change made here, and in tests)."""
    _decisions.clear()
    _subjects.clear()


def can(actor: Actor, permission: str, project: Project | None = None) -> bool:
    """May the actor do this in the project, or on the system when no project is given?"""
    known = rbac.ALL_SYSTEM_PERMISSIONS if project is None else rbac.ALL_PROJECT_PERMISSIONS
    if permission not in known:
        raise ValueError(f"unknown permission {permission!r}")
    if project is not None:
        if project.deleted:
            return False
        access = project_access(actor, project.name)
        return access is not None and permission in access.permissions
    if actor.scope is not None and permission not in actor.scope.permissions:
        return False
    if actor.is_sysadmin:
        return True
    if not actor.is_robot:
        return False
    resource, action = permission.split(":")
    return RobotPermission.objects.filter(
        robot_id=actor.id, kind=RobotPermission.Kind.SYSTEM, resource=resource, action=action
    ).exists()


def require(actor: Actor, permission: str, project: Project | None = None) -> None:
    """Raise UNAUTHORIZED for anonymous, FORBIDDEN for anyone else, unless the actor may."""
    if not can(actor, permission, project):
        raise refusal(actor, permission)


def require_api(actor: Actor, *, changes: bool) -> None:
    """Raise FORBIDDEN for a personal token that is not for the REST API, or not for changing anything there."""
    needed = Scope.API_WRITE if changes else Scope.API_READ
    if actor.scope is not None and needed not in actor.scope.names:
        raise HarborError("FORBIDDEN", f"this personal token is not for that, it lacks the scope {needed}")


def require_account(actor: Actor) -> None:
    """Raise FORBIDDEN for a personal token: accounts, passwords and tokens are the owner's own business."""
    if actor.scope is not None:
        raise HarborError("FORBIDDEN", "a personal token manages no accounts, passwords or tokens")


def refusal(actor: Actor, permission: str) -> HarborError:
    if not actor.is_authenticated:
        return HarborError("UNAUTHORIZED", "authentication is required for this operation")
    return HarborError("FORBIDDEN", f"{actor.name} is not allowed to {permission.replace(':', ' ')}")


def find_project(reference: str | int, *, by_name: bool = False) -> Project | None:
    """By name, or by id when the reference is all digits and ``by_name`` is off (X-Is-Resource-Name)."""
    text = str(reference)
    live = Project.objects.select_related("owner").filter(deleted=False)
    if text.isascii() and text.isdigit() and not by_name:
        return live.filter(pk=int(text)).first() if len(text) < 19 else None
    return live.filter(name=text).first() if names.is_project(text) else None


def get_project(actor: Actor, reference: str | int, permission: str, *, by_name: bool = False) -> Project:
    """The project of :func:`open_project` alone."""
    return open_project(actor, reference, permission, by_name=by_name)[0]


def open_project(
    actor: Actor, reference: str | int, permission: str, *, by_name: bool = False
) -> tuple[Project, ProjectAccess]:
    """The project with its owner's name, and what the actor may do there, if that includes this (REST rules).

    Raises UNAUTHORIZED for anonymous, FORBIDDEN for an account without the right, also when the project does not
    exist; NOT_FOUND only for those who may know: system administrators. One query, two for a robot.
    """
    rows = _read_project(actor, str(reference), by_name)
    if rows:
        project = rows[0]
        project.owner = User.from_db("default", ["id", "username"], [project.owner_id, project.owner_name])
        roles = frozenset(row.member_role for row in rows if row.member_role is not None)
        found = ProjectAccess(
            project.pk,
            project.name,
            project.public,
            project.registry_id is not None,
            project.creation_time.timestamp(),
            roles,
            _permissions(actor, project.pk, roles, project.public),
        )
        if permission in found.permissions:
            return project, found
    elif actor.is_sysadmin:
        raise HarborError("NOT_FOUND", f"project {reference} not found")
    raise refusal(actor, permission)


def _read_project(actor: Actor, reference: str, by_name: bool) -> list[Any]:
    """The project once per role of the actor, or once without; empty when there is none."""
    user_id = actor.user_id or 0
    value: str | int
    if reference.isascii() and reference.isdigit() and not by_name:
        if len(reference) > 18:
            return []
        condition, value = "p.id = %s", int(reference)
    elif names.is_project(reference):
        condition, value = "p.name = %s", reference
    else:
        return []
    statement = f"{_WHOLE_PROJECT_SQL} WHERE {condition} AND NOT p.deleted"
    return list(Project.objects.raw(statement, [user_id, user_id, value]))


def get_project_access(actor: Actor, name: str, permission: str) -> ProjectAccess:
    """As :func:`get_project` by name, for callers that need no project row. One query, two for a robot."""
    found = project_access(actor, name)
    if found is not None and permission in found.permissions:
        return found
    if found is None and actor.is_sysadmin:
        raise HarborError("NOT_FOUND", f"project {name} not found")
    raise refusal(actor, permission)


def visible_projects(actor: Actor, permission: str = "") -> QuerySet[Project]:
    """Projects the actor may see: all for administrators, else public ones and those it has a role or grant in.

    Every role sees what a project contains; a robot's grants are narrower, so where the permission matters it is named.
    """
    projects = Project.objects.filter(deleted=False)
    if actor.scope is not None and permission and permission not in actor.scope.permissions:
        return projects.none()
    if actor.scope is not None and actor.scope.projects:
        projects = projects.filter(Q(public=True) | Q(pk__in=actor.scope.projects))
    if actor.is_sysadmin:
        return projects
    if actor.is_robot:
        grants = RobotPermission.objects.filter(robot_id=actor.id)
        in_projects = Q(kind=RobotPermission.Kind.PROJECT)
        everywhere = in_projects & Q(project__isnull=True)
        if permission:
            resource, action = permission.split(":")
            in_projects &= Q(resource=resource, action=action)
            everywhere &= in_projects
        else:
            everywhere |= Q(kind=RobotPermission.Kind.SYSTEM, resource="project", action="list")
        if grants.filter(everywhere).exists():
            return projects
        return projects.filter(Q(public=True) | Q(pk__in=grants.filter(in_projects).values("project_id")))
    if not actor.is_authenticated:
        return projects.filter(public=True)
    member = Member.objects.filter(Q(user_id=actor.id) | Q(group__groupmembership__user_id=actor.id))
    return projects.filter(Q(public=True) | Q(pk__in=member.values("project_id")))


def projects_granting(actor: Actor, permission: str) -> QuerySet[Project]:
    """Projects in which the actor has this permission: what :func:`project_access` says of one, as rows."""
    visible = visible_projects(actor, permission)
    if actor.is_sysadmin:
        return visible
    if actor.is_robot:
        resource, action = permission.split(":")
        kind = RobotPermission.Kind.PROJECT
        grants = RobotPermission.objects.filter(robot_id=actor.id, kind=kind, resource=resource, action=action)
        if grants.filter(project__isnull=True).exists():
            return visible
        granted = Q(pk__in=grants.values("project_id"))
    else:
        roles = [role for role, permissions in rbac.ROLE_PERMISSIONS.items() if permission in permissions]
        members = Member.objects.filter(Q(user_id=actor.id) | Q(group__groupmembership__user_id=actor.id))
        if actor.scope is not None and actor.scope.projects:
            members = members.filter(project_id__in=actor.scope.projects)
        granted = Q(pk__in=members.filter(role__in=roles).values("project_id"))
    return visible.filter(granted | Q(public=True) if permission in rbac.PUBLIC_PERMISSIONS else granted)

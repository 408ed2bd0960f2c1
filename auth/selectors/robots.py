"""Robots as lists and details show them. Those of deleted projects, and the system's own, are never there."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from django.db.models import Prefetch, QuerySet

from auth import robot_names
from auth.actor import Actor
from auth.models import Robot, RobotPermission
from auth.rbac import ROBOT_PROJECT_PERMISSIONS, ROBOT_SYSTEM_PERMISSIONS
from harbor_core.lib.errors import HarborError
from harbor_core.lib.filtering import Field, apply_filter, apply_sort, flag, time, whole
from harbor_core.lib.pagination import Listing, Page, paginate
from harbor_core.lib.query import AnyOf, Condition, Exact, Fuzzy
from projects import access
from projects.models import Project


def _epoch(value: str) -> datetime:
    try:
        return datetime.fromtimestamp(whole(value), UTC)
    except (OverflowError, ValueError, OSError):
        raise HarborError("BAD_REQUEST", f"invalid query: {value[:100]!r} is not a time in seconds") from None


FIELDS = {
    "id": Field("id", whole),
    "name": Field("name"),
    "description": Field("description"),
    "disable": Field("disabled", flag),
    "disabled": Field("disabled", flag),
    "duration": Field("duration", whole),
    "expires_at": Field("expires_at", _epoch, nullable=True),
    "last_used_at": Field("last_used_at", time, nullable=True),
    "creator_type": Field("creator_type"),
    "creator_ref": Field("creator_ref", whole),
    "creation_time": Field("creation_time", time),
    "update_time": Field("update_time", time),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """What a robot may do in one place: ``namespace`` is ``/``, ``*`` or a project's name."""

    kind: str
    namespace: str
    permissions: tuple[str, ...]


def project_of_listing(query: Mapping[str, Condition]) -> str | None:
    """``Level=project,ProjectID=1`` -> ``"1"``; None for robots of the system, which is the default.

    Raises BAD_REQUEST for another level, and for a project that is not named by its id.
    """
    match query.get("level"):
        case None | Exact(Robot.Level.SYSTEM):
            return None
        case Exact(Robot.Level.PROJECT):
            pass
        case _:
            raise HarborError("BAD_REQUEST", "invalid query: Level must be system or project")
    project = query.get("project_id")
    if not isinstance(project, Exact) or whole(project.value) < 0:
        raise HarborError("BAD_REQUEST", "invalid query: Level=project needs a ProjectID")
    return str(whole(project.value))


def _robots() -> QuerySet[Robot]:
    permissions = (
        RobotPermission.objects.exclude(project__deleted=True)
        .select_related("project")
        .only("robot_id", "kind", "resource", "action", "project__name")
    )
    return (
        Robot.objects.filter(visible=True)
        .exclude(project__deleted=True)
        .select_related("project")
        .prefetch_related(Prefetch("permissions", permissions))
    )


def robot_list(project: Project | None, listing: Listing) -> Page[Robot]:
    """Robots of the project, or of the system, with their grants. Three queries."""
    robots = _robots().filter(project=project) if project else _robots().filter(project__isnull=True)
    query = dict(listing.query)
    if "name" in query:
        query["name"] = _short_names(query["name"], project)
    robots = apply_filter(robots, query, FIELDS)
    return paginate(apply_sort(robots, listing.sort, FIELDS, ["name"]), listing)


def robots_in(project: Project | None, *, name: str = "") -> QuerySet[Robot]:
    """Of the project, or of the system, with their grants. ``name`` is a part of the short name, or the whole name."""
    robots = _robots().filter(project=project) if project else _robots().filter(project__isnull=True)
    if not name:
        return robots
    lead = robot_names.full("", project.name if project else None)
    return robots.filter(name__icontains=name.removeprefix(lead))


def every_robot() -> QuerySet[Robot]:
    """Of the system and of projects, with their grants and trusts."""
    return _robots().prefetch_related("trusts").order_by("pk")


def _short_names(condition: Condition, project: Project | None) -> Condition:
    """Clients know the full name, as answers show it; the table has the short one."""
    lead = robot_names.full("", project.name if project else None)

    def short(value: str) -> str:
        return value.removeprefix(lead).removeprefix(f"{project.name}+" if project else "")

    match condition:
        case Exact(value):
            return Exact(short(value))
        case Fuzzy(value):
            return replace(condition, value=short(value))
        case AnyOf(values):
            return AnyOf(tuple(map(short, values)))
    return condition


def robot_get(actor: Actor, robot_id: int, permission: str) -> Robot:
    """With its grants, for whoever holds the permission (``robot:read`` ...) where the robot belongs.

    Raises UNAUTHORIZED for anonymous and FORBIDDEN. That there is no such robot (NOT_FOUND) learns who holds the
    permission somewhere: automation has to tell a robot that is gone from one it may not touch.
    """
    robot = _robots().filter(pk=robot_id).first()
    if robot is not None:
        access.require(actor, permission, robot.project)
        return robot
    if access.can(actor, permission) or access.projects_granting(actor, permission).exists():
        raise HarborError("NOT_FOUND", f"robot {robot_id} not found")
    raise access.refusal(actor, permission)


def entries(robot: Robot) -> list[Entry]:
    """The robot's grants by place, the system first; reads what :func:`robot_list` fetched."""
    places: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for row in robot.permissions.all():
        system = row.kind == RobotPermission.Kind.SYSTEM
        namespace = "/" if system else row.project.name if row.project else "*"
        places[row.kind, namespace].append(str(row))
    order = sorted(places, key=lambda place: (place[0] != RobotPermission.Kind.SYSTEM, place[1]))
    return [Entry(kind, namespace, tuple(sorted(places[kind, namespace]))) for kind, namespace in order]


def grantable(actor: Actor) -> tuple[list[str], list[str]]:
    """What may be granted to robots, on the system and in projects: all of it for system administrators, the project
    part for whoever administrates a project. Raises FORBIDDEN for others, robots included."""
    if actor.is_sysadmin:
        return sorted(ROBOT_SYSTEM_PERMISSIONS), sorted(ROBOT_PROJECT_PERMISSIONS)
    if actor.user_id is not None and access.projects_granting(actor, "robot:create").exists():
        return [], sorted(ROBOT_PROJECT_PERMISSIONS)
    raise HarborError("FORBIDDEN", f"{actor.name} administrates neither the system nor a project")

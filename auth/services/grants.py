"""What robots are granted: reading it, and keeping it within what may be granted.

A client sends a list of entries (contract 2.9): kind ``system`` with namespace ``/``, or kind ``project`` with a
project's name or ``*``, and below it resources and actions. Here each grant is one triple.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from auth.actor import Actor
from auth.models import Robot, RobotPermission
from auth.rbac import ROBOT_PROJECT_PERMISSIONS, ROBOT_SYSTEM_PERMISSIONS
from harbor_core.lib.batches import batched
from harbor_core.lib.errors import HarborError
from projects.models import Project

SYSTEM, PROJECT = RobotPermission.Kind.SYSTEM.value, RobotPermission.Kind.PROJECT.value
EVERY_PROJECT = "*"
_GRANTABLE = {SYSTEM: ROBOT_SYSTEM_PERMISSIONS, PROJECT: ROBOT_PROJECT_PERMISSIONS}


@dataclass(frozen=True, slots=True)
class Grant:
    """``project_id`` is None on the system, and for every project."""

    kind: str
    project_id: int | None
    permission: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A grant as it was asked for: ``namespace`` is ``/``, ``*`` or the name of a project that may not exist."""

    kind: str
    namespace: str
    permission: str


def _bad(message: str) -> HarborError:
    return HarborError("BAD_REQUEST", message)


def read_wishes(level: str, entries: Sequence[dict[str, Any]]) -> frozenset[Wish]:
    """From the ``permissions`` of a robot. Pushing includes pulling. Raises BAD_REQUEST."""
    if not entries:
        raise _bad("permissions must name what the robot may do")
    if level == Robot.Level.PROJECT and (len(entries) != 1 or entries[0]["kind"] != PROJECT):
        raise _bad("a robot of a project takes exactly one entry in permissions, of kind project")
    wishes: set[Wish] = set()
    for entry in entries:
        kind, namespace = _place(level, entry)
        permissions = {_permission(kind, access) for access in entry["access"]}
        if not permissions:
            raise _bad(f"the entry for {namespace[:255]} names no access")
        if "repository:push" in permissions:
            permissions.add("repository:pull")
        wishes.update(Wish(kind, namespace, permission) for permission in permissions)
    return frozenset(wishes)


def _place(level: str, entry: dict[str, Any]) -> tuple[str, str]:
    """Kind and namespace of an entry."""
    kind, namespace = entry["kind"], entry["namespace"]
    if kind == SYSTEM:
        if namespace not in ("", "/"):
            raise _bad("the namespace of kind system is /")
        return kind, "/"
    if kind != PROJECT:
        raise _bad("the kind of a permission must be system or project")
    if not namespace or (level == Robot.Level.PROJECT and namespace == EVERY_PROJECT):
        raise _bad("the namespace of kind project must be the name of a project")
    return kind, namespace


def _permission(kind: str, access: dict[str, str]) -> str:
    permission = f"{access['resource']}:{access['action']}"
    if access["effect"] not in ("", "allow"):
        raise _bad("the effect of an access must be allow")
    if permission not in _GRANTABLE[kind]:
        raise _bad(f"{permission[:200]} cannot be granted to a robot on kind {kind}, see /permissions")
    return permission


def resolve(wishes: Iterable[Wish]) -> frozenset[Grant]:
    """Raises NOT_FOUND for a project that does not exist."""
    wishes = list(wishes)
    named = {wish.namespace for wish in wishes if wish.kind == PROJECT and wish.namespace != EVERY_PROJECT}
    ids: dict[str, int] = {}
    for names in batched(sorted(named)):
        ids.update(Project.objects.filter(name__in=names, deleted=False).values_list("name", "pk"))
    missing = sorted(named - ids.keys())
    if missing:
        raise HarborError("NOT_FOUND", f"project {missing[0][:255]} not found")
    return frozenset(Grant(wish.kind, ids.get(wish.namespace), wish.permission) for wish in wishes)


def grants_of(robot_id: int) -> frozenset[Grant]:
    """What the robot owns now."""
    rows = RobotPermission.objects.filter(robot_id=robot_id).values_list("kind", "project_id", "resource", "action")
    return frozenset(Grant(kind, project_id, f"{resource}:{action}") for kind, project_id, resource, action in rows)


def require_owned(actor: Actor, wanted: Iterable[Grant]) -> None:
    """A robot gives only what it owns, a personal token only what it is for. People give anything where they may make
    robots. Raises DENIED."""
    if actor.is_robot:
        require_within(wanted, actor.id, actor.name)
    scope = actor.scope
    if scope is None:
        return
    for grant in wanted:
        inside = not scope.projects or (grant.project_id is not None and scope.covers(grant.project_id))
        if grant.permission not in scope.permissions or not inside:
            raise HarborError("DENIED", f"this personal token is not for {grant.permission} and cannot give it")


def require_within(wanted: Iterable[Grant], robot_id: int, name: str) -> None:
    """Raise DENIED unless this robot holds every grant, in that project or in every one."""
    owned = grants_of(robot_id)
    for grant in sorted(wanted, key=lambda grant: grant.permission):
        if grant not in owned and Grant(grant.kind, None, grant.permission) not in owned:
            raise HarborError("DENIED", f"{name} cannot give {grant.permission} to a robot without owning it there")


def store(robot: Robot, grants: Iterable[Grant]) -> None:
    """Replace what the robot is granted; called inside the transaction of the change."""
    wanted, owned = set(grants), {}
    for row in RobotPermission.objects.filter(robot=robot):
        owned[Grant(row.kind, row.project_id, f"{row.resource}:{row.action}")] = row.pk
    for keys in batched(pk for grant, pk in owned.items() if grant not in wanted):
        RobotPermission.objects.filter(pk__in=keys).delete()
    rows = []
    for grant in sorted(wanted - owned.keys(), key=lambda grant: grant.permission):
        resource, _, action = grant.permission.partition(":")
        rows.append(
            RobotPermission(robot=robot, kind=grant.kind, project_id=grant.project_id, resource=resource, action=action)
        )
    RobotPermission.objects.bulk_create(rows, batch_size=500)

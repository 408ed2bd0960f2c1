"""A robot with one grant can do what the grant names and nothing else: every grant there is, asked over the API.

What each route needs is read from its view, what to send from the rows of the matrix.
"""

import json
from typing import Any

import pytest
from django.db import transaction

from auth import rbac, token_service
from auth.actor import Actor, Credential, Kind
from auth.api.users import OwnOrPermitted
from auth.models import Robot, RobotPermission
from auth.token_service import parse_scopes
from harbor_core.api.base import LOGIN, PUBLIC, ApiView, OwnerView, ProjectView
from harbor_core.api.urls import urlpatterns
from projects import access
from projects.api.base import NamedProjectView
from projects.models import Project
from tests.cast import World, forget_everything, grant_robot, make_project, make_robot
from tests.security import things
from tests.security.matrix import Row
from tests.security.rows import ROWS
from tests.security.test_matrix import routes

SYSTEM, PROJECT = RobotPermission.Kind.SYSTEM, RobotPermission.Kind.PROJECT
# One of each kind of thing, and of each verb.
SAMPLE = {
    (SYSTEM, "user:read"),
    (SYSTEM, "user:delete"),
    (SYSTEM, "user-group:list"),
    (SYSTEM, "registry:create"),
    (SYSTEM, "robot:create"),
    (SYSTEM, "audit-log:list"),
    (SYSTEM, "configuration:update"),
    (PROJECT, "project:update"),
    (PROJECT, "member:create"),
    (PROJECT, "repository:read"),
    (PROJECT, "artifact:delete"),
    (PROJECT, "tag:list"),
    (PROJECT, "log:list"),
    (PROJECT, "robot:delete"),
}


def needed(row: Row, view: type[ApiView]) -> tuple[str, str] | None:
    """Kind and permission; None where a view decides by more than its declaration."""
    permission = view.permissions[row.verb]
    if permission in (PUBLIC, LOGIN) or ":" not in permission:
        return None
    if issubclass(view, OwnerView) and not row.route.startswith("projects/"):
        return SYSTEM, permission
    if issubclass(view, ProjectView | NamedProjectView):
        return PROJECT, permission
    if row.route.startswith("robots"):
        of_project = any(sign in f"{row.path}{row.body}" for sign in ("{robot}", "ProjectID", "'level': 'project'"))
        return (PROJECT if of_project else SYSTEM), permission
    simple = view.authorize in (ApiView.authorize, OwnOrPermitted.authorize) and not row.route.startswith("labels")
    return (SYSTEM, permission) if simple else None


def table() -> dict[tuple[str, str], list[Row]]:
    views = {route.removeprefix("v2.0/"): view for route, view in routes(urlpatterns)}
    found: dict[tuple[str, str], list[Row]] = {}
    for row in ROWS:
        key = needed(row, views[row.route])
        if key is not None:
            found.setdefault(key, []).append(row)
    return found


TABLE = table()
# Copying an artifact also reads its source.
ALSO = {"artifact:create": ("artifact:read",)}
GRANTABLE = {SYSTEM: rbac.ROBOT_SYSTEM_PERMISSIONS, PROJECT: rbac.ROBOT_PROJECT_PERMISSIONS}


def granted(kind: str, permission: str, project: Project) -> str:
    """Login of a robot with this grant alone."""
    make_robot("only", project if kind == PROJECT else None, (permission, *ALSO.get(permission, ())), "robot-secret")
    return f"robot${'team+' if kind == PROJECT else ''}only:robot-secret"


def refused(response: Any) -> bool:
    """Turned away at the door; a robot that may make robots is DENIED what it does not own, which is not that."""
    if response.status_code == 403:
        return bool(json.loads(response.content)["errors"][0]["code"] == "FORBIDDEN")
    return bool(response.status_code == 401)


def ask(world: World, login: str, row: Row, path: str) -> Any:
    with transaction.atomic():
        response = world.api(login, row.verb, path, row.body)
        transaction.set_rollback(True)
    forget_everything()
    return response


@pytest.mark.parametrize("kind", [SYSTEM, PROJECT])
def test_one_grant(world: World, kind: str) -> None:
    known = things.named(world)
    wrong = []
    for permission in sorted(GRANTABLE[kind]):
        with transaction.atomic():
            login = granted(kind, permission, world.project)
            own = TABLE.get((kind, permission), [])
            others = [TABLE[key][0] for key in sorted(SAMPLE - {(kind, permission)})]
            for row, expected in [(row, False) for row in own] + [(row, True) for row in others]:
                response = ask(world, login, row, row.path.format(**known))
                if refused(response) is not expected:
                    wrong.append((permission, row.verb, row.route, response.status_code, response.content))
            transaction.set_rollback(True)
    assert wrong == []


def test_the_sample_is_there() -> None:
    assert {key for key in SAMPLE if key not in TABLE} == set()


def actor(robot: Robot) -> Actor:
    return Actor(Kind.ROBOT, robot.pk, robot.name, False, Credential.BASIC)


def reach(robot: Robot) -> dict[str, frozenset[str]]:
    """Permissions by project."""
    found = {name: access.project_access(actor(robot), name) for name in ("team", "later")}
    return {name: there.permissions for name, there in found.items() if there is not None}


def test_where_a_grant_reaches(world: World) -> None:
    """Its project, or with ``*`` every one, also those made later; never the system."""
    one = make_robot("one", world.project, (), "x")
    every, listed = make_robot("every", None, (), "x"), make_robot("listed", None, (), "x")
    make_project("later", world.users["sysadmin"])
    for permission in sorted(rbac.ROBOT_PROJECT_PERMISSIONS):
        only, nothing = frozenset({permission}), frozenset[str]()
        for robot, project in ((one, world.project), (every, None), (listed, world.project)):
            RobotPermission.objects.filter(robot=robot).delete()
            grant_robot(robot, PROJECT, project, only)
            assert reach(robot) == {"team": only, "later": nothing if project else only}
            there = set(access.projects_granting(actor(robot), permission).values_list("name", flat=True))
            assert there - {"library"} == ({"team"} if project else {"team", "later"})
            assert permission not in rbac.ALL_SYSTEM_PERMISSIONS or not access.can(actor(robot), permission)


def test_a_grant_on_the_system_reaches_into_no_project(world: World) -> None:
    robot = make_robot("one", None, rbac.ROBOT_SYSTEM_PERMISSIONS, "x")
    make_project("later", world.users["sysadmin"])
    assert all(access.can(actor(robot), permission) for permission in rbac.ROBOT_SYSTEM_PERMISSIONS)
    assert reach(robot) == {"team": frozenset(), "later": frozenset()}


def actions(robot: Actor, scope: str) -> list[str]:
    [parsed] = parse_scopes([scope])
    return token_service.allowed_actions(robot, parsed)


@pytest.mark.parametrize("action", ["pull", "push", "delete"])
def test_registry_tokens(world: World, action: str) -> None:
    every = "repository:team/app:pull,push,delete"
    robot = actor(make_robot("one", world.project, (f"repository:{action}",), "x"))
    assert actions(robot, every) == [action]
    assert actions(robot, every.replace("team", "library")) == ["pull"]  # public, as for anybody
    make_project("later", world.users["sysadmin"])
    assert actions(robot, every.replace("team", "later")) == []
    wide = make_robot("one", None, (), "x")
    grant_robot(wide, PROJECT, None, (f"repository:{action}",))
    assert actions(actor(wide), every.replace("team", "later")) == [action]


def test_catalog(world: World) -> None:
    assert actions(actor(make_robot("one", None, ("catalog:read",), "x")), "registry:catalog:*") == ["*"]
    assert actions(world.actor("robot_all"), "registry:catalog:*") == []


def test_projects_of_a_robot_of_the_system(world: World) -> None:
    """Making and listing projects are grants of the system."""
    login = granted(SYSTEM, "project:create", world.project)
    assert world.api(login, "POST", "projects", {"project_name": "fresh"}).status_code == 201
    assert [row["name"] for row in world.api(login, "GET", "projects").json()] == ["library"]
    Robot.objects.filter(name="only").delete()
    login = granted(SYSTEM, "project:list", world.project)
    assert [row["name"] for row in world.api(login, "GET", "projects").json()] == ["fresh", "library", "team"]
    assert refused(world.api(login, "POST", "projects", {"project_name": "more"}))
    assert [row["name"] for row in world.api(login, "GET", "repositories").json()] == []

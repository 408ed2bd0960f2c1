"""``/robots`` and ``/permissions``: who is made by whom with what, and what lists show."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from auth import rbac
from auth.models import PersonalToken, Robot, RobotPermission
from auth.personal_tokens import digest, generate
from harbor_core.models import AuditLog
from harbor_core.services import config
from projects.models import Project
from tests.api.robots import DAY, GIVEN, access, code, create, in_project, on_system, project_robot, system_robot
from tests.cast import Api, World, configure, grant_robot, make_project, make_robot

# ---------------------------------------------------------------------- creation


def test_a_robot_of_a_project(api: Api, world: World) -> None:
    made = api("project_admin", "POST", "robots", project_robot())
    body = made.json()
    assert made.status_code == 201
    robot = Robot.objects.get(name="new")
    assert made["Location"] == f"/api/v2.0/robots/{robot.pk}"
    assert set(body) == {"id", "name", "secret", "creation_time", "expires_at", "login_alias"}
    assert (body["id"], body["name"], body["login_alias"]) == (robot.pk, "robot$team+new", "robot+team+new")
    secret = body["secret"]
    assert len(secret) == 32
    assert any(map(str.isupper, secret)) and any(map(str.islower, secret)) and any(map(str.isdigit, secret))
    created = datetime.fromisoformat(body["creation_time"])
    assert body["expires_at"] == int((robot.creation_time + timedelta(days=30)).timestamp())
    assert abs(created - timezone.now()) < timedelta(minutes=1)
    seen = api("guest", "GET", made["Location"]).json()
    assert seen.pop("update_time")
    assert seen == {
        "id": robot.pk,
        "name": "robot$team+new",
        "description": "builds",
        "level": "project",
        "duration": 30,
        "editable": True,
        "disable": False,
        "expires_at": body["expires_at"],
        "permissions": [in_project("team", "repository:pull")],
        "creator_type": "local",
        "creator_ref": world.users["project_admin"].pk,
        "creation_time": body["creation_time"],
        "login_alias": "robot+team+new",
    }
    row = AuditLog.objects.get(resource_type="robot")
    assert (row.username, row.operation, row.resource) == ("project_admin", "create", "robot$team+new")
    assert row.project_id == world.project.pk
    assert secret not in repr(list(AuditLog.objects.values())) + repr(list(Robot.objects.values()))


def test_a_robot_of_the_system(api: Api, world: World) -> None:
    login, path = create(
        api,
        system_robot(
            in_project("*", "artifact:read"),
            on_system("user:list", "catalog:read"),
            in_project("team", "repository:push"),
            in_project("team", "tag:list"),
        ),
    )
    seen = api("sysadmin", "GET", path).json()
    assert (seen["name"], seen["level"], seen["duration"], seen["expires_at"]) == ("robot$new", "system", -1, -1)
    assert seen["permissions"] == [
        on_system("catalog:read", "user:list"),
        in_project("*", "artifact:read"),
        in_project("team", "repository:pull", "repository:push", "tag:list"),  # pushing includes pulling
    ]
    assert "creator_ref" in seen and AuditLog.objects.get(resource_type="robot").project_id is None
    assert api(login, "GET", "users").status_code == 200
    assert api(login, "GET", "projects/team/repositories/app/artifacts/1.0/tags").status_code == 200


def test_a_given_secret(api: Api, world: World) -> None:
    made = api("sysadmin", "POST", "robots", project_robot(secret=GIVEN))
    assert made.json()["secret"] == GIVEN
    assert api(f"robot$team+new:{GIVEN}", "GET", "users/current").status_code == 412
    assert "secret" not in api("sysadmin", "GET", made["Location"]).json()


def test_duration_by_default(api: Api, world: World) -> None:
    body = project_robot()
    del body["duration"]
    configure(robot_token_duration=9)
    _, path = create(api, body)
    seen = api("sysadmin", "GET", path).json()
    assert seen["duration"] == 9
    assert seen["expires_at"] == int(datetime.fromisoformat(seen["creation_time"]).timestamp()) + 9 * DAY


def test_the_longest_duration_is_never_an_error(api: Api, world: World) -> None:
    _, path = create(api, project_robot(duration=2**31 - 1))
    seen = api("sysadmin", "GET", path).json()
    assert seen["duration"] == 2**31 - 1
    assert datetime.fromtimestamp(seen["expires_at"], UTC).year == 9999


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "UPPER"},
        {"name": "a+b"},
        {"name": "a..b"},
        {"name": "-a"},
        {"name": "a_"},
        {"name": "a\n"},
        {"name": "ä"},
        {"name": "x" * 256},
        {"level": ""},
        {"level": "global"},
        {"duration": 0},
        {"duration": -2},
        {"duration": 2**31},
        {"secret": "short"},
        {"secret": "no-upper-case-1"},
        {"permissions": []},
        {"permissions": [on_system("user:list")]},
        {"permissions": [in_project("team", "repository:pull"), in_project("team", "tag:list")]},
        {"permissions": [in_project("*", "repository:pull")]},
        {"permissions": [in_project("", "repository:pull")]},
        {"permissions": [in_project("team")]},
        {"permissions": [{"kind": "project", "namespace": "team"}]},
        {"permissions": [{"namespace": "team", "access": access("tag:list")}]},
        {"permissions": [in_project("team", "user:list")]},
        {"permissions": [in_project("team", "robot:update")]},
        {"permissions": [in_project("team", "tag-retention:operate")]},
        {"permissions": [in_project("team", "repository:*")]},
        {"permissions": [in_project("team", "nothing:read")]},
        {
            "permissions": [
                {"kind": "project", "namespace": "team", "access": [access("tag:list")[0] | {"effect": "deny"}]}
            ]
        },
        {"level": "system", "permissions": [in_project("team", "tag:list"), on_system("configuration:read")]},
        {"level": "system", "permissions": [{"kind": "system", "namespace": "team", "access": access("user:list")}]},
        {"level": "system", "permissions": [{"kind": "all", "namespace": "/", "access": access("user:list")}]},
    ],
)
def test_bad_requests(api: Api, world: World, change: dict[str, Any]) -> None:
    before = Robot.objects.count()
    assert code(api("sysadmin", "POST", "robots", project_robot(**change))) == (400, "BAD_REQUEST")
    assert Robot.objects.count() == before


@pytest.mark.parametrize(
    "change",
    [
        {"name": 1},
        {"duration": "7"},
        {"duration": 2**63},
        {"disable": "no"},
        {"description": "x" * 1025},
        {"permissions": {}},
        {"permissions": [None]},
        {"permissions": [{"kind": 1}]},
        {"permissions": [{"kind": "project", "namespace": "team", "access": ["pull"]}]},
    ],
)
def test_unprocessable(api: Api, world: World, change: dict[str, Any]) -> None:
    assert code(api("sysadmin", "POST", "robots", project_robot(**change))) == (422, "UNPROCESSABLE_ENTITY")


def test_names_are_taken_once_in_their_place(api: Api, world: World) -> None:
    make_project("other", world.users["sysadmin"])
    assert code(api("sysadmin", "POST", "robots", project_robot(name="ci"))) == (409, "CONFLICT")
    assert code(api("sysadmin", "POST", "robots", system_robot(on_system("user:list"), name="few"))) == (
        409,
        "CONFLICT",
    )
    create(api, project_robot(name="ci", permissions=[in_project("other", "tag:list")]))
    create(api, system_robot(on_system("user:list"), name="ci"))


@pytest.mark.django_db(transaction=True)
def test_two_at_once(world: World) -> None:
    def one(_: int) -> int:
        try:
            return int(world.api("sysadmin", "POST", "robots", project_robot()).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(one, range(4))) == [201, 409, 409, 409]
    assert RobotPermission.objects.filter(robot__name="new").count() == 1


def test_unknown_namespaces(api: Api, world: World) -> None:
    """Who may know is told; to others it looks like a project that is closed to them."""
    missing = [in_project("nowhere", "tag:list")]
    assert code(api("sysadmin", "POST", "robots", project_robot(permissions=missing))) == (404, "NOT_FOUND")
    assert code(api("project_admin", "POST", "robots", project_robot(permissions=missing))) == (403, "FORBIDDEN")
    assert code(api("sysadmin", "POST", "robots", system_robot(*missing))) == (404, "NOT_FOUND")
    many = [in_project(f"nowhere-{number}", "tag:list") for number in range(2000)]
    assert code(api("sysadmin", "POST", "robots", system_robot(*many))) == (404, "NOT_FOUND")


def test_a_name_of_digits_is_a_name(api: Api, world: World) -> None:
    digits = make_project(str(world.project.pk), world.users["sysadmin"])
    create(api, project_robot(permissions=[in_project(digits.name, "tag:list")]))
    assert Robot.objects.get(name="new").project == digits


# ---------------------------------------------------------------------- robots that create robots


def test_a_robot_gives_no_more_than_it_owns(api: Api, world: World) -> None:
    other = make_project("other", world.users["sysadmin"])
    owned = ("robot:create", "robot:read", "repository:pull", "tag:list")
    maker = make_robot("maker", world.project, owned, "robot-secret")
    login = "robot$team+maker:robot-secret"
    _, path = create(api, project_robot(permissions=[in_project("team", "repository:pull", "tag:list")]), login)
    seen = api("sysadmin", "GET", path).json()
    assert (seen["creator_type"], seen["creator_ref"]) == ("robot", maker.pk)
    for entry in (
        in_project("team", "repository:push"),
        in_project("team", "tag:list", "tag:create"),
        in_project("team", "robot:delete"),
    ):
        assert code(api(login, "POST", "robots", project_robot(name="more", permissions=[entry]))) == (403, "DENIED")
    elsewhere = project_robot(name="more", permissions=[in_project(other.name, "repository:pull")])
    assert code(api(login, "POST", "robots", elsewhere)) == (403, "FORBIDDEN")
    on_it = system_robot(in_project("team", "repository:pull"), name="more")
    assert code(api(login, "POST", "robots", on_it)) == (403, "FORBIDDEN")


def test_a_system_robot_gives_no_more_than_it_owns(api: Api, world: World) -> None:
    make_project("other", world.users["sysadmin"])
    maker = make_robot("maker", None, ("robot:create", "user:list"), "robot-secret")
    grant_robot(maker, RobotPermission.Kind.PROJECT, None, ("repository:pull",))
    grant_robot(maker, RobotPermission.Kind.PROJECT, world.project, ("tag:list",))
    login = "robot$maker:robot-secret"
    owned = [
        on_system("user:list"),
        in_project("*", "repository:pull"),
        in_project("other", "repository:pull"),
        in_project("team", "tag:list"),
    ]
    create(api, system_robot(*owned), login)
    for entry in (
        on_system("user:create"),
        in_project("*", "tag:list"),
        in_project("other", "tag:list"),
        in_project("*", "repository:push"),
    ):
        assert code(api(login, "POST", "robots", system_robot(entry, name="more"))) == (403, "DENIED")
    assert api(login, "POST", "robots", project_robot(name="more")).status_code == 403


def test_limits_of_the_maker_hold_for_changes(api: Api, world: World) -> None:
    owned = ("robot:create", "repository:pull", "tag:list")
    maker = make_robot("maker", world.project, owned, "robot-secret")
    body = project_robot(permissions=[in_project("team", "repository:pull")])
    _, path = create(api, body, "robot$team+maker:robot-secret")
    change = body | {"name": "robot$team+new", "permissions": [in_project("team", "tag:list")]}
    assert api("sysadmin", "PUT", path, change).status_code == 200
    wider = change | {"permissions": [in_project("team", "tag:create")]}
    assert code(api("sysadmin", "PUT", path, wider)) == (403, "DENIED")
    maker.delete()
    assert api("sysadmin", "PUT", path, wider).status_code == 200


def test_a_personal_token_gives_no_more_than_it_is_for(api: Api, world: World) -> None:
    secret = generate()
    owner = world.users["project_admin"]
    token = PersonalToken.objects.create(
        user=owner, name="t", secret_digest=digest(secret), hint="x", scopes=["api:write"]
    )
    login = f"project_admin:{secret}"
    create(api, project_robot(name="a", permissions=[in_project("team", "tag:list")]), login)
    assert code(api(login, "POST", "robots", project_robot(name="b"))) == (403, "DENIED")
    path = f"robots/{world.robot.pk}"
    assert code(api(login, "PATCH", path, {"secret": ""})) == (403, "DENIED")
    token.scopes = ["api:write", "pull", "push"]
    token.save()
    create(api, project_robot(name="b"), login)
    assert api(login, "PATCH", path, {"secret": ""}).status_code == 200


# ---------------------------------------------------------------------- lists


def names(api: Api, query: str, persona: str = "sysadmin") -> list[str]:
    listed = api(persona, "GET", f"robots{query}")
    assert listed.status_code == 200, listed.content
    return [row["name"] for row in listed.json()]


def test_lists(api: Api, world: World) -> None:
    make_robot("zeta", world.project, ("tag:list",), "x")
    Robot.objects.create(name="scanner", level="system", visible=False, secret_digest="x")
    team = f"?q=Level%3Dproject,ProjectID%3D{world.project.pk}"
    assert names(api, "") == names(api, "?q=Level%3Dsystem") == ["robot$all", "robot$few"]
    assert names(api, team) == ["robot$team+all", "robot$team+ci", "robot$team+zeta"]
    assert names(api, f"{team}&sort=-name") == ["robot$team+zeta", "robot$team+ci", "robot$team+all"]
    assert names(api, f"{team}&sort=-id,name&page_size=1") == ["robot$team+zeta"]
    for query in (
        "name%3D~z",
        "name%3Dzeta",
        "name%3Drobot%24team%252Bzeta",
        "Name%3Dteam%252Bzeta",
        "name%3D%7Bzeta+q%7D",
    ):
        assert names(api, f"{team},{query}") == ["robot$team+zeta"]
    assert names(api, f"{team},disable%3Dtrue") == []
    assert names(api, f"{team},unknown%3D1") == names(api, team)
    full = api("sysadmin", "GET", f"robots{team}&page_size=2")
    assert full["X-Total-Count"] == "3" and 'rel="next"' in full["Link"]
    assert full.json()[1] == api("sysadmin", "GET", f"robots/{world.robot.pk}").json()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("Level%3Dother", 400),
        ("Level%3D~system", 400),
        ("Level%3Dproject", 400),
        ("Level%3Dproject,ProjectID%3Dteam", 400),
        ("Level%3Dproject,ProjectID%3D-1", 400),
        ("Level%3Dproject,ProjectID%3D%7B1+2%7D", 400),
        ("Level%3Dproject,ProjectID%3D424242", 404),
        ("expires_at%3D9999999999999999", 400),
        ("expires_at%3D%5B0~99999999999%5D", 200),
    ],
)
def test_hostile_lists(api: Api, world: World, query: str, status: int) -> None:
    assert api("sysadmin", "GET", f"robots?q={query}").status_code == status


def test_an_outsider_learns_nothing_of_projects(api: Api, world: World) -> None:
    closed = api("outsider", "GET", f"robots?q=Level%3Dproject,ProjectID%3D{world.project.pk}")
    missing = api("outsider", "GET", "robots?q=Level%3Dproject,ProjectID%3D424242")
    assert (closed.status_code, closed.content) == (missing.status_code, missing.content)
    assert closed.status_code == 403


def test_a_robot_that_is_gone(api: Api, world: World) -> None:
    """Who looks after robots has to tell one that is gone from one that is closed; others see no difference."""
    for persona in ("sysadmin", "project_admin", "guest", "robot_all", "system_robot_all"):
        assert api(persona, "GET", "robots/424242").status_code == 404, persona
    for persona in ("outsider", "limited_guest", "robot"):
        missing, hidden = api(persona, "GET", "robots/424242"), api(persona, "GET", f"robots/{world.robot.pk}")
        assert (missing.status_code, missing.content) == (hidden.status_code, hidden.content)
        assert missing.status_code == 403
    assert api("guest", "DELETE", "robots/424242").status_code == 403
    assert api("sysadmin", "GET", "robots/ci").status_code == 422


@pytest.mark.parametrize("query", ["", "?q=Level%3Dproject,ProjectID%3D{team}"])
def test_query_counts(api: Api, world: World, query: str) -> None:
    path = "robots" + query.format(team=world.project.pk) + ("&" if query else "?") + "page_size=100"
    project = world.project if query else None

    def cost() -> int:
        config.forget()
        with CaptureQueriesContext(connection) as queries:
            assert api("sysadmin", "GET", path).status_code == 200
        return len(queries)

    cost()
    before = cost()
    for number in range(30):
        robot = make_robot(f"r{number}", project, (), "x")
        for other in range(3):
            grant_robot(robot, RobotPermission.Kind.PROJECT, Project.objects.order_by("?").first(), (f"x{other}:read",))
    assert cost() == before
    assert len(api("sysadmin", "GET", path).json()) == 32


# ---------------------------------------------------------------------- what can be granted


def pairs(permissions: frozenset[str]) -> list[dict[str, str]]:
    return [dict(zip(("resource", "action"), name.split(":"), strict=True)) for name in sorted(permissions)]


def test_catalogue(api: Api, world: World) -> None:
    system, project = pairs(rbac.ROBOT_SYSTEM_PERMISSIONS), pairs(rbac.ROBOT_PROJECT_PERMISSIONS)
    assert api("sysadmin", "GET", "permissions").json() == {"system": system, "project": project}
    assert api("project_admin", "GET", "permissions").json() == {"system": [], "project": project}
    for persona in ("maintainer", "outsider", "robot_all", "system_robot_all"):
        assert code(api(persona, "GET", "permissions")) == (403, "FORBIDDEN")
    for entry in (*system, *project):
        assert set(entry) == {"resource", "action"}


def test_all_of_the_catalogue_can_be_granted(api: Api, world: World) -> None:
    every = system_robot(
        on_system(*sorted(rbac.ROBOT_SYSTEM_PERMISSIONS)), in_project("*", *sorted(rbac.ROBOT_PROJECT_PERMISSIONS))
    )
    login, _ = create(api, every)
    create(api, every | {"name": "again"}, login)  # by a robot that owns it all
    rows = {(row["resource"], row["action"]) for row in api(login, "GET", "users/current/permissions").json()}
    assert rows == {
        (f"/system/{resource}", action)
        for resource, _, action in (name.partition(":") for name in rbac.ROBOT_SYSTEM_PERMISSIONS)
    }


def test_own_permissions(api: Api, world: World) -> None:
    scope = f"users/current/permissions?scope=/project/{world.project.pk}&relative=true"
    rows = {(row["resource"], row["action"]) for row in api("robot", "GET", scope).json()}
    assert rows == {
        ("repository", "pull"),
        ("repository", "push"),
        ("artifact", "read"),
        ("artifact", "list"),
        ("tag", "create"),
    }
    assert api("robot", "GET", "users/current/permissions").json() == []
    assert api("system_robot", "GET", "users/current/permissions").json() == [
        {"resource": "/system/project", "action": "list"}
    ]
    assert api("system_robot", "GET", scope).json() == [{"resource": "repository", "action": "pull"}]

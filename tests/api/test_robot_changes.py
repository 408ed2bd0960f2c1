"""``/robots/{robot_id}``: changes, secrets, names, last use."""

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from auth import last_used
from auth.models import Robot
from auth.services import robots as services
from auth.services.users import check_password_rules
from harbor_core.models import AuditLog
from tests.api.robots import (
    DAY,
    GIVEN,
    body_of,
    code,
    create,
    in_project,
    on_system,
    project_robot,
    system_robot,
    works,
)
from tests.cast import PASSWORD, Api, World, configure, make_project, make_robot, make_user
from tests.support.services import wait_until

# ---------------------------------------------------------------------- changes


def test_what_was_read_can_be_sent_back(api: Api, world: World) -> None:
    _, path = create(
        api, system_robot(on_system("user:list"), in_project("*", "tag:list"), in_project("team", "log:list"))
    )
    before = body_of(api, path)
    assert api("sysadmin", "PUT", path, before).status_code == 200
    assert {**body_of(api, path), "update_time": before["update_time"]} == before


def test_update(api: Api, world: World) -> None:
    login, path = create(api, project_robot(permissions=[in_project("team", "repository:pull", "tag:list")]))
    tags = "projects/team/repositories/app/artifacts/1.0/tags"
    assert api(login, "GET", tags).status_code == 200
    change = project_robot(
        name="robot$team+new",
        description="other",
        duration=60,
        permissions=[in_project("team", "repository:push", "log:list")],
    )
    assert (answer := api("project_admin", "PUT", path, change)).status_code == 200 and answer.content == b""
    seen = body_of(api, path)
    assert seen["permissions"] == [in_project("team", "log:list", "repository:pull", "repository:push")]
    created = int(datetime.fromisoformat(seen["creation_time"]).timestamp())
    assert (seen["description"], seen["duration"], seen["expires_at"]) == ("other", 60, created + 60 * DAY)
    assert api(login, "GET", tags).status_code == 403
    assert AuditLog.objects.filter(resource_type="robot", operation="update").count() == 1


def test_update_keeps_the_duration_it_is_not_given(api: Api, world: World) -> None:
    _, path = create(api, project_robot())
    change = project_robot(name="robot$team+new")
    del change["duration"]
    before = body_of(api, path)
    assert api("sysadmin", "PUT", path, change).status_code == 200
    assert (body_of(api, path)["duration"], body_of(api, path)["expires_at"]) == (30, before["expires_at"])


@pytest.mark.parametrize(
    "change",
    [
        {"name": "new"},
        {"name": "robot$team+other"},
        {"name": ""},
        {"level": "system", "permissions": [on_system("user:list")]},
        {"level": "system"},
        {"duration": 0},
        {"permissions": []},
        {"permissions": [in_project("other", "tag:list")]},
        {"permissions": [in_project("nowhere", "tag:list")]},
        {"permissions": [in_project("*", "tag:list")]},
        {"permissions": [in_project("team", "robot:update")]},
    ],
)
def test_bad_updates(api: Api, world: World, change: dict[str, Any]) -> None:
    make_project("other", world.users["sysadmin"])
    _, path = create(api, project_robot())
    before = body_of(api, path)
    assert api("sysadmin", "PUT", path, project_robot(name="robot$team+new") | change).status_code == 400
    assert body_of(api, path) == before


def test_disable(api: Api, world: World) -> None:
    login, path = create(api, project_robot())
    body = body_of(api, path)
    assert api(login, "GET", "statistics").status_code == 200
    assert api("sysadmin", "PUT", path, body | {"disable": True}).status_code == 200
    assert body_of(api, path)["disable"] is True
    assert api(login, "GET", "statistics").status_code == 401
    assert api("sysadmin", "PUT", path, body).status_code == 200
    assert api(login, "GET", "statistics").status_code == 200


def test_expiry(api: Api, world: World) -> None:
    login, path = create(api, project_robot(duration=1))
    past = timezone.now() - timedelta(days=2)
    Robot.objects.filter(name="new").update(creation_time=past, expires_at=past + timedelta(days=1))
    assert api(login, "GET", "statistics").status_code == 401
    longer = project_robot(name="robot$team+new", duration=3)
    assert api("sysadmin", "PUT", path, longer).status_code == 200
    assert api(login, "GET", "statistics").status_code == 200
    assert body_of(api, path)["expires_at"] == int((past + timedelta(days=3)).timestamp())


def test_delete(api: Api, world: World) -> None:
    login, path = create(api, project_robot())
    assert api(login, "GET", "statistics").status_code == 200
    assert (answer := api("project_admin", "DELETE", path)).status_code == 200 and answer.content == b""
    assert api(login, "GET", "statistics").status_code == 401
    assert api("sysadmin", "GET", path).status_code == api("sysadmin", "DELETE", path).status_code == 404
    row = AuditLog.objects.get(resource_type="robot", operation="delete")
    assert (row.resource, row.project_id) == ("robot$team+new", world.project.pk)


def test_with_its_project(api: Api, world: World) -> None:
    """A robot of a project ends with it; one of the system loses what it could do there."""
    gone = make_project("gone", world.users["sysadmin"])
    login, path = create(api, project_robot(permissions=[in_project("gone", "tag:list")]))
    both = system_robot(in_project("gone", "tag:list"), in_project("team", "tag:list"))
    other, other_path = create(api, both)
    assert api("sysadmin", "DELETE", f"projects/{gone.pk}").status_code == 200
    assert api(login, "GET", "statistics").status_code == 401
    assert api("sysadmin", "GET", path).status_code == 404
    assert body_of(api, other_path)["permissions"] == [in_project("team", "tag:list")]
    assert api(other, "GET", "statistics").status_code == 200
    make_project("gone", world.users["sysadmin"])
    assert api(login, "GET", "statistics").status_code == 401
    assert api(other, "GET", "projects/gone").status_code == 403


# ---------------------------------------------------------------------- secrets


def test_refresh(api: Api, world: World) -> None:
    _, path = create(api, project_robot(secret=GIVEN))
    answer = api("project_admin", "PATCH", path, {"secret": ""})
    assert answer.status_code == 200 and list(answer.json()) == ["secret"]
    new = answer.json()["secret"]
    assert len(new) == 32 and works(api, new) and not works(api, GIVEN)
    assert api("sysadmin", "PATCH", path, {"secret": "Chosen-secret-2"}).json() == {"secret": ""}
    assert works(api, "Chosen-secret-2") and not works(api, new)
    assert api("sysadmin", "PATCH", path, {"secret": "weak"}).status_code == 400
    assert works(api, "Chosen-secret-2")
    row = AuditLog.objects.filter(resource_type="robot", operation="update").last()
    assert row is not None and row.operation_description == "refresh secret of robot robot$team+new"


def test_two_secrets_while_clients_move(api: Api, world: World) -> None:
    _, path = create(api, project_robot(secret="First-secret-1"))
    second = api("sysadmin", "PATCH", path, {"secret": "", "overlap_hours": 2}).json()["secret"]
    assert works(api, "First-secret-1") and works(api, second)
    until = datetime.fromisoformat(body_of(api, path)["previous_secret_until"])
    assert timedelta(hours=1.9) < until - timezone.now() < timedelta(hours=2.1)
    third = api("sysadmin", "PATCH", path, {"secret": "", "overlap_hours": 1}).json()["secret"]
    assert works(api, third) and works(api, second) and not works(api, "First-secret-1")  # never three
    Robot.objects.filter(name="new").update(previous_secret_until=timezone.now() - timedelta(seconds=1))
    assert works(api, third) and not works(api, second)
    assert "previous_secret_until" not in body_of(api, path)
    fourth = api("sysadmin", "PATCH", path, {"secret": ""}).json()["secret"]
    assert works(api, fourth) and not works(api, third)
    assert Robot.objects.get(name="new").previous_secret_digest == ""


@pytest.mark.parametrize("hours", [-1, 8761, "1", 1.5])
def test_overlap_is_bounded(api: Api, world: World, hours: Any) -> None:
    path = f"robots/{world.robot.pk}"
    assert api("sysadmin", "PATCH", path, {"secret": "", "overlap_hours": hours}).status_code == 422
    assert works(api, "robot-secret", "robot$team+ci")


# ---------------------------------------------------------------------- names


def test_the_prefix_is_a_setting(api: Api, world: World) -> None:
    _, path = create(api, project_robot(secret=GIVEN))
    configure(robot_name_prefix="bot#")
    seen = body_of(api, path)
    assert (seen["name"], seen["login_alias"]) == ("bot#team+new", "bot+team+new")
    assert works(api, GIVEN, "bot#team+new") and works(api, GIVEN, "bot+team+new") and not works(api, GIVEN)
    assert api("sysadmin", "PUT", path, seen).status_code == 200
    configure(robot_name_prefix="bot-")
    assert body_of(api, path)["login_alias"] == body_of(api, path)["name"] == "bot-team+new"
    assert works(api, GIVEN, "bot-team+new")


def test_the_alias_signs_in_under_the_name(api: Api, world: World) -> None:
    create(api, project_robot(secret=GIVEN, permissions=[in_project("team", "tag:create", "artifact:read")]))
    tag = {"name": "by-alias"}
    path = "projects/team/repositories/app/artifacts/1.0/tags"
    assert api(f"robot+team+new:{GIVEN}", "POST", path, tag).status_code == 201
    assert AuditLog.objects.get(operation="create", resource_type="tag").username == "robot$team+new"
    make_robot("sys", None, ("user:list",), "system-secret")
    assert api("robot+sys:system-secret", "GET", "users").status_code == 200
    for wrong in ("robot+new", "robot+other+new", "robot+team", "robot+", "robot++new", "robot+team+new+"):
        assert not works(api, GIVEN, wrong)


def test_a_user_of_that_name_wins(api: Api, world: World) -> None:
    """Neither can take the other's name; where both exist (a changed prefix), the user signs in."""
    assert code(
        api("sysadmin", "POST", "users", {"username": "robot+team+ci", "realname": "x", "password": PASSWORD})
    ) == (
        409,
        "CONFLICT",
    )
    make_user("robot+team+new")
    assert code(api("sysadmin", "POST", "robots", project_robot())) == (409, "CONFLICT")
    make_user("robot+team+ci")
    assert not works(api, "robot-secret", "robot+team+ci")
    assert works(api, "robot-secret", "robot$team+ci")
    assert api(f"robot+team+ci:{PASSWORD}", "GET", "users/current").json()["username"] == "robot+team+ci"


# ---------------------------------------------------------------------- last use


def written(robot: Robot, after: datetime | None = None) -> datetime:
    """The time of last use, once the process has written one later than that; seconds behind the request."""

    def is_there() -> bool:
        found = Robot.objects.get(pk=robot.pk).last_used_at
        return found is not None and (after is None or found > after)

    wait_until(is_there, 10, "the last use to be written")
    return Robot.objects.get(pk=robot.pk).last_used_at


@pytest.mark.django_db(transaction=True)
def test_last_use(world: World) -> None:
    api, robot, path = world.api, world.robot, f"robots/{world.robot.pk}"
    assert "last_used_at" not in body_of(api, path)
    assert not works(api, "wrong", "robot$team+all")
    assert works(api, "robot-secret", "robot$team+ci")
    first = written(robot)
    assert timezone.now() - first < timedelta(minutes=1)
    assert body_of(api, path)["last_used_at"]
    assert Robot.objects.get(name="all", project=world.project).last_used_at is None
    assert works(api, "robot-secret", "robot$team+ci")
    time.sleep(last_used.FLUSH_SECONDS + 1)
    assert Robot.objects.get(pk=robot.pk).last_used_at == first
    old = timezone.now() - last_used.INTERVAL - timedelta(seconds=1)
    Robot.objects.filter(pk=robot.pk).update(last_used_at=old)
    assert works(api, "robot-secret", "robot+team+ci")
    assert written(robot, old) > first


@pytest.mark.django_db(transaction=True)
def test_two_processes_write_it_once(world: World) -> None:
    """Both read the row before either wrote; the later one finds it done."""
    fresh = timezone.now() - timedelta(minutes=2)
    Robot.objects.filter(pk=world.robot.pk).update(last_used_at=fresh)
    last_used.note(Robot, world.robot.pk, None)
    last_used.flush()
    time.sleep(last_used.FLUSH_SECONDS + 1)
    assert Robot.objects.get(pk=world.robot.pk).last_used_at == fresh


def test_generated_secrets_satisfy_the_rules() -> None:
    found = {services.generate_secret() for _ in range(200)}
    assert len(found) == 200
    for secret in found:
        check_password_rules(secret)

"""Robots changed by two at once, on real connections."""

import pytest

from auth import robot_names
from auth.actor import Actor
from auth.models import Robot, RobotPermission, User
from auth.services import robots
from auth.services.robots import Wanted, read_wanted
from projects.models import Project
from projects.services import projects
from tests.cast import actor_of, make_project, make_user
from tests.projects.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ann() -> User:
    return make_user("ann", sysadmin_flag=True)


@pytest.fixture
def actor(ann: User) -> Actor:
    return actor_of(ann)


def wanted(name: str, kind: str, namespace: str, *actions: str) -> Wanted:
    access = [{"resource": "tag", "action": action, "effect": ""} for action in actions]
    return read_wanted(
        name=name,
        level="project" if kind == "one" else "system",
        description="",
        disable=False,
        duration=-1,
        permissions=[{"kind": "project", "namespace": namespace, "access": access}],
    )


def test_a_robot_never_outlives_its_project(ann: User, actor: Actor) -> None:
    for number in range(6):
        project = make_project(f"team-{number}", ann)
        found = Project.objects.get(pk=project.pk)
        made, deleted = at_once(
            lambda name=project.name, found=found: robots.create(
                actor, wanted("ci", "one", name, "list"), project=found
            ),
            lambda found=found: projects.delete(actor, found.pk),
        )
        assert deleted is None
        assert made == "NOT_FOUND" or isinstance(made[0], Robot)
    assert not Robot.objects.exists() and not RobotPermission.objects.exists()


def test_changes_come_one_after_the_other(actor: Actor) -> None:
    """Grants of every project have no key in the database that would refuse a second one."""
    robot, _ = robots.create(actor, wanted("ci", "every", "*", "list"), project=None)
    name = robot_names.login(robot)
    every = wanted(name, "every", "*", "list", "create", "delete")
    assert at_once(*[lambda: robots.update(actor, robot.pk, every) for _ in range(5)]) == [None] * 5
    assert sorted(RobotPermission.objects.values_list("action", flat=True)) == ["create", "delete", "list"]


def test_change_and_delete(actor: Actor) -> None:
    for _ in range(4):
        robot, _ = robots.create(actor, wanted("ci", "every", "*", "list"), project=None)
        change = wanted(robot_names.login(robot), "every", "*", "create")
        changed, deleted, renewed = at_once(
            lambda robot=robot, change=change: robots.update(actor, robot.pk, change),
            lambda robot=robot: robots.delete(actor, robot.pk),
            lambda robot=robot: robots.refresh_secret(actor, robot.pk),
        )
        assert deleted is None and changed in (None, "NOT_FOUND")
        assert renewed == "NOT_FOUND" or len(renewed) == robots.SECRET_LENGTH
        assert not Robot.objects.exists() and not RobotPermission.objects.exists()


def test_two_refreshes_leave_two_secrets(actor: Actor) -> None:
    """The later one's, and with an overlap the one before: a secret that was answered last always works."""
    robot, first = robots.create(actor, wanted("ci", "every", "*", "list"), project=None)
    secrets = at_once(*[lambda: robots.refresh_secret(actor, robot.pk, overlap_hours=1) for _ in range(4)])
    assert len({first, *secrets}) == 5
    robot.refresh_from_db()
    digests = {robots.secret_digest(secret) for secret in secrets}
    assert {robot.secret_digest, robot.previous_secret_digest} <= digests
    assert robot.secret_digest != robot.previous_secret_digest

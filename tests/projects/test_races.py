"""What happens when two ask at once, on real connections."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from auth.models import User
from auth.services import users as user_service
from harbor_core.lib.errors import HarborError
from projects.models import Member, Project, Quota, Repository
from projects.services import members, projects
from projects.services.members import UserReference
from tests.cast import actor_of, make_project, make_user, push_image

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Results (or HarborError codes) of calls that start together, each on a connection of its own."""
    barrier = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(position: int, call: Callable[[], Any]) -> None:
        try:
            barrier.wait(10)
            results[position] = call()
        except HarborError as error:
            results[position] = error.code
        except Exception as error:
            results[position] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_one_project_name() -> None:
    actor = actor_of(make_user("ann"))
    results = at_once(*[lambda: projects.create(actor, "fresh", values={}).name for _ in range(4)])
    assert sorted(results) == ["CONFLICT", "CONFLICT", "CONFLICT", "fresh"]
    assert Project.objects.count() == Quota.objects.count() == Member.objects.count() == 1


def test_one_user_name() -> None:
    actor = actor_of(make_user("root", sysadmin_flag=True))

    def create(email: str) -> str:
        values = {"password": "Passw0rd-1", "realname": "N"}
        return user_service.create(actor, username="new", email=email, **values).username

    results = at_once(lambda: create("a@example.org"), lambda: create("b@example.org"))
    assert sorted(results) == ["CONFLICT", "new"]


def test_one_membership() -> None:
    owner, new = make_user("owner"), make_user("new")
    project = make_project("team", owner)
    actor = actor_of(owner)
    calls = [lambda role=role: members.add(actor, project, role, user=UserReference(new.pk)).role for role in (2, 3)]
    results = at_once(*calls)
    assert "CONFLICT" in results and results.count("CONFLICT") == 1
    assert Member.objects.filter(user=new).count() == 1


@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_two_first_starts() -> None:
    assert at_once(*[lambda: call_command("bootstrap", verbosity=0) for _ in range(3)]) == [None, None, None]
    assert list(User.objects.order_by("pk").values_list("pk", "username", "deleted")) == [
        (1, "admin", False),
        (2, "anonymous", True),
    ]
    library = Project.objects.get()
    assert (library.pk, library.name, library.public) == (1, "library", True)
    assert (Member.objects.get().user_id, Member.objects.get().role) == (1, 1)
    assert make_user("first").pk == 3
    assert make_project("second", User.objects.get(pk=1)).pk == 2


def test_bootstrap_leaves_alone_what_was_changed() -> None:
    call_command("bootstrap", verbosity=0)
    admin = User.objects.get(pk=1)
    admin.set_password("Changed-horse-9")
    admin.save()
    projects.delete(actor_of(admin), 1)
    make_user("third")
    call_command("bootstrap", verbosity=0)
    admin.refresh_from_db()
    assert admin.check_password("Changed-horse-9")
    assert not Project.objects.filter(deleted=False).exists()
    assert make_user("fourth").pk > 3


@pytest.mark.postgres
def test_a_push_into_a_project_that_is_being_deleted() -> None:
    """Either the push is first and the delete is refused, or the delete is first and the push finds no project."""
    owner = make_user("owner")
    actor = actor_of(owner)
    for number in range(5):
        project = make_project(f"team-{number}", owner)
        Member.objects.create(project=project, user=owner, role=1)
        pushed, deleted = at_once(
            partial(push_image, actor, f"{project.name}/app", "1"), partial(projects.delete, actor, project.pk)
        )
        project.refresh_from_db()
        there = Repository.objects.filter(project=project).exists()
        assert there is not project.deleted
        if project.deleted:
            assert deleted is None and not str(pushed).startswith("sha256:")
        else:
            assert deleted == "PRECONDITION" and str(pushed).startswith("sha256:")


@pytest.mark.postgres
def test_profile_changes_do_not_overwrite_each_other() -> None:
    """Each change reads the row under its lock, so both survive."""
    user = make_user("ann")
    actor = actor_of(user)
    results = at_once(
        lambda: user_service.update_profile(actor, user.pk, realname="Ann Two"),
        lambda: user_service.update_profile(actor, user.pk, comment="hi"),
    )
    assert results == [None, None]
    user.refresh_from_db()
    assert (user.realname, user.comment) == ("Ann Two", "hi")

"""Accounts of storage are compared with what is there, now and then, and nothing is changed."""

from datetime import timedelta

import pytest
from django.utils import timezone

from auth.actor import Actor
from auth.models import User
from projects.models import Member, Project, ProjectBlob, Quota
from projects.services import quota, quota_checks
from tests.cast import actor_of, make_project, make_user, push_image
from tests.projects.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def actor() -> Actor:
    return actor_of(make_user("root", sysadmin_flag=True))


@pytest.fixture
def project(actor: Actor) -> Project:
    owner = User.objects.get(pk=actor.id)
    project = make_project("team", owner)
    Member.objects.create(project=project, user=owner, role=1)
    push_image(actor, "team/app", "1")
    return project


def found(project: Project) -> tuple[int | None, int | None]:
    row = Quota.objects.get(project=project)
    return row.drift, row.miscounted


def make_due(project: Project) -> None:
    Quota.objects.filter(project=project).update(checked_at=timezone.now() - quota_checks.EVERY - timedelta(seconds=1))


def test_right_accounts(project: Project) -> None:
    assert found(project) == (None, None)
    assert quota_checks.run() == 0
    assert found(project) == (0, 0)


def test_what_is_wrong_is_told_and_left(project: Project) -> None:
    quota.fold(project.pk)
    Quota.objects.filter(project=project).update(used=quota.used(project.pk) + 7)
    ProjectBlob.objects.filter(project=project).update(refs=3)
    blobs = ProjectBlob.objects.filter(project=project).count()
    assert quota_checks.run() == 1
    assert found(project) == (7, blobs)
    assert not quota.check_accounts(project.pk).right
    assert quota_checks.run() == 0, "it has been looked at today"
    assert quota.resync(project.pk)
    assert found(project) == (0, 0)
    make_due(project)
    assert quota_checks.run() == 0 and found(project) == (0, 0)


def test_too_little_is_below_zero(project: Project) -> None:
    quota.fold(project.pk)
    Quota.objects.filter(project=project).update(used=0)
    quota_checks.run()
    assert found(project) == (-quota.recount(project.pk), 0)


def test_of_two_at_once_one_counts(project: Project) -> None:
    quota.fold(project.pk)
    Quota.objects.filter(project=project).update(used=0)
    assert sorted(at_once(quota_checks.run, quota_checks.run)) == [0, 1]


def test_projects_wait_for_their_turn(actor: Actor, project: Project) -> None:
    other = make_project("other", User.objects.get(pk=actor.id))
    quota_checks.run()
    make_due(project)
    Quota.objects.filter(project=other).update(checked_at=timezone.now() - 3 * quota_checks.EVERY)
    longest = Quota.objects.get(project=other).checked_at
    quota_checks.run(seconds=-1)
    assert Quota.objects.get(project=other).checked_at == longest, "there was no time"
    quota_checks.run()
    assert Quota.objects.filter(checked_at__lt=timezone.now() - quota_checks.EVERY).count() == 0

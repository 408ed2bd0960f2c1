"""Storage over time: what is written down each day, and what charts make of it."""

from datetime import UTC, date, timedelta

import pytest
from django.utils import timezone

from jobservice.tasks import fold_quota
from projects.models import Project, Quota, QuotaDelta, StorageDay
from projects.selectors import storage
from projects.services import storage_days
from tests.cast import World, make_project


def _today() -> date:
    return timezone.now().astimezone(UTC).date()


def _use(project: Project, used: int) -> None:
    QuotaDelta.objects.filter(project=project).delete()
    Quota.objects.filter(project=project).update(used=used)


def _write(project: Project, **used: int) -> None:
    """``d3=5``: five bytes three days ago."""
    StorageDay.objects.bulk_create(
        StorageDay(project=project, day=_today() - timedelta(days=int(name[1:])), used=value)
        for name, value in used.items()
    )


def test_every_project_once_a_day(world: World) -> None:
    _use(world.project, 100)
    QuotaDelta.objects.create(project=world.project, size=20)
    gone = make_project("gone", world.users["sysadmin"])
    Project.objects.filter(pk=gone.pk).update(deleted=True)
    assert storage_days.keep() == Project.objects.filter(deleted=False).count()
    _use(world.project, 999)
    assert storage_days.keep() == 0
    assert StorageDay.objects.get(project=world.project).used == 120
    assert not StorageDay.objects.filter(project=gone).exists()


def test_the_job_that_folds_usage_writes_it_down(world: World) -> None:
    _use(world.project, 100)
    QuotaDelta.objects.create(project=world.project, size=-40)
    fold_quota()
    assert StorageDay.objects.get(project=world.project, day=_today()).used == 60


def test_what_is_too_old_is_forgotten(world: World) -> None:
    _write(world.project, d400=1, d401=1)
    storage_days.keep()
    kept = StorageDay.objects.filter(project=world.project).order_by("day").values_list("day", flat=True)
    assert list(kept) == [_today() - timedelta(days=400), _today()]


def test_a_day_nobody_wrote_down_is_as_the_one_before(world: World) -> None:
    _write(world.project, d5=10, d2=30, d0=40)
    history = storage.in_project(world.project.pk, used=55)
    assert len(history.days) == storage.PROJECT_DAYS and history.days[-1] == _today()
    assert history.projects == [("", [0] * (storage.PROJECT_DAYS - 6) + [10, 10, 10, 30, 30, 55])]


@pytest.mark.parametrize("persona", ["sysadmin", "project_admin", "outsider"])
def test_projects_are_those_whose_quota_one_may_read(world: World, persona: str) -> None:
    _use(world.project, 50)
    _write(world.project, d1=40)
    for number in range(storage.NAMED + 2):
        other = make_project(f"other-{number}", world.users["sysadmin"])
        _use(other, 100 + number)
        _write(other, d1=number)
    history = storage.by_project(world.actor(persona))
    named = [(name, used[-2:]) for name, used in history.projects]
    if persona == "sysadmin":
        assert named == [("other-4", [4, 104]), ("other-3", [3, 103]), ("other-2", [2, 102])]
        assert history.others[-2:] == [41, 251] and history.others[0] == 0
    else:
        assert named == ([("team", [40, 50])] if persona == "project_admin" else [])
        assert not any(history.others)

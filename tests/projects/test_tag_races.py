"""Tags that come and go while pulls of them are written down."""

import pytest
from django.db import connection, transaction
from django.utils import timezone

from harbor_core.lib.errors import HarborError
from projects.models import Artifact, Repository, Tag
from projects.services import pulls, tags
from projects.services.pulls import Pull
from tests.cast import World
from tests.projects.test_races import at_once

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def test_a_deadlock_with_pull_statistics_is_nobodys_failure(world: World) -> None:
    """Both hold what the other wants: the one that the database ends begins again."""
    actor, artifact = world.actor("maintainer"), world.artifact
    repository, tag = artifact.repository, Tag.objects.get(name="1.0")
    pull = Pull(world.project.pk, repository.pk, artifact.pk, tag.pk, "dev", "team/app:1.0")

    def write() -> int:
        """As the writer of statistics does, which keeps what it could not write."""
        done = 0
        for _ in range(60):
            try:
                pulls._write([(timezone.now(), pull)] * 3)
            except Exception as error:  # a deadlock it lost
                assert "deadlock" in str(error), error
            else:
                done += 1
        return done

    def change() -> str:
        for number in range(60):
            tags.create(actor, Artifact.objects.get(pk=artifact.pk), f"t{number}")
            tags.delete(actor, Repository.objects.get(pk=repository.pk), f"t{number}")
        return "changed"

    results = at_once(write, change, write)
    assert results[1] == "changed", results
    assert int(results[0]) + int(results[2]) > 0
    assert [row.name for row in Tag.objects.all()] == ["1.0"]


def test_a_tag_is_deleted_after_a_deadlock(world: World) -> None:
    """The other side holds the repository and then asks for the artifact, in the order of the statistics."""
    actor, artifact = world.actor("maintainer"), world.artifact
    for number in range(5):
        tags.create(actor, artifact, f"t{number}")

    def hold() -> str:
        for _ in range(5):
            try:
                with transaction.atomic(), connection.cursor() as cursor:
                    Repository.objects.filter(pk=artifact.repository_id).update(pull_count=1)
                    cursor.execute("SELECT pg_sleep(0.2)")
                    Artifact.objects.filter(pk=artifact.pk).update(pull_time=timezone.now())
            except Exception as error:  # this side may lose it too
                assert "deadlock" in str(error), error
        return "held"

    def delete() -> str:
        for number in range(5):
            try:
                tags.delete(actor, Repository.objects.get(pk=artifact.repository_id), f"t{number}")
            except HarborError as error:
                return error.code
        return "deleted"

    assert at_once(hold, delete) == ["held", "deleted"]
    assert Tag.objects.count() == 1

"""Pushes, deletions, restores, folding and recounts at the same time, on real connections."""

import threading
import time
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from auth.actor import Actor
from auth.models import User
from harbor_core.lib import sql, storage
from harbor_core.models import Event
from projects import access
from projects.models import Artifact, Blob, Member, Project, Repository, Tag, TrashedArtifact
from projects.services import artifacts, blobs, quota, repositories, trash
from projects.services.restore import restore
from projects.services.verify import verify
from tests.cast import actor_of, image, make_project, make_user, push_image, push_manifest
from tests.projects.test_races import at_once
from tests.support.manifests import push_index

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def actor() -> Actor:
    return actor_of(make_user("root", sysadmin_flag=True))


@pytest.fixture
def project(actor: Actor) -> Project:
    owner = User.objects.get(pk=actor.id)
    project = make_project("team", owner)
    Member.objects.create(project=project, user=owner, role=1)
    return project


def all_is_well(project: Project) -> bool:
    found = quota.check_accounts(project.pk)
    assert found.right, found
    assert not [finding for finding in verify() if finding.violation]
    return True


def codes(results: list[Any]) -> set[str]:
    """Results that are no success: codes of errors, or what no caller should ever see."""
    return {str(result) if isinstance(result, str) else repr(result) for result in results if not _fine(result)}


def _fine(result: Any) -> bool:
    return result is None or not isinstance(result, str | Exception) or result.startswith("sha256:")


def test_fifty_pushes_into_room_for_seven(actor: Actor, project: Project) -> None:
    push_image(actor, "team/first", "1")
    size = quota.used(project.pk)
    quota.set_limit(actor, project.quota.pk, 8 * size)
    manifests = [(f"team/app-{number % 5}", image(f"team/app-{number % 5}")) for number in range(50)]
    results = at_once(*[partial(push_manifest, actor, name, "", manifest) for name, manifest in manifests])
    assert sum(str(result).startswith("sha256:") for result in results) == 7
    assert codes(results) == {"DENIED"}
    assert quota.used(project.pk) == 8 * size
    assert Artifact.objects.count() == 8
    assert Event.objects.filter(type="QUOTA_EXCEED").count() == 1
    assert Event.objects.filter(type="QUOTA_WARNING").count() == 1
    assert all_is_well(project)


def test_no_push_passes_the_limit_while_others_delete_and_deltas_are_folded(actor: Actor, project: Project) -> None:
    """Freed bytes wait in deltas: folded while a push waits for the row they must not count twice."""
    for number in range(6):
        push_image(actor, "team/old", str(number))
    size = quota.used(project.pk) // 6
    quota.set_limit(actor, project.quota.pk, 6 * size)
    for _ in range(3):
        manifests = [image("team/new") for _ in range(10)]
        victims = list(Artifact.objects.filter(project=project)[:3])
        results = at_once(
            *[partial(artifacts.delete, actor, victim) for victim in victims],
            *[partial(push_manifest, actor, "team/new", "", manifest) for manifest in manifests],
            *[quota.fold_pending] * 4,
        )
        assert codes(results) <= {"DENIED"}
        assert quota.used(project.pk) <= 6 * size
        assert all_is_well(project)


def test_recounts_and_limits_while_pushes_go_on(actor: Actor, project: Project) -> None:
    """Without a limit pushes append deltas; a recount that finds them right locks nothing, and one that finds an error
    repairs that and no more."""
    push_image(actor, "team/app", "1")
    manifests = [image("team/app") for _ in range(20)]
    project.quota.used += 12345
    project.quota.save()
    results = at_once(
        *[partial(push_manifest, actor, "team/app", f"t{number % 4}", item) for number, item in enumerate(manifests)],
        *[quota.resync_all] * 3,
        *[quota.fold_pending] * 2,
        partial(quota.set_limit, actor, project.quota.pk, 10**9),
    )
    assert codes(results) == set()
    assert Artifact.objects.count() == 21
    assert all_is_well(project)


@pytest.mark.postgres
def test_one_image_is_pushed_and_deleted_everywhere(actor: Actor, project: Project) -> None:
    """The same blobs come and go in several repositories at once."""
    names = [f"team/r{number}" for number in range(6)]
    manifest = image("team/seed")
    contents = [item["digest"] for item in (manifest["config"], *manifest["layers"])]
    for name in names:
        for digest in contents:
            blobs.lease(name, digest)
            storage.link_layer(name, digest)
    for _ in range(4):
        present = list(Artifact.objects.filter(project=project))
        results = at_once(
            *[partial(push_manifest, actor, name, "latest", manifest) for name in names],
            *[partial(artifacts.delete, actor, artifact) for artifact in present],
        )
        assert codes(results) <= {"NOT_FOUND"}
        assert all_is_well(project)


@pytest.mark.postgres
def test_pushes_into_a_repository_that_is_being_deleted(actor: Actor, project: Project) -> None:
    """What was pushed is there with all its layers, or the client hears that they are gone."""
    for number in range(5):
        push_image(actor, "team/app", "1")
        victim = Repository.objects.get(name="team/app")
        manifests = [image("team/app", layers=3) for _ in range(4)]
        results = at_once(
            partial(repositories.delete, actor, victim),
            *[
                partial(push_manifest, actor, "team/app", f"p{position}", item)
                for position, item in enumerate(manifests)
            ],
        )
        assert codes(results) <= {"MANIFEST_BLOB_UNKNOWN"}, number
        assert results[0] is None
        assert all_is_well(project)
        for left in Repository.objects.filter(name="team/app"):
            repositories.delete(actor, left)


def test_one_restores(actor: Actor, project: Project) -> None:
    push_image(actor, "team/app", "1")
    artifacts.delete(actor, Artifact.objects.get())
    found, row = access.project_access(actor, "team"), TrashedArtifact.objects.get()
    results = at_once(*[partial(restore, actor, found, row.pk) for _ in range(4)])
    assert results.count("NOT_FOUND") == 3
    assert Artifact.objects.count() == Tag.objects.count() == 1
    assert all_is_well(project)


def test_restores_while_the_trash_is_emptied_and_the_repository_deleted(actor: Actor, project: Project) -> None:
    found = access.project_access(actor, "team")
    for number in range(4):
        for tag in "abc":
            push_image(actor, "team/app", tag)
        for artifact in Artifact.objects.filter(tags__name__in="ab"):
            artifacts.delete(actor, artifact)
        rows = list(TrashedArtifact.objects.filter(project=project, tags__isnull=False))
        results = at_once(
            *[partial(restore, actor, found, row.pk) for row in rows],
            partial(trash.empty, actor, project.pk, "team"),
            partial(repositories.delete, actor, Repository.objects.get(name="team/app")),
        )
        assert codes(results) <= {"NOT_FOUND", "PRECONDITION"}, number
        assert all_is_well(project)
        for left in Repository.objects.filter(name="team/app"):
            repositories.delete(actor, left)
        trash.empty(actor, project.pk, "team")


@pytest.mark.postgres
def test_a_child_of_two_indexes_goes_with_the_last(actor: Actor, project: Project) -> None:
    for number in range(5):
        child = push_image(actor, "team/app")
        other = push_image(actor, "team/app")
        push_index(actor, "team/app", "one", child)
        push_index(actor, "team/app", "two", child, other)
        both = list(Artifact.objects.filter(tags__name__in=("one", "two")))
        results = at_once(*[partial(artifacts.delete, actor, artifact) for artifact in both])
        assert results == [None, None], number
        assert not Artifact.objects.exists()
        assert not Blob.objects.filter(projects__isnull=False).exists()
        assert all_is_well(project)


@pytest.mark.postgres
def test_deltas_that_are_folded_while_a_push_waits_count_once(actor: Actor, project: Project) -> None:
    """It fitted before (100 + 800 of 1000) and does not behind the other push; the row it waited for is folded, so the
    deltas it knew of must not be taken off once more."""
    quota.set_limit(actor, project.quota.pk, 1000)
    quota.charge(project.pk, 500)
    quota.charge(project.pk, -400)
    results: list[Any] = []

    def push() -> None:
        results.extend(at_once(lambda: quota.charge(project.pk, 800)))

    waiting = threading.Thread(target=push)
    with transaction.atomic():
        quota.fold(project.pk)
        quota.charge(project.pk, 450)
        waiting.start()
        for _ in range(100):
            time.sleep(0.05)
            if sql.fetch_one("SELECT COUNT(*) FROM pg_locks WHERE NOT granted", []) != (0,):
                break
        else:
            pytest.fail("nobody waits for the row")
    waiting.join(30)
    assert results == ["DENIED"]
    assert quota.used(project.pk) == 550

"""Storage limits of projects: the API, the refusals on every surface, and what is told."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from harbor_core.lib.errors import HarborError
from harbor_core.models import AuditLog, Event
from projects import access
from projects.access import ProjectAccess
from projects.models import ArtifactBlob, Blob, Project, ProjectBlob, Quota, QuotaDelta, Upload
from projects.services import blobs, quota
from tests.cast import World, configure, image, make_project, push_image, push_manifest, put_blob

MIB = 1024 * 1024
MESSAGE = (
    "Quota exceeded when processing the request of adding {} of storage resource, which when updated to current usage "
    "of {} will exceed the configured upper limit of {}."
)


@pytest.fixture
def quotas(world: World) -> dict[str, Quota]:
    """``team`` (unlimited, one image, part of it not folded), ``big`` and ``small`` by limit and by use."""
    for name, hard, used, delta in (("big", 900, 10, 300), ("small", 500, 400, -250)):
        project = make_project(name, world.users["outsider"], hard=hard)
        Quota.objects.filter(project=project).update(used=used)
        QuotaDelta.objects.create(project=project, size=delta)
    return {row.project.name: row for row in Quota.objects.select_related("project")}


def listed(world: World, query: str = "") -> list[str]:
    answer = world.api("sysadmin", "GET", f"quotas?{query}")
    assert answer.status_code == 200, answer.content
    return [row["ref"]["name"] for row in answer.json()]


def open_access(world: World) -> ProjectAccess:
    found = access.project_access(world.actor("developer"), "team")
    assert found is not None
    return found


def limit(world: World, hard: int) -> None:
    quota.set_limit(world.actor("sysadmin"), world.project.quota.pk, hard)


def told(kind: str) -> list[dict[str, Any]]:
    return [event.payload for event in Event.objects.filter(type=kind).order_by("pk")]


def refusal(call: Any) -> str:
    with pytest.raises(HarborError) as refused:
        call()
    assert (refused.value.code, refused.value.status) == ("DENIED", 403)
    return refused.value.message


class TestApi:
    def test_one(self, world: World, quotas: dict[str, Quota]) -> None:
        row = world.api("sysadmin", "GET", f"quotas/{quotas['big'].pk}").json()
        assert row["ref"] == {"id": quotas["big"].project_id, "name": "big", "owner_name": "outsider"}
        assert (row["hard"], row["used"]) == ({"storage": 900}, {"storage": 310})
        assert row["id"] == quotas["big"].pk
        assert row["creation_time"].endswith("Z") and row["update_time"].endswith("Z")

    def test_zero_is_shown(self, world: World) -> None:
        project = make_project("empty", world.users["outsider"])
        row = world.api("sysadmin", "GET", f"quotas/{project.quota.pk}").json()
        assert (row["hard"], row["used"]) == ({"storage": -1}, {"storage": 0})

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("sort=hard.storage", ["library", "team", "small", "big"]),
            ("sort=-hard.storage", ["big", "small", "team", "library"]),
            ("sort=used.storage", ["library", "small", "big", "team"]),  # what is not folded counts
            ("sort=-used.storage", ["team", "big", "small", "library"]),
            ("sort=-used.storage&page_size=2&page=2", ["small", "library"]),
            ("sort=nonsense", ["library", "team", "big", "small"]),
            ("", ["library", "team", "big", "small"]),
            ("reference=project", ["library", "team", "big", "small"]),
            ("reference=cluster", []),
            ("reference_id=x", []),
            ("reference_id=99999999999999999999", []),
        ],
    )
    def test_list(self, world: World, quotas: dict[str, Quota], query: str, names: list[str]) -> None:
        assert listed(world, query) == names

    def test_list_of_one_project(self, world: World, quotas: dict[str, Quota]) -> None:
        answer = world.api("sysadmin", "GET", f"quotas/?reference=project&reference_id={quotas['big'].project_id}")
        assert [row["ref"]["name"] for row in answer.json()] == ["big"]
        assert answer["X-Total-Count"] == "1"

    def test_list_of_a_page(self, world: World, quotas: dict[str, Quota]) -> None:
        answer = world.api("sysadmin", "GET", "quotas?page_size=2")
        assert answer["X-Total-Count"] == "4"
        assert 'rel="next"' in answer["Link"]

    def test_update(self, world: World, quotas: dict[str, Quota]) -> None:
        path = f"quotas/{quotas['big'].pk}"
        for hard in (2 * MIB, -1, 1):  # also below what is used
            assert world.api("sysadmin", "PUT", path, {"hard": {"storage": hard}}).status_code == 200
            assert world.api("sysadmin", "GET", path).json()["hard"] == {"storage": hard}
        row = AuditLog.objects.filter(resource_type="quota", operation="update").latest("pk")
        assert (row.resource, row.project_id) == ("big", quotas["big"].project_id)
        assert row.operation_description == "storage limit of project big: -1 -> 1"

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"hard": {"storage": 0}}, 400),
            ({"hard": {"storage": -2}}, 400),
            ({"hard": {"count": 5}}, 400),
            ({"hard": {"storage": 5, "count": 5}}, 400),
            ({"hard": {}}, 400),
            ({}, 400),
            ({"hard": {"storage": "5"}}, 422),
            ({"hard": {"storage": 1.5}}, 422),
            ({"hard": {"storage": 10**30}}, 422),
            ({"hard": 5}, 422),
        ],
    )
    def test_what_is_no_limit(self, world: World, body: dict[str, Any], status: int) -> None:
        path = f"quotas/{world.project.quota.pk}"
        assert world.api("sysadmin", "PUT", path, body).status_code == status
        assert world.api("sysadmin", "GET", path).json()["hard"] == {"storage": -1}

    def test_unknown(self, world: World) -> None:
        for verb in ("GET", "PUT"):
            assert world.api("sysadmin", verb, "quotas/424242", {"hard": {"storage": 1}}).status_code == 404
        assert world.api("sysadmin", "GET", "quotas/x").status_code == 422

    def test_a_deleted_project_has_none(self, world: World, quotas: dict[str, Quota]) -> None:
        world.api("sysadmin", "DELETE", "projects/big")
        assert "big" not in listed(world)

    def test_new_projects_get_the_default(self, world: World) -> None:
        configure(storage_per_project=7 * MIB)
        assert (
            world.api("developer", "POST", "projects", {"project_name": "fresh", "storage_limit": 5}).status_code == 201
        )
        assert Quota.objects.get(project__name="fresh").hard == 7 * MIB
        world.api("sysadmin", "POST", "projects", {"project_name": "wide", "storage_limit": 9 * MIB})
        assert Quota.objects.get(project__name="wide").hard == 9 * MIB


class TestRefusals:
    def test_manifest(self, world: World) -> None:
        usage = quota.used(world.project.pk)
        limit(world, usage + 10)
        message = refusal(lambda: push_image(world.actor("developer"), "team/app", "2.0"))
        added = message.partition("adding ")[2].partition(" of")[0]
        assert message == MESSAGE.format(added, quota.human(usage), quota.human(usage + 10))
        assert quota.used(world.project.pk) == usage
        assert quota.check_accounts(world.project.pk).right

    def test_the_limit_is_inclusive(self, world: World) -> None:
        manifest = image("team/app")
        size = sum(item["size"] for item in (manifest["config"], *manifest["layers"]))
        push_manifest(world.actor("developer"), "team/app", "2.0", manifest)
        exact = quota.used(world.project.pk)
        world.api("maintainer", "DELETE", "projects/team/repositories/app/artifacts/2.0")
        limit(world, exact)
        push_manifest(world.actor("developer"), "team/app", "2.0", manifest)
        assert quota.used(world.project.pk) == exact and size < exact

    def test_a_refused_push_gives_its_reservations_back(self, world: World) -> None:
        limit(world, quota.used(world.project.pk) + 10)
        manifest = image("team/app")
        blob = manifest["layers"][0]
        Upload.objects.create(
            id=uuid.uuid4(),
            project=world.project,
            repository_name="team/app",
            subject="u:1",
            digest=blob["digest"],
            reserved=blob["size"],
            granted_until=timezone.now() + timedelta(hours=1),
        )
        refusal(lambda: push_manifest(world.actor("developer"), "team/app", "2.0", manifest))
        assert not Upload.objects.exists()

    def test_start_of_an_upload_into_a_full_project(self, world: World) -> None:
        limit(world, quota.used(world.project.pk))
        found = open_access(world)
        message = refusal(lambda: blobs.start_upload(world.actor("developer"), found, "team/app"))
        assert message.startswith("Quota exceeded when processing the request of adding 0.0 B of storage resource")
        limit(world, quota.used(world.project.pk) + 1)
        assert blobs.start_upload(world.actor("developer"), found, "team/app")

    def test_commit(self, world: World) -> None:
        usage = quota.used(world.project.pk)
        limit(world, usage + 100)
        upload_id, _ = blobs.start_upload(world.actor("developer"), open_access(world), "team/app")
        upload = Upload.objects.get(pk=upload_id)
        digest = "sha256:" + "a" * 64
        message = refusal(lambda: blobs.commit(upload, digest, 101))
        assert message == MESSAGE.format("101.0 B", quota.human(usage), quota.human(usage + 100))
        assert not Upload.objects.exists()
        assert told("QUOTA_EXCEED")[0]["repository"] == "team/app"
        assert Event.objects.get(type="QUOTA_EXCEED").operator == "developer"

    def test_what_the_project_has_already_always_fits(self, world: World) -> None:
        limit(world, quota.used(world.project.pk))
        known = ArtifactBlob.objects.filter(artifact=world.artifact).exclude(blob__digest=world.artifact.digest)[0].blob
        upload = Upload.objects.create(
            id=uuid.uuid4(),
            project=world.project,
            repository_name="team/other",
            subject="u:1",
            granted_until=timezone.now() + timedelta(hours=1),
        )
        blobs.commit(upload, known.digest, known.size)
        upload.refresh_from_db()
        assert upload.digest == known.digest

    def test_reservations_of_open_uploads_count_and_lapse(self, world: World) -> None:
        usage = quota.used(world.project.pk)
        limit(world, usage + 100)
        other = Upload.objects.create(
            id=uuid.uuid4(),
            project=world.project,
            repository_name="team/app",
            subject="u:1",
            reserved=60,
            digest="sha256:" + "b" * 64,
            granted_until=timezone.now() + timedelta(hours=1),
        )
        quota.check_room(world.project.pk, 40)
        refusal(lambda: quota.check_room(world.project.pk, 41))
        Upload.objects.filter(pk=other.pk).update(last_activity=timezone.now() - timedelta(minutes=61))
        quota.check_room(world.project.pk, 100)  # given up: no manifest ever named it
        Upload.objects.filter(pk=other.pk).update(digest="")
        refusal(lambda: quota.check_room(world.project.pk, 41))  # a slow upload goes on

    def test_mount(self, world: World) -> None:
        depot = make_project("depot", world.users["developer"])
        depot.members.create(user=world.users["developer"], role=2)
        push_image(world.actor("developer"), "depot/app", "1.0")
        blob = Blob.objects.filter(artifacts__artifact__project=depot).order_by("size")[0]
        usage = quota.used(world.project.pk)
        limit(world, usage + blob.size - 1)
        arguments = (world.actor("developer"), open_access(world), "team/app", blob.digest, "depot/app")
        message = refusal(lambda: blobs.mount(*arguments))
        assert message == MESSAGE.format(*map(quota.human, (blob.size, usage, usage + blob.size - 1)))
        assert blobs.find("team/app", blob.digest) is None
        assert told("QUOTA_EXCEED")[0]["repository"] == "team/app"

    def test_copy(self, world: World) -> None:
        depot = make_project("depot", world.users["developer"], hard=10)
        depot.members.create(user=world.users["developer"], role=2)
        path = "projects/depot/repositories/copied/artifacts?from=team/app:1.0"
        answer = world.api("developer", "POST", path)
        error = answer.json()["errors"][0]
        assert (answer.status_code, error["code"]) == (403, "DENIED")
        assert error["message"] == MESSAGE.format(quota.human(world.artifact.size), "0.0 B", "10.0 B")
        assert Event.objects.get(type="QUOTA_EXCEED").project_id == depot.pk

    def test_switched_off(self, world: World) -> None:
        """Nothing is refused, everything is counted."""
        usage = quota.used(world.project.pk)
        configure(quota_per_project_enable=False)
        limit(world, usage)
        push_image(world.actor("developer"), "team/app", "2.0")
        assert blobs.start_upload(world.actor("developer"), open_access(world), "team/app")
        assert quota.used(world.project.pk) > usage
        assert quota.check_accounts(world.project.pk).right
        assert not told("QUOTA_EXCEED") and not told("QUOTA_WARNING")
        configure(quota_per_project_enable=True)
        refusal(lambda: push_image(world.actor("developer"), "team/app", "3.0"))
        quota.fold_pending()
        assert quota.check_accounts(world.project.pk).right

    def test_deleting_is_never_refused(self, world: World) -> None:
        limit(world, 1)
        assert world.api("maintainer", "DELETE", "projects/team/repositories/app/artifacts/1.0").status_code == 200
        assert quota.used(world.project.pk) == 0


class TestEvents:
    def push_of(self, world: World, size: int) -> None:
        """Makes the project use so many bytes more, through the books alone."""
        quota.charge(world.project.pk, size, actor=world.actor("developer"), repository="team/app")

    @pytest.fixture(autouse=True)
    def thousand(self, world: World) -> None:
        world.api("sysadmin", "DELETE", "projects/team/repositories/app")
        limit(world, 1000)

    def pass_time(self, world: World) -> None:
        earlier = timezone.now() - timedelta(seconds=61)
        Quota.objects.filter(project=world.project).update(warned_at=earlier, exceeded_at=earlier)

    def test_a_warning_for_each_crossing(self, world: World) -> None:
        self.push_of(world, 849)
        assert told("QUOTA_WARNING") == []
        self.push_of(world, 1)
        [warning] = told("QUOTA_WARNING")
        assert (warning["repository"], warning["used"], warning["hard"]) == ("team/app", 850, 1000)
        assert warning["details"] == "quota usage reach 85%: resource storage used 850.0 B of 1000.0 B"
        self.pass_time(world)
        self.push_of(world, 100)  # it stays above
        assert len(told("QUOTA_WARNING")) == 1
        self.push_of(world, -500)
        self.push_of(world, 500)
        assert len(told("QUOTA_WARNING")) == 2

    def test_one_warning_a_minute(self, world: World) -> None:
        for _ in range(3):
            self.push_of(world, 900)
            self.push_of(world, -900)
        assert len(told("QUOTA_WARNING")) == 1

    def test_a_lower_limit_crosses_too(self, world: World) -> None:
        self.push_of(world, 500)
        limit(world, 580)
        self.pass_time(world)
        limit(world, 550)
        assert [warning["hard"] for warning in told("QUOTA_WARNING")] == [580]

    def test_a_warning_goes_with_the_change(self, world: World) -> None:
        """A push that is rolled back has crossed nothing."""
        limit(world, 10_000)
        self.push_of(world, 8_400)
        with transaction.atomic():
            self.push_of(world, 1_000)
            assert len(told("QUOTA_WARNING")) == 1
            transaction.set_rollback(True)
        assert told("QUOTA_WARNING") == []
        push_image(world.actor("developer"), "team/app", "1.0")
        assert len(told("QUOTA_WARNING")) == 1

    def test_refusals_once_a_minute(self, world: World) -> None:
        for _ in range(3):
            refusal(lambda: push_image(world.actor("developer"), "team/app", "1.0", layers=20))
        [event] = told("QUOTA_EXCEED")
        assert event["details"].startswith("Quota exceeded when processing the request")
        assert (event["repository"], event["hard"]) == ("team/app", 1000)
        assert Event.objects.get(type="QUOTA_EXCEED").operator == "developer"
        self.pass_time(world)
        refusal(lambda: push_image(world.actor("developer"), "team/app", "1.0", layers=20))
        assert len(told("QUOTA_EXCEED")) == 2


class TestResync:
    def test_right_is_left_alone(self, world: World) -> None:
        stamp = Quota.objects.get(project=world.project).update_time
        assert quota.resync_all() == 0
        assert Quota.objects.get(project=world.project).update_time == stamp

    def test_wrong_is_set_right(self, world: World) -> None:
        right = quota.used(world.project.pk)
        Quota.objects.filter(project=world.project).update(used=123)
        QuotaDelta.objects.create(project=world.project, size=77)
        named = ProjectBlob.objects.filter(project=world.project).order_by("pk")
        named.filter(pk=named[0].pk).delete()
        named.filter(pk=named[0].pk).update(refs=9)
        stray = put_blob("team/app", b"nobody names me")["digest"]
        ProjectBlob.objects.create(project=world.project, blob=blobs.find("team/app", stray), refs=1)
        assert not quota.check_accounts(world.project.pk).right
        assert quota.resync_all() == 1
        assert quota.check_accounts(world.project.pk) == quota.Accounts(right, right, 0)
        assert not QuotaDelta.objects.filter(project=world.project).exists()
        assert quota.resync_all() == 0

    def test_a_quota_that_is_missing_comes_back(self, world: World) -> None:
        configure(storage_per_project=5 * MIB)
        right = quota.used(world.project.pk)
        Quota.objects.filter(project=world.project).delete()
        QuotaDelta.objects.all().delete()
        assert quota.resync(world.project.pk)
        assert Quota.objects.get(project=world.project).hard == 5 * MIB
        assert quota.used(world.project.pk) == right

    def test_deleted_projects_stay_without(self, world: World) -> None:
        project = make_project("gone", world.users["outsider"])
        world.api("sysadmin", "DELETE", "projects/gone")
        assert not quota.resync(project.pk)
        assert not Quota.objects.filter(project=project).exists()
        assert Project.objects.get(pk=project.pk).deleted

"""When a policy copies, and what it leaves out: hours, platforms, opposite rules, and what a long task is forgiven."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from harbor_core.lib.errors import HarborError
from harbor_core.models import Event
from jobservice import dispatch
from jobservice.models import Execution, Task
from jobservice.states import Status
from projects.manifests import platforms
from projects.manifests.parse import Descriptor
from projects.models import Project, Repository, TagEvent
from replication.models import Registry, ReplicationPolicy
from replication.services import brakes, engine, events, windows
from replication.services.choosing import Choice
from tests.cast import World
from tests.jobservice.conftest import Worker, fresh


# ---------------------------------------------------------------------- hours
@pytest.mark.parametrize(
    ("window", "now", "seconds"),
    [
        ("", "12:00:00", 0),
        ("22:00-06:00", "21:59:30", 30),
        ("22:00-06:00", "22:00:00", 0),
        ("22:00-06:00", "00:00:00", 0),
        ("22:00-06:00", "05:59:59", 0),
        ("22:00-06:00", "06:00:00", 16 * 3600),
        ("08:15-09:00", "08:14:00", 60),
        ("08:15-09:00", "08:59:59", 0),
        ("08:15-09:00", "09:00:00", 23 * 3600 + 15 * 60),
    ],
)
def test_a_window_opens_and_closes(window: str, now: str, seconds: float) -> None:
    at = datetime.fromisoformat(f"2026-11-30T{now}+00:00")
    assert windows.wait(window, at) == seconds
    assert windows.checked(window) == window


@pytest.mark.parametrize("text", ["22-06", "22:00-22:00", "24:00-06:00", "22:00-06:60", " 22:00-06:00", "22:00 06:00"])
def test_what_is_no_window(text: str) -> None:
    with pytest.raises(HarborError, match="not a window"):
        windows.checked(text)


def test_a_task_waits_for_its_window(world: World, worker: Worker) -> None:
    opens = timezone.now() + timedelta(hours=2)
    window = f"{opens:%H:%M}-{opens + timedelta(hours=1):%H:%M}"
    target = Registry.objects.create(name="hub", type="docker-registry", url="http://127.0.0.1:9")
    policy = ReplicationPolicy.objects.create(
        name="nightly", creator="admin", target=target, enabled=True, window=window
    )
    run = dispatch.submit(engine.JOB_TYPE, vendor_id=policy.pk, parameters={"policy_id": policy.pk})
    assert worker.work() == 1
    task = fresh(run.tasks.get())
    assert (task.status, task.failures, task.lost) == (Status.SCHEDULED, 0, 0)
    assert task.due_at is not None and timedelta(minutes=118) < task.due_at - timezone.now() <= timedelta(hours=2)
    assert "outside of the hours" in task.status_message
    assert Execution.objects.get(pk=run.pk).end_time is None


def test_progress_is_forgiven_what_went_before(world: World, begun: Any) -> None:
    run = dispatch.submit(engine.JOB_TYPE, parameters={"policy_id": 1})
    Task.objects.filter(execution=run).update(failures=3, lost=4)
    context = begun()
    assert context.is_last_attempt
    context.advanced()
    task = fresh(run.tasks.get())
    assert (task.failures, task.lost, context.is_last_attempt) == (0, 0, False)


# ---------------------------------------------------------------------- platforms
def child(number: int, platform: dict[str, str], about: int = 0) -> Descriptor:
    annotations = {platforms.ATTESTED: f"sha256:{about}"} if about else {}
    return Descriptor("application/vnd.oci.image.manifest.v1+json", f"sha256:{number}", 1, annotations, [], platform)


CHILDREN = [
    child(1, {"os": "linux", "architecture": "amd64"}),
    child(2, {"os": "linux", "architecture": "arm64", "variant": "v8"}),
    child(3, {"os": "linux", "architecture": "arm", "variant": "v7"}),
    child(4, {"os": "unknown", "architecture": "unknown"}, 1),
    child(5, {"os": "unknown", "architecture": "unknown"}, 2),
    child(6, {}),
]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ([], "123456"),
        (["linux/amd64"], "146"),
        (["linux/arm64"], "256"),
        (["linux/arm64/v8"], "256"),
        (["linux/arm/v6"], "6"),
        (["linux/arm/v7", "linux/amd64"], "1346"),
        (["windows/amd64"], "6"),
    ],
)
def test_children_of_the_platforms(names: list[str], chosen: str) -> None:
    found = platforms.chosen(CHILDREN, names)
    assert "".join(each.digest.removeprefix("sha256:") for each in found) == chosen


@pytest.mark.parametrize("name", ["linux", "linux/", "Linux/amd64", "linux/amd64/v8/x", "a,b/c", "x" * 40 + "/y"])
def test_what_is_no_platform(name: str) -> None:
    with pytest.raises(HarborError, match="not a platform"):
        platforms.checked([name])


# ---------------------------------------------------------------------- untagged
@pytest.mark.parametrize(
    ("value", "decoration", "taken"),
    [
        ("", "", True),
        ("**", "", True),
        ("*", "", True),
        ("v*", "", False),
        ("v*", "excludes", True),
        ("*", "excludes", False),
    ],
)
def test_no_tag_counts_as_an_empty_one(value: str, decoration: str, taken: bool) -> None:
    filters = [{"type": "tag", "value": value, "decoration": decoration}] if value else []
    assert Choice(filters).takes_untagged is taken


# ---------------------------------------------------------------------- opposite rules
LOW, HIGH = f"sha256:{'1' * 64}", f"sha256:{'f' * 64}"


@pytest.fixture
def repository(world: World) -> Repository:
    project = Project.objects.get(name="team")
    return Repository.objects.create(project=project, name="team/swinging")


def moves(repository: Repository, *digests: str, minutes: int = 0) -> None:
    before = ""
    for digest in digests:
        at = timezone.now() - timedelta(minutes=minutes)
        TagEvent.objects.create(
            repository=repository, name="1", operation="move", old_digest=before, new_digest=digest, occurred_at=at
        )
        before = digest


@pytest.mark.parametrize(
    ("history", "minutes", "swinging"),
    [
        ([LOW, HIGH, LOW, HIGH, LOW], 0, LOW),
        ([LOW, HIGH, LOW, HIGH], 0, LOW),
        ([HIGH, LOW, HIGH], 0, ""),  # somebody took a change back
        ([LOW, "", LOW, "", LOW], 0, ""),  # deleted and pushed again
        ([LOW, HIGH, LOW, HIGH, LOW], 11, ""),
        ([LOW, LOW, LOW, LOW], 0, ""),
    ],
)
def test_a_tag_that_swings_is_passed_on_one_way(
    repository: Repository, history: list[str], minutes: int, swinging: str
) -> None:
    moves(repository, *history, minutes=minutes)
    stopped = [digest for digest in (LOW, HIGH) if events.is_swinging(repository.name, "1", digest)]
    assert stopped == ([swinging] if swinging else [])


def test_a_push_of_the_lower_one_starts_nothing(repository: Repository) -> None:
    target = Registry.objects.create(name="far", type="harbor", url="http://127.0.0.1:9")
    ReplicationPolicy.objects.create(name="there", creator="a", target=target, enabled=True, trigger="event_based")
    moves(repository, LOW, HIGH, LOW, HIGH)
    for digest, runs in ((LOW, 0), (HIGH, 1)):
        payload = {"repository": repository.name, "tag": "1", "digest": digest}
        events.submit(
            Event(type="PUSH_ARTIFACT", project_id=repository.project_id, operator="robot$x", payload=payload)
        )
        assert Execution.objects.filter(vendor_type=engine.JOB_TYPE).count() == runs


# ---------------------------------------------------------------------- bandwidth
def test_a_brake_is_shared(db: None) -> None:
    registry = Registry.objects.create(name="slow", type="docker-registry", url="http://127.0.0.1:9", speed=100)
    brake = brakes.of_registry(registry)
    assert brake is not None and brakes.of_registry(registry) is brake
    assert brake.after(102_400) == pytest.approx(1.0, abs=0.05)
    assert brake.after(102_400) == pytest.approx(2.0, abs=0.05)
    registry.speed = 200
    assert brakes.of_registry(registry) is not brake
    registry.speed = 0
    assert brakes.of_registry(registry) is None

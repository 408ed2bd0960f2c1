"""Comparing the two ends of a policy, as a job."""

from functools import partial

import pytest

from harbor_core.lib.errors import HarborError
from jobservice import dispatch
from jobservice.models import Execution
from jobservice.states import Status
from projects.models import Tag
from replication.models import PolicyDrift, Registry, ReplicationPolicy
from replication.services import drift
from tests.cast import World, actor_of, make_user
from tests.jobservice.conftest import Worker
from tests.projects.test_races import at_once

pytestmark = pytest.mark.django_db


def policy(name: str = "mirror", **values: object) -> ReplicationPolicy:
    """To a registry that nobody answers for."""
    target, _ = Registry.objects.get_or_create(
        name="other", defaults={"type": "docker-registry", "url": "http://127.0.0.1:9", "status": "healthy"}
    )
    rule = {"filters": [{"type": "name", "value": "team/**"}], "replace_count": 0, "enabled": True}
    return ReplicationPolicy.objects.create(name=name, target=target, **rule | values)


def compared(world: World, worker: Worker, row: ReplicationPolicy) -> tuple[str, str]:
    [run] = drift.start(world.actor("sysadmin"), [row.pk]).values()
    worker.work()
    task = run.tasks.get()
    return task.status, task.status_message


def test_what_was_found_stays_when_the_next_one_fails(world: World, worker: Worker) -> None:
    row = policy(filters=[{"type": "name", "value": "nothing/**"}])
    assert compared(world, worker, row) == (Status.SUCCESS, "")
    found = PolicyDrift.objects.get()
    assert (found.compared, found.found, found.partial) == (0, 0, False)
    ReplicationPolicy.objects.filter(pk=row.pk).update(filters=[{"type": "name", "value": "team/**"}])
    status, message = compared(world, worker, row)
    assert status == Status.ERROR and "127.0.0.1:9" in message
    assert PolicyDrift.objects.get().taken_at == found.taken_at


def test_what_changed_meanwhile_is_not_told(world: World, worker: Worker) -> None:
    row = policy(filters=[{"type": "name", "value": "nothing/**"}])
    old = ReplicationPolicy.objects.get(pk=row.pk)
    row.save()
    result = PolicyDrift(policy=row, compared=0, missing=0, different=0, extra=0)
    with pytest.raises(drift.JobFailed, match="was changed"):
        drift._keep(old, result)
    [run] = drift.start(world.actor("sysadmin"), [row.pk]).values()
    ReplicationPolicy.objects.all().delete()
    worker.work()
    assert run.tasks.get().status_message == "the replication policy is gone"


def test_none_is_begun_when_one_is_not_there(world: World) -> None:
    row = policy()
    with pytest.raises(HarborError, match="not found"):
        drift.start(world.actor("sysadmin"), [row.pk, row.pk + 1])
    assert not Execution.objects.filter(vendor_type="REPLICATION_DRIFT").exists()


def test_what_is_extra_no_more_is_left(world: World, worker: Worker) -> None:
    """The destination, which does not answer, is asked for nothing."""
    row, tag = policy(), Tag.objects.get(name="1.0")
    for name, status in ((tag.name, Status.SUCCESS), ("other", Status.PENDING)):
        parameters = {
            "policy_id": row.pk, "repository": "team/app", "target": "team/app", "tags": [name], "deleting": True,
            "extra": True,
        }  # fmt: skip
        run = dispatch.submit("REPLICATION", vendor_id=row.pk, parameters=parameters)
        worker.work()
        assert run.tasks.get().status in (status, Status.SCHEDULED if status == Status.PENDING else status)


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
def test_two_that_ask_at_once_begin_one() -> None:
    actor = actor_of(make_user("root", sysadmin_flag=True))
    rows = [policy("a"), policy("b")]
    numbers = [row.pk for row in rows]
    results = at_once(*[partial(drift.start, actor, order) for order in (numbers, numbers[::-1], numbers)])
    assert all({key: run.pk for key, run in found.items()} == {key: run.pk for key, run in results[0].items()}
               for found in results), results  # fmt: skip
    assert Execution.objects.filter(vendor_type="REPLICATION_DRIFT").count() == 2

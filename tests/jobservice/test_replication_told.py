"""When webhooks are told that a replication failed: once it will not be tried again."""

from typing import Any

import pytest

from jobservice.jobs import JobFailed, Retry
from replication.client import RemoteError
from replication.models import Registry, ReplicationPolicy
from replication.services import engine
from tests.cast import World


class Failing:
    """A run whose other end answers with this status."""

    def __init__(self, status: int) -> None:
        self.status = status

    def __call__(self, *_: Any) -> None:
        raise RemoteError("the other end is in trouble", self.status)


class Run:
    def __init__(self, policy: ReplicationPolicy, *, last: bool) -> None:
        self.parameters = {"policy_id": policy.pk, "repository": "team/app", "tags": ["1.0"]}
        self.is_last_attempt = last

    def sleep(self, seconds: float) -> None:
        return


@pytest.mark.parametrize(
    ("status", "last", "raised", "told"),
    [
        (503, False, Retry, 0),
        (503, True, Retry, 1),
        (429, False, Retry, 0),
        (0, True, Retry, 1),
        (403, False, JobFailed, 1),
    ],
)
def test_a_failure_is_told_once(
    world: World, monkeypatch: pytest.MonkeyPatch, status: int, last: bool, raised: type[Exception], told: int
) -> None:
    target = Registry.objects.create(name="hub", type="docker-registry", url="http://127.0.0.1:9")
    policy = ReplicationPolicy.objects.create(name="copying", creator="admin", target=target, enabled=True)
    said: list[str] = []
    monkeypatch.setattr(engine, "_move", Failing(status))
    monkeypatch.setattr(engine, "tell", lambda context, row, actor, failure="": said.append(failure))
    with pytest.raises(raised):
        engine.run(Run(policy, last=last))  # type: ignore[arg-type]  # what run asks of a context
    assert said == ["the other end is in trouble"] * told

"""Webhooks whose relay and workers are killed: every event is posted, each with one id, and none is made up."""

import json
import random
import threading
import time
import uuid

import pytest

from tests.faults.breaking import push_until_it_works
from tests.support import oci
from tests.support.receiver import receiving
from tests.support.services import wait_until
from tests.support.stack import Stack

EVENTS = 30
KILLS = 6


@pytest.mark.slow
def test_every_event_is_posted_through_kills(victim: Stack) -> None:
    """The relay (beat) and the worker are killed at moments of chance while tags are pushed."""
    chance, over, name = random.Random("webhooks"), threading.Event(), f"hooked-{uuid.uuid4().hex[:8]}"
    failed: list[BaseException] = []

    def killer() -> None:
        try:
            for _ in range(KILLS):
                over.wait(chance.uniform(0.2, 1.0))
                victim.kill(chance.choice(("beat", "worker")))
        except BaseException as error:
            failed.append(error)

    with receiving() as receiver, victim.api() as api:
        assert api.post("/api/v2.0/projects", json={"project_name": name}).status_code == 201
        policies = f"/api/v2.0/projects/{name}/webhook/policies"
        target = {"type": "http", "address": receiver.url("/ok"), "payload_format": "Default"}
        policy = {"name": "all", "enabled": True, "event_types": ["PUSH_ARTIFACT"], "targets": [target]}
        made = api.post(policies, json=policy, headers={"X-Is-Resource-Name": "true"})
        assert made.status_code == 201, made.text
        path = made.headers["Location"].partition("/api/")[2]
        image, killing = oci.image(1000), threading.Thread(target=killer)
        killing.start()
        try:
            for number in range(EVENTS):
                push_until_it_works(victim, f"{name}/app", f"v{number}", image)
                time.sleep(0.1)
        finally:
            killing.join()
        assert failed == []

        def runs() -> list[dict[str, object]]:
            found: list[dict[str, object]] = api.get(f"/api/{path}/executions", params={"page_size": 100}).json()
            return found

        wait_until(lambda: [run["status"] for run in runs()].count("Success") >= EVENTS, 180, "all to be posted")
        assert len(runs()) == EVENTS, "an event is one delivery, however often its relay was killed"
        posted = [(post["headers"]["webhook-id"], _tag(post["body"])) for post in receiver.seen()]
    assert {tag for _, tag in posted} == {f"v{number}" for number in range(EVENTS)}
    assert len(set(posted)) == EVENTS, "what was posted twice bears the same id"


def _tag(body: str) -> str:
    return str(json.loads(body)["event_data"]["resources"][0]["tag"])

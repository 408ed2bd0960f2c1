"""From a change to what a receiver gets: outbox, relay, delivery, and what the API says of it."""

import base64
import hmac
import importlib
import json
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery.signals import beat_init
from django.apps import apps
from django.db import connection
from django.utils import timezone

import jobservice.tasks  # noqa: F401 - connects to the signals of beat
from harbor_core.lib import signing
from harbor_core.models import Event
from jobservice.jobs import JOB_TYPES
from jobservice.models import Execution, Task
from jobservice.worker import clock
from projects.models import WebhookPolicy
from projects.services import artifacts, pulls, relay, webhook_events
from tests.cast import World, configure, push_image
from tests.jobservice.conftest import Worker
from tests.support.receiver import Receiver, receiving

pytestmark = pytest.mark.django_db
HEADER = "Bearer s3cret"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def tls_receiver(tmp_path: Path) -> Iterator[Receiver]:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=receiver"]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    with receiving(str(certificate), str(key)) as running:
        yield running


@pytest.fixture(autouse=True)
def reachable(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.OUTBOUND_ALLOWED = ["127.0.0.0/8"]
    monkeypatch.setenv("JOBSERVICE_WEBHOOK_JOB_HTTP_CLIENT_TIMEOUT", "1")
    monkeypatch.setattr(relay, "_waiting", {})


@pytest.fixture(autouse=True)
def quiet(world: World) -> None:
    Event.objects.all().delete()  # of the world's own making


def hook(world: World, *addresses: str, events: tuple[str, ...] = ("PUSH_ARTIFACT",), **target: Any) -> WebhookPolicy:
    targets = [{"type": "http", "address": address, "auth_header": HEADER} | target for address in addresses]
    body = {"name": f"hook{len(targets)}", "enabled": True, "event_types": list(events), "targets": targets}
    made = world.api("project_admin", "POST", "projects/team/webhook/policies", body)
    assert made.status_code == 201, made.content
    return WebhookPolicy.objects.get(pk=made["Location"].rsplit("/", 1)[1])


def push(world: World, tag: str = "2.0") -> None:
    push_image(world.actor("developer"), "team/app", tag)


def delivered(worker: Worker) -> Task:
    """Relay and deliver the one thing there is."""
    assert relay.run() >= 1
    assert worker.work() == 1
    return Task.objects.get(job_type__in=["WEBHOOK", "SLACK"])


def test_a_push_is_told_once_with_the_header_as_given(world: World, worker: Worker, receiver: Receiver) -> None:
    policy = hook(world, receiver.url("/ok?token=a"))
    push(world)
    task = delivered(worker)
    assert relay.run() == 0 and worker.work() == 0
    assert task.status == "Success"
    [post] = receiver.seen()
    assert post["path"] == "/ok?token=a"
    assert post["headers"]["authorization"] == HEADER and post["headers"]["content-type"] == "application/json"
    body = json.loads(post["body"])
    event = Event.objects.get(type="PUSH_ARTIFACT")
    assert (body["type"], body["occur_at"]) == ("PUSH_ARTIFACT", int(event.occurred_at.timestamp()))
    assert body["operator"] == "developer"
    [resource] = body["event_data"]["resources"]
    assert resource["digest"] == event.payload["digest"] and resource["tag"] == "2.0"
    assert resource["resource_url"].endswith("/team/app:2.0")
    repository = body["event_data"]["repository"]
    assert repository.pop("date_created") > 0
    assert repository == {"name": "app", "namespace": "team", "repo_full_name": "team/app", "repo_type": "private"}
    answer = task.extra_attrs["response"]
    assert (answer["status"], answer["body"], answer["truncated"]) == (200, "taken", False)
    assert "set-cookie" not in answer["headers"]
    assert HEADER not in json.dumps([task.parameters, task.extra_attrs, task.execution.extra_attrs])
    assert task.execution.vendor_id == policy.pk and task.execution.trigger == "EVENT"


def test_cloud_events(world: World, worker: Worker, receiver: Receiver) -> None:
    policy = hook(world, receiver.url("/ok"), payload_format="CloudEvents")
    push(world)
    delivered(worker)
    [post] = receiver.seen()
    assert post["headers"]["content-type"] == "application/cloudevents+json"
    body = json.loads(post["body"])
    assert (body["specversion"], body["type"]) == ("1.0", "harbor.artifact.pushed")
    assert body["source"] == f"/projects/{world.project.pk}/webhook/policies/{policy.pk}"
    assert body["operator"] == "developer" and body["data"]["repository"]["name"] == "app"


def test_slack_cannot_be_made_to_mention(world: World, worker: Worker, receiver: Receiver) -> None:
    policy = hook(world, receiver.url("/ok"), type="slack", payload_format="")
    event = Event(pk=1, type="PUSH_ARTIFACT", project_id=world.project.pk, operator="<!here>", payload={})
    message = webhook_events.body(event, policy, policy.targets[0], {"name": "```<!channel>"})
    assert "<!here>" not in json.dumps(message) and "<!channel>" not in json.dumps(message)
    push(world)
    assert delivered(worker).job_type == "SLACK"
    texts = [block["text"]["text"] for block in json.loads(receiver.seen()[0]["body"])["blocks"]]
    assert texts[0] == "*Harbor webhook events*" and texts[1].endswith("PUSH_ARTIFACT")
    assert "<!date^" in texts[2] and all(len(text) <= 3000 for text in texts)


@pytest.mark.parametrize(
    ("path", "said"), [("/fail", "500"), ("/redirect", "redirect"), ("/slow", "no answer within 1 s")]
)
def test_what_is_not_taken_is_tried_again(
    world: World, worker: Worker, receiver: Receiver, path: str, said: str
) -> None:
    hook(world, receiver.url(path))
    push(world)
    task = delivered(worker)
    assert task.status == "Scheduled" and task.failures == 1 and said in task.status_message
    assert task.due_at is not None and task.due_at > timezone.now()
    assert [post["path"] for post in receiver.seen()] == [path]  # nothing followed


@pytest.mark.parametrize("path", ["/huge", "/drip"])
def test_an_endless_answer_is_cut_and_counts(world: World, worker: Worker, receiver: Receiver, path: str) -> None:
    hook(world, receiver.url(path))
    push(world)
    task = delivered(worker)
    assert task.status == "Success"
    answer = task.extra_attrs["response"]
    assert answer["truncated"] and len(answer["body"]) <= 4096


@pytest.mark.parametrize(("skip", "status"), [(True, "Success"), (False, "Scheduled")])
def test_a_certificate_of_its_own(
    world: World, worker: Worker, tls_receiver: Receiver, skip: bool, status: str
) -> None:
    hook(world, tls_receiver.url("/ok", "https"), skip_cert_verify=skip)
    push(world)
    assert delivered(worker).status == status


def test_a_private_target_is_refused_for_good(world: World, worker: Worker, receiver: Receiver, settings: Any) -> None:
    settings.OUTBOUND_ALLOWED = []
    hook(world, receiver.url("/ok"))
    push(world)
    task = delivered(worker)
    assert task.status == "Error" and "public internet" in task.status_message
    assert receiver.seen() == []


def test_attempts_last_about_a_day() -> None:
    for name in ("WEBHOOK", "SLACK"):
        kind = JOB_TYPES[name]
        pauses = sum(kind.backoff(failures) for failures in range(1, kind.attempts))
        assert 23 * 3600 < pauses < 26 * 3600


def test_deletions_and_pulls(world: World, worker: Worker, receiver: Receiver) -> None:
    hook(world, receiver.url("/ok"), events=("PULL_ARTIFACT", "DELETE_ARTIFACT"))
    artifact = world.artifact
    note = pulls.Pull(
        world.project.pk, artifact.repository_id, artifact.pk, artifact.tags.get().pk, "guest", "team/app:1.0"
    )
    pulls.note(note)
    pulls.flush()
    artifacts.delete(world.actor("maintainer"), artifact)
    relay.run()
    assert worker.work() == 2
    bodies = [json.loads(post["body"]) for post in receiver.seen()]
    assert sorted(body["type"] for body in bodies) == ["DELETE_ARTIFACT", "PULL_ARTIFACT"]
    for body in bodies:
        assert body["event_data"]["resources"][0]["tag"] == "1.0"
        assert body["event_data"]["resources"][0]["digest"] == artifact.digest


def test_nobody_is_told_what_they_did_not_ask_for(world: World, worker: Worker) -> None:
    hook(world, "http://127.0.0.1:9/", events=("DELETE_ARTIFACT",))
    policy = hook(world, "http://127.0.0.1:9/", "http://127.0.0.1:9/x")
    WebhookPolicy.objects.filter(pk=policy.pk).update(enabled=False)
    push(world)
    relay.run()
    WebhookPolicy.objects.filter(pk=policy.pk).update(enabled=True)
    configure(notification_enable=False)
    push(world, "3.0")
    relay.run()
    assert not Execution.objects.filter(vendor_type="WEBHOOK").exists()
    assert not Event.objects.filter(delivered_at=None).exists()


def test_an_event_whose_consumer_fails_is_kept_whole_and_lets_others_pass(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook(world, "http://127.0.0.1:9/")
    push(world)
    push(world, "3.0")
    first, _ = Event.objects.filter(type="PUSH_ARTIFACT").order_by("pk")

    def failing(event: Event) -> None:
        if event.pk == first.pk:
            raise ValueError("no")

    monkeypatch.setattr(relay, "CONSUMERS", [webhook_events.submit, failing])
    relay.run()
    assert list(Event.objects.filter(delivered_at=None)) == [first]
    assert Execution.objects.filter(vendor_type="WEBHOOK").count() == 1  # what it began is undone
    assert relay.run() == 0  # not again at once
    monkeypatch.setattr(relay, "CONSUMERS", [webhook_events.submit])
    monkeypatch.setattr(relay, "_waiting", {})
    assert relay.run() == 1
    assert Execution.objects.filter(vendor_type="WEBHOOK").count() == 2


def test_the_clock_of_beat_runs_the_relay(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "EACH_TICK", [])
    monkeypatch.setattr(clock, "start", lambda: None)  # its thread would see nothing of this test's transaction
    beat_init.send(sender=None)
    push(world)
    clock.Clock().tick()
    assert not Event.objects.filter(delivered_at=None).exists()


def test_old_events_are_purged_and_pending_ones_never() -> None:
    old = timezone.now() - timedelta(days=relay.KEEP_DAYS + 1)
    kept = Event.objects.create(type="PUSH_ARTIFACT", payload={}, operator="", occurred_at=old)
    Event.objects.create(type="PUSH_ARTIFACT", payload={}, operator="", occurred_at=old, delivered_at=old)
    assert relay.purge() == 1
    assert list(Event.objects.all()) == [kept]


def test_what_the_api_says(world: World, worker: Worker, receiver: Receiver) -> None:
    policy = hook(world, receiver.url("/ok"))
    push(world)
    task = delivered(worker)
    base = f"projects/team/webhook/policies/{policy.pk}/executions"
    listed = world.api("maintainer", "GET", base)
    [execution] = listed.json()
    assert listed["X-Total-Count"] == "1"
    assert (execution["vendor_type"], execution["vendor_id"], execution["status"]) == ("WEBHOOK", policy.pk, "Success")
    assert execution["extra_attrs"]["event_type"] == "PUSH_ARTIFACT"
    assert json.loads(execution["extra_attrs"]["payload"])["type"] == "PUSH_ARTIFACT"
    tasks = f"{base}/{execution['id']}/tasks"
    [row] = world.api("maintainer", "GET", tasks).json()
    assert row["id"] == task.pk and row["extra_attrs"]["response"]["status"] == 200
    log = world.api("maintainer", "GET", f"{tasks}/{task.pk}/log")
    assert b"the answer is 200" in log.content and HEADER.encode() not in log.content
    [trigger] = world.api("maintainer", "GET", "projects/team/webhook/lasttrigger").json()
    assert not trigger["last_trigger_time"].startswith("0001")
    jobs = f"projects/team/webhook/jobs?policy_id={policy.pk}"
    [job] = world.api("maintainer", "GET", jobs).json()
    assert (job["notify_type"], job["event_type"], job["status"]) == ("http", "PUSH_ARTIFACT", "Success")
    assert world.api("maintainer", "GET", f"{jobs}&status=Error,Stopped").json() == []


def executions_of(policy: WebhookPolicy) -> str:
    return f"projects/team/webhook/policies/{policy.pk}/executions"


def checked(post: dict[str, Any], secret: str) -> bool:
    """As a receiver would by the specification."""
    headers = post["headers"]
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{post['body']}"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = base64.b64encode(hmac.new(key, text.encode(), "sha256").digest()).decode()
    signed = f"v1,{wanted}" in headers["webhook-signature"].split(" ")
    return signed and abs(time.time() - int(headers["webhook-timestamp"])) < 60


def test_the_signature_is_that_of_the_specification() -> None:
    body = b'{"test": 2432232314}'
    made = signing.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_deliveries_are_signed_while_there_is_a_secret(world: World, worker: Worker, receiver: Receiver) -> None:
    policy = hook(world, receiver.url("/ok"))
    path = f"projects/team/webhook/policies/{policy.pk}"
    secret = world.api("project_admin", "POST", f"{path}/secret").json()["secret"]
    assert secret.startswith("whsec_") and len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert world.api("project_admin", "GET", path).json()["signed"]
    assert secret not in repr(WebhookPolicy.objects.values_list()) + world.api("maintainer", "GET", path).text
    push(world)
    delivered(worker)
    assert checked(receiver.seen()[0], secret)
    other = world.api("project_admin", "POST", f"{path}/secret").json()["secret"]
    push(world, "3.0")
    relay.run()
    assert worker.work() == 1
    assert checked(receiver.seen()[1], other) and checked(receiver.seen()[1], secret), "both, for a day"
    WebhookPolicy.objects.filter(pk=policy.pk).update(previous_secret_until=timezone.now())
    push(world, "3.1")
    relay.run()
    assert worker.work() == 1
    assert checked(receiver.seen()[2], other) and not checked(receiver.seen()[2], secret)
    world.api("project_admin", "POST", f"{path}/secret")
    assert world.api("project_admin", "DELETE", f"{path}/secret").status_code == 200
    push(world, "4.0")
    relay.run()
    assert worker.work() == 1
    assert "webhook-signature" not in receiver.seen()[3]["headers"] and receiver.seen()[3]["headers"]["webhook-id"]
    stored = WebhookPolicy.objects.get(pk=policy.pk)
    assert (stored.secret, stored.previous_secret, stored.previous_secret_until) == ("", "", None)


def test_what_cannot_be_signed_is_not_sent(world: World, worker: Worker, receiver: Receiver) -> None:
    policy = hook(world, receiver.url("/ok"))
    WebhookPolicy.objects.filter(pk=policy.pk).update(secret="written under another key")
    push(world)
    task = delivered(worker)
    assert task.status == "Error" and "secret" in task.status_message and receiver.seen() == []


def test_a_try_is_signed_and_goes_by_the_same_way(world: World, worker: Worker, receiver: Receiver) -> None:
    policy = hook(world, receiver.url("/ok"), receiver.url("/fail"))
    WebhookPolicy.objects.filter(pk=policy.pk).update(enabled=False)
    path = f"projects/team/webhook/policies/{policy.pk}"
    secret = world.api("project_admin", "POST", f"{path}/secret").json()["secret"]
    made = world.api("project_admin", "POST", f"{path}/ping")
    assert made.status_code == 200 and len(made.json()) == 2
    assert relay.run() == 0 and worker.work() == 2
    posts = receiver.seen()
    assert sorted(post["path"] for post in posts) == ["/fail", "/ok"] and all(checked(post, secret) for post in posts)
    body = json.loads(posts[0]["body"])
    assert (body["type"], body["operator"]) == ("PING", "project_admin")
    assert body["event_data"]["webhook"]["id"] == policy.pk
    statuses = {task.extra_attrs["response"]["status"] for task in Task.objects.filter(job_type="WEBHOOK")}
    assert statuses == {200, 500}
    listed = world.api("maintainer", "GET", f"{path}/executions").json()
    assert {row["extra_attrs"]["event_type"] for row in listed} == {"PING"} and listed[0]["trigger"] == "MANUAL"


def test_delivered_once_more_with_the_same_id_and_body(world: World, worker: Worker, receiver: Receiver) -> None:
    policy = hook(world, receiver.url("/fail"))
    push(world)
    first = delivered(worker)
    assert first.status == "Scheduled"
    base = executions_of(policy)
    made = world.api("project_admin", "POST", f"{base}/{first.execution_id}/redelivery")
    assert made.status_code == 201
    again = Execution.objects.get(pk=made["Location"].rsplit("/", 1)[1])
    assert again.extra_attrs["redelivery_of"] == first.execution_id and again.operator == "project_admin"
    first.refresh_from_db()
    assert first.status == "Stopped"  # it does not come by itself as well
    assert worker.work() == 1
    one, two = receiver.seen()
    assert one["body"] == two["body"] and one["headers"]["webhook-id"] == two["headers"]["webhook-id"]
    WebhookPolicy.objects.filter(pk=policy.pk).update(targets=[policy.targets[0] | {"address": receiver.url("/ok")}])
    refused = world.api("project_admin", "POST", f"{base}/{first.execution_id}/redelivery")
    assert refused.status_code == 412 and Execution.objects.filter(vendor_type="WEBHOOK").count() == 2


def test_a_policy_of_the_system_sees_every_project(world: World, worker: Worker, receiver: Receiver) -> None:
    target = {"type": "http", "address": receiver.url("/ok"), "payload_format": "CloudEvents"}
    events = ["PUSH_ARTIFACT", "PULL_ARTIFACT"]
    body = {"name": "all", "enabled": True, "event_types": events, "targets": [target]}
    made = world.api("sysadmin", "POST", "system/webhook/policies", body)
    assert made.status_code == 201 and world.api("sysadmin", "POST", "system/webhook/policies", body).status_code == 409
    path = made["Location"].removeprefix("/api/v2.0/")
    seen = world.api("sysadmin", "GET", path).json()
    assert seen["name"] == "all" and "project_id" not in seen
    assert world.api("sysadmin", "GET", f"projects/team/webhook/policies/{seen['id']}").status_code == 404
    push(world)
    artifact = world.artifact
    pulls.note(pulls.Pull(world.project.pk, artifact.repository_id, artifact.pk, None, "guest", "team/app:1.0"))
    pulls.flush()
    relay.run()
    assert worker.work() == 2
    bodies = [json.loads(post["body"]) for post in receiver.seen()]
    assert {body["type"] for body in bodies} == {"harbor.artifact.pushed", "harbor.artifact.pulled"}
    assert all(body["source"] == f"/{path}" for body in bodies)
    sent = world.api("sysadmin", "GET", f"{path}/executions").json()
    assert len(sent) == 2
    again = world.api("sysadmin", "POST", f"{path}/executions/{sent[0]['id']}/redelivery")
    assert again.status_code == 201 and again["Location"].startswith(f"/api/v2.0/{path}/executions/")
    assert world.api("sysadmin", "POST", f"{path}/ping").status_code == 200
    assert worker.work() == 2
    assert world.api("sysadmin", "DELETE", path).status_code == 200


def test_events_from_before_the_relay_are_passed_over_once() -> None:
    passing = importlib.import_module("harbor_core.migrations.0002_events_before_the_relay")

    def write() -> Event:
        return Event.objects.create(type="PUSH_ARTIFACT", payload={}, operator="")

    def migrate() -> None:
        passing.pass_over(apps, connection.schema_editor())

    before = write()
    migrate()
    before.refresh_from_db()
    assert before.delivered_at is not None
    waiting = write()
    migrate()
    waiting.refresh_from_db()
    assert waiting.delivered_at is None  # a relay was at work: it is still to be told


def test_executions_of_others_are_not_found(world: World, worker: Worker, receiver: Receiver) -> None:
    hook(world, receiver.url("/ok"))
    push(world)
    task = delivered(worker)
    other = hook(world, receiver.url("/ok"), receiver.url("/x"))
    path = f"projects/team/webhook/policies/{other.pk}/executions/{task.execution_id}/tasks"
    assert world.api("maintainer", "GET", path).status_code == 404
    assert world.api("maintainer", "GET", f"{path}/{task.pk}/log").status_code == 404

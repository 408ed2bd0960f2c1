"""Replication between real registries: two instances of this project and a docker-registry."""

import json
import uuid
from pathlib import Path

import httpx
import pytest

from tests.replication.ends import digest, ended, logs, named, policy, project, push_index, ran, registry
from tests.support import oci
from tests.support.receiver import receiving
from tests.support.remote import RemoteRegistry
from tests.support.services import wait_until
from tests.support.stack import Stack


def test_push_to_another_instance_and_pull_back(
    api: httpx.Client, there: httpx.Client, near: Stack, far: Stack
) -> None:
    name = project(api)
    index = push_index(api, f"{name}/group/app", "1.0")
    assert oci.push(api, f"{name}/group/app", "dev", oci.image()).status_code == 201
    remote = registry(api, "harbor", far.url, far.admin)
    pushing = policy(api, dest_registry={"id": remote}, filters=named(f"{name}/**", "1.*"))
    found = ran(api, pushing)
    assert (found["total"], found["succeed"], found["trigger"]) == (1, 1, "manual")
    assert digest(there, f"{name}/group/app", "1.0") == oci.digest_of(index)
    assert digest(there, f"{name}/group/app", "dev") == ""
    referrers = there.get(f"/v2/{name}/group/app/referrers/{oci.digest_of(index)}").json()["manifests"]
    assert len(referrers) == 1
    again = ran(api, pushing)
    assert "is copied" not in logs(api, again["path"])

    flat = project(api)
    pulling = policy(
        api,
        src_registry={"id": remote},
        filters=named(f"{name}/group/app"),
        dest_namespace=flat,
        dest_namespace_replace_count=2,
        copy_by_chunk=True,
    )
    ran(api, pulling)
    assert digest(api, f"{flat}/app", "1.0") == oci.digest_of(index)
    assert len(api.get(f"/v2/{flat}/app/referrers/{oci.digest_of(index)}").json()["manifests"]) == 1
    assert api.delete(f"/api/v2.0/registries/{remote}").status_code == 412
    for used in (pushing, pulling):
        assert api.delete(f"/api/v2.0/replication/policies/{used}").status_code == 200
    assert api.delete(f"/api/v2.0/registries/{remote}").status_code == 200


def test_webhooks_are_told_how_it_ended(api: httpx.Client, there: httpx.Client, far: Stack) -> None:
    name = project(api)
    assert oci.push(api, f"{name}/app", "1.0", oci.image()).status_code == 201
    remote = registry(api, "harbor", far.url, far.admin)
    used = policy(api, dest_registry={"id": remote}, filters=named(f"{name}/**"), description="to the other site")
    with receiving() as receiver:
        hook = {
            "name": "ended",
            "enabled": True,
            "event_types": ["REPLICATION"],
            "targets": [{"type": "http", "address": receiver.url("/ok"), "payload_format": "Default"}],
        }
        assert api.post(f"/api/v2.0/projects/{name}/webhook/policies", json=hook).status_code == 201
        went = ran(api, used)
        wait_until(lambda: receiver.seen(), 60, "the delivery")
        number = there.get(f"/api/v2.0/projects/{name}", headers={"X-Is-Resource-Name": "true"}).json()["project_id"]
        quotas = there.get("/api/v2.0/quotas", params={"reference": "project", "reference_id": str(number)}).json()
        full = there.put(f"/api/v2.0/quotas/{quotas[0]['id']}", json={"hard": {"storage": 1}})
        assert full.status_code == 200, full.text
        assert oci.push(api, f"{name}/app", "1.1", oci.image()).status_code == 201
        ran(api, used, "Failed")
        wait_until(lambda: len(receiver.seen()) == 2, 60, "the second delivery")
        good, bad = [json.loads(seen["body"]) for seen in receiver.seen()]
    told = good["event_data"]["replication"]
    assert (good["type"], told["job_status"], told["execution_id"]) == ("REPLICATION", "Success", went["id"])
    assert told["dest_resource"]["endpoint"] == far.url and told["dest_resource"]["namespace"] == name
    assert told["successful_artifact"] == [{"type": "artifact", "status": "Success", "name_tag": "app:1.0"}]
    assert (told["trigger_type"], told["description"]) == ("manual", "to the other site")
    failed = bad["event_data"]["replication"]
    assert failed["job_status"] == "Failed" and failed["failed_artifact"][0]["fail_reason"]


def test_a_plain_registry_both_ways(api: httpx.Client, plain: RemoteRegistry) -> None:
    name = project(api)
    images = {tag: oci.image(200_000) for tag in ("1.0", "1.1")}
    for tag, image in images.items():
        assert oci.push(api, f"{name}/app", tag, image).status_code == 201
    remote = registry(api, "docker-registry", plain.url, ("mover", "Moving-pass-1"))
    ran(api, policy(api, dest_registry={"id": remote}, filters=named(f"{name}/**"), copy_by_chunk=True))
    with httpx.Client(base_url=plain.url, auth=("mover", "Moving-pass-1")) as client:
        for tag, image in images.items():
            answer = client.get(f"/v2/{name}/app/manifests/{tag}", headers={"Accept": oci.OCI_MANIFEST})
            assert answer.content == image.manifest
            layer = client.get(f"/v2/{name}/app/blobs/{oci.digest_of(image.layer)}")
            assert layer.content == image.layer
    made = f"{name}-back"
    back = policy(api, src_registry={"id": remote}, filters=named(f"{name}/*"), dest_namespace=made, speed=200)
    api.put(f"/api/v2.0/replication/policies/{back}", json={})
    body = api.get(f"/api/v2.0/replication/policies/{back}").json() | {"dest_namespace_replace_count": 1}
    assert api.put(f"/api/v2.0/replication/policies/{back}", json=body).status_code == 200
    ran(api, back)
    assert {tag: digest(api, f"{made}/app", tag) for tag in images} == {
        tag: oci.digest_of(image.manifest) for tag, image in images.items()
    }


def test_override_is_asked_for(api: httpx.Client, there: httpx.Client, far: Stack) -> None:
    name = project(api)
    assert there.post("/api/v2.0/projects", json={"project_name": name}).status_code == 201
    ours, theirs = oci.image(), oci.image()
    assert oci.push(api, f"{name}/app", "1", ours).status_code == 201
    assert oci.push(there, f"{name}/app", "1", theirs).status_code == 201
    remote = registry(api, "harbor", far.url, far.admin)
    kept = ran(api, policy(api, dest_registry={"id": remote}, filters=named(f"{name}/app"), override=False))
    assert "is kept" in logs(api, kept["path"])
    assert digest(there, f"{name}/app", "1") == oci.digest_of(theirs.manifest)
    ran(api, policy(api, dest_registry={"id": remote}, filters=named(f"{name}/app")))
    assert digest(there, f"{name}/app", "1") == oci.digest_of(ours.manifest)


def test_events_carry_pushes_and_deletions(api: httpx.Client, there: httpx.Client, far: Stack) -> None:
    name = project(api)
    remote = registry(api, "harbor", far.url, far.admin)
    used = policy(
        api,
        dest_registry={"id": remote},
        filters=named(f"{name}/**", "v*"),
        trigger={"type": "event_based"},
        replicate_deletion=True,
    )
    for tag in ("v1", "other"):
        assert oci.push(api, f"{name}/app", tag, oci.image()).status_code == 201
    wait_until(lambda: digest(there, f"{name}/app", "v1"), 60, "the push to arrive")
    runs = api.get("/api/v2.0/replication/executions", params={"policy_id": used}).json()
    assert [run["trigger"] for run in runs] == ["event_based"]
    assert digest(there, f"{name}/app", "other") == ""
    assert api.delete(f"/v2/{name}/app/manifests/v1").status_code == 202
    wait_until(lambda: not digest(there, f"{name}/app", "v1"), 60, "the deletion to arrive")


def test_events_keep_to_the_filters_of_labels(api: httpx.Client, there: httpx.Client, far: Stack) -> None:
    name, label = project(api), uuid.uuid4().hex[:10]
    made = api.post("/api/v2.0/labels", json={"name": label, "scope": "g"})
    remote = registry(api, "harbor", far.url, far.admin)
    filters = named(f"{name}/**")
    labelled = policy(
        api,
        dest_registry={"id": remote},
        filters=[*filters, {"type": "label", "value": [label]}],
        trigger={"type": "event_based"},
    )
    others = policy(
        api,
        dest_registry={"id": remote},
        filters=[*filters, {"type": "label", "value": [label], "decoration": "excludes"}],
        dest_namespace=f"{name}-others",
        trigger={"type": "event_based"},
    )
    pushed = oci.image()
    assert oci.push(api, f"{name}/app", "1", pushed).status_code == 201
    wait_until(lambda: digest(there, f"{name}-others/{name}/app", "1"), 60, "what has no label to arrive")
    assert not digest(there, f"{name}/app", "1")
    artifact = f"/api/v2.0/projects/{name}/repositories/app/artifacts/{oci.digest_of(pushed.manifest)}"
    label_id = int(made.headers["Location"].rpartition("/")[2])
    assert api.post(f"{artifact}/labels", json={"id": label_id}).status_code == 200
    assert oci.push(api, f"{name}/app", "2", pushed).status_code == 201
    wait_until(lambda: digest(there, f"{name}/app", "2"), 60, "what has the label to arrive")
    for used in (labelled, others):
        runs = api.get("/api/v2.0/replication/executions", params={"policy_id": used}).json()
        for run in runs:
            ended(api, f"/api/v2.0/replication/executions/{run['id']}")
    assert not digest(there, f"{name}-others/{name}/app", "2")


def test_what_cannot_be_copied_fails_with_a_reason(api: httpx.Client, plain: RemoteRegistry) -> None:
    name = project(api)
    assert oci.push(api, f"{name}/app", "1", oci.image()).status_code == 201
    remote = registry(api, "docker-registry", plain.url, ("mover", "Moving-pass-1"))
    values = {"dest_registry": {"id": remote}, "filters": named(f"{name}/app")}
    many = policy(api, **values | {"dest_namespace": "x", "dest_namespace_replace_count": 5})
    assert "has no 5 parts" in ran(api, many, "Failed")["status_text"]
    nothing = policy(api, **values | {"filters": named(f"{name}/nothing")})
    assert ran(api, nothing)["status_text"] == "no resources need to be replicated"
    disabled = policy(api, **values | {"enabled": False})
    refused = api.post("/api/v2.0/replication/executions", json={"policy_id": disabled})
    assert refused.status_code == 412


def test_a_slow_run_is_stopped(api: httpx.Client, plain: RemoteRegistry) -> None:
    name = project(api)
    assert oci.push(api, f"{name}/app", "1", oci.image(3_000_000)).status_code == 201
    remote = registry(api, "docker-registry", plain.url, ("mover", "Moving-pass-1"))
    slow = policy(
        api, dest_registry={"id": remote}, filters=named(f"{name}/app"), speed=50, single_active_replication=True
    )
    started = api.post("/api/v2.0/replication/executions", json={"policy_id": slow})
    path = started.headers["Location"]
    wait_until(lambda: [task["status"] for task in api.get(f"{path}/tasks").json()] == ["InProgress"], 30, "a task")
    second = ran(api, slow, "Failed")
    assert second["status_text"].startswith("Execution skipped")
    stopped = api.put(path)
    assert (stopped.status_code, stopped.json()) == (200, None)
    assert ended(api, path)["status"] == "Stopped"


@pytest.mark.slow
def test_a_killed_worker_goes_on_where_it_was(api: httpx.Client, there: httpx.Client, near: Stack, far: Stack) -> None:
    name = project(api)
    image = oci.image(45_000_000)
    assert oci.push(api, f"{name}/app", "1", image).status_code == 201
    remote = registry(api, "harbor", far.url, far.admin)
    used = policy(api, dest_registry={"id": remote}, filters=named(f"{name}/app"), copy_by_chunk=True, speed=6000)
    started = api.post("/api/v2.0/replication/executions", json={"policy_id": used})
    path = started.headers["Location"]
    uploads = Path(far.storage_root)
    wait_until(
        lambda: any(file.stat().st_size > 15_000_000 for file in uploads.rglob(f"{name}/**/_uploads/*/data")),
        60,
        "the middle of some chunk",
    )
    near.kill("worker")
    found = ended(api, path, 300)
    assert found["status"] == "Succeed", logs(api, path)
    assert "goes on at" in logs(api, path)
    assert digest(there, f"{name}/app", "1") == oci.digest_of(image.manifest)
    assert there.get(f"/v2/{name}/app/blobs/{oci.digest_of(image.layer)}").content == image.layer

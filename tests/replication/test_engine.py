"""What has to hold of the engine: what belongs to an artifact travels with it, limits of the other side and of this one
are kept to, triggers fire, and opposite rules come to rest."""

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx
import pytest

from tests.replication.ends import digest, ended, logs, named, policy, project, push_index, ran, registry
from tests.support import oci
from tests.support.remote import RemoteRegistry
from tests.support.services import wait_until
from tests.support.stack import Stack
from tests.support.upstream import Upstream

LOGIN = ("mover", "Moving-pass-1")
SIGNATURE = "application/vnd.dev.cosign.simplesigning.v1+json"


@pytest.fixture(scope="module")
def door() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.stop()


def signed(client: httpx.Client, repository: str, subject: oci.Image) -> list[str]:
    """A signature under cosign's tag, an SBOM that refers to the image, and a signature of the SBOM. Their digests."""
    made = oci.image(200)
    document = json.loads(made.manifest)
    document["layers"][0]["mediaType"] = SIGNATURE
    signature = oci.Image(made.config, made.layer, json.dumps(document).encode())
    tag = subject.digest.replace(":", "-") + ".sig"
    assert oci.push(client, repository, tag, signature).status_code == 201
    bill = oci.image(300, subject=oci.descriptor(subject.manifest, oci.OCI_MANIFEST))
    assert oci.push(client, repository, bill.digest, bill).status_code == 201
    about = oci.image(400, subject=oci.descriptor(bill.manifest, oci.OCI_MANIFEST))
    assert oci.push(client, repository, about.digest, about).status_code == 201
    return [signature.digest, bill.digest, about.digest]


def referrers(client: httpx.Client, repository: str, subject: str) -> list[str]:
    """By the registry's own list, or by the tag where it keeps none."""
    answer = client.get(f"/v2/{repository}/referrers/{subject}")
    if answer.status_code == 404:
        tag = subject.replace(":", "-")
        answer = client.get(f"/v2/{repository}/manifests/{tag}", headers={"Accept": oci.OCI_INDEX})
    assert answer.status_code == 200, answer.text
    return [row["digest"] for row in answer.json()["manifests"]]


# ---------------------------------------------------------------------- what belongs to an artifact
@pytest.mark.parametrize("kind", ["harbor", pytest.param("docker-registry", marks=pytest.mark.slow)])
def test_what_belongs_to_an_artifact_travels_with_it(
    api: httpx.Client, there: httpx.Client, far: Stack, plain: RemoteRegistry, kind: str
) -> None:
    name, image = project(api), oci.image()
    assert oci.push(api, f"{name}/app", "1", image).status_code == 201
    signature, bill, about = signed(api, f"{name}/app", image)
    url, login = (far.url, far.admin) if kind == "harbor" else (plain.url, LOGIN)
    remote = registry(api, kind, url, login)
    ran(api, policy(api, dest_registry={"id": remote}, filters=named(f"{name}/**", "1")))
    other = there if kind == "harbor" else httpx.Client(base_url=plain.url, auth=LOGIN)
    cosign = image.digest.replace(":", "-") + ".sig"
    assert digest(other, f"{name}/app", cosign) == signature
    assert bill in referrers(other, f"{name}/app", image.digest)
    assert referrers(other, f"{name}/app", bill) == [about]

    if kind == "harbor":
        path = f"/api/v2.0/projects/{name}/repositories/app/artifacts/{image.digest}/accessories"
        assert {row["digest"]: row["type"] for row in there.get(path).json()} == {
            signature: "signature.cosign",
            bill: "subject.accessory",
        }

    back = f"{name}-back"
    used = policy(
        api,
        src_registry={"id": remote},
        filters=named(f"{name}/app", "1"),
        dest_namespace=back,
        dest_namespace_replace_count=1,
    )
    ran(api, used)
    assert digest(api, f"{back}/app", "1") == image.digest
    assert digest(api, f"{back}/app", cosign) == signature
    assert bill in referrers(api, f"{back}/app", image.digest)
    assert referrers(api, f"{back}/app", bill) == [about]


def at_rest(api: httpx.Client, rules: list[int]) -> list[str]:
    """Paths of all runs of these rules, once all have ended."""
    paths: list[str] = []

    def ended_all() -> bool:
        paths.clear()
        for rule in rules:
            runs = api.get("/api/v2.0/replication/executions", params={"policy_id": rule, "page_size": 100}).json()
            if any(run["status"] == "InProgress" for run in runs):
                return False
            paths.extend(f"/api/v2.0/replication/executions/{run['id']}" for run in runs)
        return True

    wait_until(ended_all, 90, "all runs to end")
    return paths


def test_a_deleted_artifact_goes_with_what_belongs_to_it(
    api: httpx.Client, there: httpx.Client, far: Stack, plain: RemoteRegistry
) -> None:
    name, image = project(api), oci.image()
    ends = [("harbor", far.url, far.admin), ("docker-registry", plain.url, LOGIN)]
    rules = [
        policy(
            api,
            dest_registry={"id": registry(api, kind, url, login)},
            filters=named(f"{name}/**"),
            trigger={"type": "event_based"},
            replicate_deletion=True,
        )
        for kind, url, login in ends
    ]
    assert oci.push(api, f"{name}/app", "1", image).status_code == 201
    signed(api, f"{name}/app", image)
    # What was pushed later belongs to it as well: a tag says so again.
    assert oci.put_manifest(api, f"{name}/app", "2", image.manifest).status_code == 201
    signature = image.digest.replace(":", "-") + ".sig"
    with httpx.Client(base_url=plain.url, auth=LOGIN) as simple:
        for client in (there, simple):
            for reference in ("2", signature):
                wait_until(lambda at=client, of=reference: digest(at, f"{name}/app", of), 90, f"{reference} to arrive")
        before = len(at_rest(api, rules))
        gone = api.delete(f"/api/v2.0/projects/{name}/repositories/app/artifacts/{image.digest}")
        assert gone.status_code == 200, gone.text
        wait_until(lambda: len(at_rest(api, rules)) == before + 2, 90, "the runs for the deletion")
        told = [logs(api, path) for path in at_rest(api, rules)]
        for client in (there, simple):
            left = [of for of in (image.digest, "1", "2", signature) if digest(client, f"{name}/app", of)]
            assert left == [], (str(client.base_url), "\n".join(text for text in told if "deleted" in text))


# ---------------------------------------------------------------------- limits
@pytest.mark.slow
def test_retry_after_is_waited_for(api: httpx.Client, door: Upstream) -> None:
    name, image = project(api), oci.image(100_000)
    with door.client() as client:
        assert oci.push(client, f"{name}/app", "1", image).status_code == 201
    times: list[float] = []
    layer = oci.digest_of(image.layer)

    def busy(handler: Any) -> bool:
        if not handler.path.endswith(layer):
            return False
        times.append(time.monotonic())
        if len(times) <= 2:
            handler.reply(429, b'{"errors":[]}', Retry_After="3")
            return True
        return False

    door.answer = busy
    remote = registry(api, "docker-registry", door.url, LOGIN)
    found = ran(api, policy(api, src_registry={"id": remote}, filters=named(f"{name}/app")))
    assert len(times) == 3, logs(api, found["path"])
    assert all(later - before >= 3 for before, later in pairwise(times)), times
    assert digest(api, f"{name}/app", "1") == image.digest
    door.behave()


def test_who_asks_to_wait_long_is_asked_by_a_later_run(api: httpx.Client, door: Upstream, near: Stack) -> None:
    name, image = project(api), oci.image()
    with door.client() as client:
        assert oci.push(client, f"{name}/app", "1", image).status_code == 201
    remote = registry(api, "docker-registry", door.url, LOGIN)
    used = policy(api, src_registry={"id": remote}, filters=named(f"{name}/app"))
    door.fail(429, f"{name}/app/manifests", Retry_After="900")
    path = api.post("/api/v2.0/replication/executions", json={"policy_id": used}).headers["Location"]
    wait_until(
        lambda: [task["status"] for task in api.get(f"{path}/tasks").json()] == ["Pending"], 60, "the task to wait"
    )
    wait_until(lambda: "the next in 900 s" in logs(api, path), 60, "the task to say how long")
    assert door.times("GET", f"{name}/app/manifests") == 1
    door.behave()
    assert api.put(path).status_code == 200
    assert ended(api, path)["status"] == "Stopped"


def test_what_does_not_fit_fails_and_leaves_nothing(api: httpx.Client, door: Upstream) -> None:
    name = project(api)
    with door.client() as client:
        assert oci.push(client, f"{name}/app", "1", oci.image(300_000)).status_code == 201
    remote = registry(api, "docker-registry", door.url, LOGIN)
    used = policy(api, src_registry={"id": remote}, filters=named(f"{name}/app"))
    number = api.get(f"/api/v2.0/projects/{name}", headers={"X-Is-Resource-Name": "true"}).json()["project_id"]
    quota = api.get("/api/v2.0/quotas", params={"reference": "project", "reference_id": str(number)}).json()[0]
    assert api.put(f"/api/v2.0/quotas/{quota['id']}", json={"hard": {"storage": 100_000}}).status_code == 200
    failed = ran(api, used, "Failed")
    assert "quota" in logs(api, failed["path"]).lower()
    assert door.times("GET", "/blobs/") <= 4, "it is not tried again"
    assert not digest(api, f"{name}/app", "1")
    used_bytes = api.get(f"/api/v2.0/quotas/{quota['id']}").json()["used"]["storage"]
    assert used_bytes == 0, "nothing is counted"
    assert api.put(f"/api/v2.0/quotas/{quota['id']}", json={"hard": {"storage": -1}}).status_code == 200
    ran(api, used)
    assert digest(api, f"{name}/app", "1")


def test_read_only_mode_is_the_reason(api: httpx.Client, door: Upstream) -> None:
    name = project(api)
    with door.client() as client:
        assert oci.push(client, f"{name}/app", "1", oci.image(2_500_000)).status_code == 201
    remote = registry(api, "docker-registry", door.url, LOGIN)
    used = policy(api, src_registry={"id": remote}, filters=named(f"{name}/app"))
    door.behave()
    door.speed = 300_000  # workers know of a changed setting within five seconds
    path = api.post("/api/v2.0/replication/executions", json={"policy_id": used}).headers["Location"]
    wait_until(lambda: door.times("GET", "/blobs/") == 2, 60, "the blobs to be on their way")
    assert api.put("/api/v2.0/configurations", json={"read_only": True}).status_code == 200
    try:
        assert ended(api, path)["status"] == "Failed"
    finally:
        assert api.put("/api/v2.0/configurations", json={"read_only": False}).status_code == 200
        door.behave()
    assert "the system is in read-only mode" in logs(api, path)
    assert not digest(api, f"{name}/app", "1")

    def succeeds() -> bool:
        again = api.post("/api/v2.0/replication/executions", json={"policy_id": used}).headers["Location"]
        return str(ended(api, again)["status"]) == "Succeed"

    wait_until(succeeds, 30, "every worker to know that it may write again")
    assert digest(api, f"{name}/app", "1")


# ---------------------------------------------------------------------- triggers
def test_a_schedule_fires(api: httpx.Client, there: httpx.Client, near: Stack, far: Stack) -> None:
    name, image = project(api), oci.image()
    assert oci.push(api, f"{name}/app", "1", image).status_code == 201
    used = policy(
        api,
        dest_registry={"id": registry(api, "harbor", far.url, far.admin)},
        filters=named(f"{name}/**"),
        trigger={"type": "scheduled", "trigger_settings": {"cron": "0 30 3 1 1 *"}},
    )
    # Its time comes at once instead of on the first of January; the clock of the beat process does the rest.
    near.manage(
        "shell",
        "--no-imports",
        "-c",
        "from django.utils import timezone; from jobservice.models import Schedule; "
        f"Schedule.objects.filter(vendor_type='REPLICATION', vendor_id={used}).update(next_time=timezone.now())",
    )
    wait_until(lambda: digest(there, f"{name}/app", "1") == image.digest, 60, "the schedule to fire")
    runs = api.get("/api/v2.0/replication/executions", params={"policy_id": used}).json()
    assert [run["trigger"] for run in runs] == ["scheduled"]


def test_opposite_rules_come_to_rest(api: httpx.Client, there: httpx.Client, near: Stack, far: Stack) -> None:
    name = project(api)
    assert there.post("/api/v2.0/projects", json={"project_name": name}).status_code == 201
    rules = [
        policy(
            client,
            dest_registry={"id": registry(client, "harbor", other.url, other.admin)},
            filters=named(f"{name}/**"),
            trigger={"type": "event_based"},
        )
        for client, other in ((api, far), (there, near))
    ]
    ours, theirs = oci.image(), oci.image()
    assert oci.push(api, f"{name}/app", "1", ours).status_code == 201
    assert oci.push(there, f"{name}/app", "1", theirs).status_code == 201

    def at_rest() -> bool:
        for client, rule in zip((api, there), rules, strict=True):
            runs = client.get("/api/v2.0/replication/executions", params={"policy_id": rule}).json()
            if not runs or any(run["status"] == "InProgress" for run in runs):
                return False
        ends = {digest(client, f"{name}/app", "1") for client in (api, there)}
        return len(ends) == 1 and ends <= {ours.digest, theirs.digest}

    wait_until(at_rest, 120, "both ends to have the same image")
    for client, rule in zip((api, there), rules, strict=True):
        total = int(client.get("/api/v2.0/replication/executions", params={"policy_id": rule}).headers["X-Total-Count"])
        assert total <= 12, f"{total} runs for two pushes"


# ---------------------------------------------------------------------- what is sent at all
def test_a_blob_that_another_repository_has_is_linked(
    api: httpx.Client, there: httpx.Client, far: Stack, plain: RemoteRegistry, door: Upstream
) -> None:
    name, image = project(api), oci.image(200_000)
    assert oci.push(api, f"{name}/a", "1", image).status_code == 201
    for kind, url, login in (("harbor", far.url, far.admin), ("docker-registry", plain.url, LOGIN)):
        used = policy(api, dest_registry={"id": registry(api, kind, url, login)}, filters=named(f"{name}/**"))
        ran(api, used)
        for part in (image.config, image.layer):
            assert oci.push_blob(api, f"{name}/b-{kind}", part).status_code == 201
        assert oci.put_manifest(api, f"{name}/b-{kind}", "1", image.manifest).status_code == 201
        found = ran(api, used)
        assert logs(api, found["path"]).count("is linked from another repository") == 2, logs(api, found["path"])
    assert digest(there, f"{name}/b-harbor", "1") == image.digest

    with door.client() as client:
        assert oci.push(client, f"{name}/c", "1", image).status_code == 201
    remote = registry(api, "docker-registry", door.url, LOGIN)
    door.forget()
    ran(api, policy(api, src_registry={"id": remote}, filters=named(f"{name}/c")))
    assert door.times("GET", "/blobs/") == 0, "this registry had them"
    assert digest(api, f"{name}/c", "1") == image.digest


def test_only_the_platforms_that_were_asked_for(
    api: httpx.Client, far: Stack, there: httpx.Client, near: Stack
) -> None:
    name = project(there)
    index = push_index(there, f"{name}/app", "1")
    children = [row["digest"] for row in json.loads(index)["manifests"]]
    remote = registry(api, "harbor", far.url, far.admin)
    used = policy(api, src_registry={"id": remote}, filters=named(f"{name}/app", "1"), platforms=["linux/arm64"])
    ran(api, used)
    assert digest(api, f"{name}/app", "1") == oci.digest_of(index)
    assert [bool(digest(api, f"{name}/app", child)) for child in children] == [False, True]
    references = api.get(f"/api/v2.0/projects/{name}/repositories/app/artifacts/1").json()["references"]
    assert [row.get("left_out", False) for row in references] == [True, False]
    near.manage("verify")  # fails for an index that lacks what it should have
    artifact = f"/api/v2.0/projects/{name}/repositories/app/artifacts/{oci.digest_of(index)}"
    assert api.delete(artifact).status_code == 200
    trash = api.get(f"/api/v2.0/projects/{name}/trash").json()
    [kept] = [row["id"] for row in trash if row["digest"] == oci.digest_of(index)]
    restored = api.post(f"/api/v2.0/projects/{name}/trash/{kept}/restore")
    assert restored.status_code == 200, restored.text
    assert [bool(digest(api, f"{name}/app", child)) for child in children] == [False, True]
    near.manage("verify")
    body = api.get(f"/api/v2.0/replication/policies/{used}").json()
    assert body["platforms"] == ["linux/arm64"]
    assert api.put(f"/api/v2.0/replication/policies/{used}", json=body | {"platforms": []}).status_code == 200
    ran(api, used)
    assert all(digest(api, f"{name}/app", child) for child in children), "the rest came later"


def test_a_push_of_some_platforms(api: httpx.Client, there: httpx.Client, far: Stack, plain: RemoteRegistry) -> None:
    name, only = project(api), ["linux/amd64"]
    index = push_index(api, f"{name}/app", "1")
    children = [row["digest"] for row in json.loads(index)["manifests"]]
    remote = registry(api, "harbor", far.url, far.admin)
    pushing = {"dest_registry": {"id": remote}, "filters": named(f"{name}/app")}
    used = policy(api, **pushing, platforms=only)
    ran(api, used)  # makes the project there
    assert there.get(f"/api/v2.0/projects/{name}").json()["metadata"]["sparse_indexes"] == "true"
    assert [bool(digest(there, f"{name}/app", each)) for each in children] == [True, False]
    artifact = f"/api/v2.0/projects/{name}/repositories/app/artifacts/1"
    assert [row.get("left_out", False) for row in there.get(artifact).json()["references"]] == [False, True]
    absent = there.get(f"/v2/{name}/app/manifests/{children[1]}")
    told = absent.json()["errors"][0]
    assert (absent.status_code, told["code"]) == (404, "MANIFEST_UNKNOWN") and "left out" in told["message"]
    far.manage("verify")
    # Nobody leaves children out by mistake: not without saying which, and not in a project that does not take it.
    again = oci.put_manifest(there, f"{name}/app", "2", index + b" ", oci.OCI_INDEX)
    assert again.json()["errors"][0]["code"] == "MANIFEST_BLOB_UNKNOWN"
    strict = project(there)
    image = oci.image(architecture="amd64")
    assert oci.push(there, f"{strict}/app", image.digest, image).status_code == 201
    said = {"Content-Type": oci.OCI_INDEX, "X-Harbor-Platforms": "linux/amd64"}
    entries = [
        oci.descriptor(image.manifest, oci.OCI_MANIFEST) | {"platform": {"os": "linux", "architecture": "amd64"}},
        oci.descriptor(b"{}", oci.OCI_MANIFEST) | {"platform": {"os": "linux", "architecture": "arm64"}},
    ]
    sparse = json.dumps({"schemaVersion": 2, "mediaType": oci.OCI_INDEX, "manifests": entries}).encode()
    put = f"/v2/{strict}/app/manifests/1"
    assert there.put(put, content=sparse, headers=said).status_code == 404
    metadata = f"/api/v2.0/projects/{strict}/metadatas/"
    assert there.post(metadata, json={"sparse_indexes": "true"}).status_code == 200
    assert there.put(put, content=sparse, headers=said | {"X-Harbor-Platforms": "amd64"}).status_code == 400
    assert there.put(put, content=sparse, headers=said).status_code == 201
    assert there.put(f"/api/v2.0/projects/{name}", json={"metadata": {"sparse_indexes": "false"}}).status_code == 200
    ran(api, used)  # what is there stays
    body = api.get(f"/api/v2.0/replication/policies/{used}").json() | {"platforms": []}
    assert api.put(f"/api/v2.0/replication/policies/{used}", json=body).status_code == 200
    ran(api, used)
    assert all(digest(there, f"{name}/app", each) for each in children), "the rest came later"

    other = project(api)
    push_index(api, f"{other}/app", "1")
    assert there.post("/api/v2.0/projects", json={"project_name": other}).status_code == 201
    for kind, url, login in (("harbor", far.url, far.admin), ("docker-registry", plain.url, LOGIN)):
        target = {"id": registry(api, kind, url, login)}
        strictly = policy(api, dest_registry=target, filters=named(f"{other}/app"), platforms=only)
        refused = ran(api, strictly, "Failed")
        assert "takes no index that lacks some of its platforms" in logs(api, refused["path"])


def test_what_came_without_some_platforms_goes_on_without_them(
    api: httpx.Client, there: httpx.Client, far: Stack
) -> None:
    name = project(there)
    index = push_index(there, f"{name}/app", "1")
    remote = registry(api, "harbor", far.url, far.admin)
    only = ["linux/arm64"]
    ran(api, policy(api, src_registry={"id": remote}, filters=named(f"{name}/app"), platforms=only))
    onward = {"dest_registry": {"id": remote}, "filters": named(f"{name}/app"), "dest_namespace_replace_count": 1}
    refused = ran(api, policy(api, **onward, dest_namespace=f"{name}-all"), "Failed")
    assert "is here without some of its platforms" in logs(api, refused["path"])
    ran(api, policy(api, **onward, dest_namespace=f"{name}-on", platforms=only))
    assert digest(there, f"{name}-on/app", "1") == oci.digest_of(index)


def test_artifacts_without_a_tag(api: httpx.Client, there: httpx.Client, far: Stack) -> None:
    name, untagged, tagged = project(api), oci.image(), oci.image()
    assert oci.push(api, f"{name}/app", untagged.digest, untagged).status_code == 201
    assert oci.push(api, f"{name}/app", "v1", tagged).status_code == 201
    remote = registry(api, "harbor", far.url, far.admin)
    ran(api, policy(api, dest_registry={"id": remote}, filters=named(f"{name}/**", "v*")))
    assert digest(there, f"{name}/app", "v1") and not digest(there, f"{name}/app", untagged.digest)
    ran(api, policy(api, dest_registry={"id": remote}, filters=named(f"{name}/**")))
    assert digest(there, f"{name}/app", untagged.digest) == untagged.digest
    pulled = f"{name}-back"
    values = {"src_registry": {"id": remote}, "dest_namespace": pulled, "dest_namespace_replace_count": 1}
    excluding = [{"type": "name", "value": f"{name}/app"}, {"type": "tag", "value": "v*", "decoration": "excludes"}]
    ran(api, policy(api, filters=excluding, **values))
    assert digest(api, f"{pulled}/app", untagged.digest) and not digest(api, f"{pulled}/app", "v1")


def compared(api: httpx.Client, *rules: int) -> dict[str, Any]:
    """What a comparison of these rules, begun now, found of the first."""
    started = api.post("/api/v2.0/replication/drift", json={"policy_ids": rules})
    assert started.status_code == 200, started.text
    path = f"/api/v2.0/replication/policies/{rules[0]}/drift"
    wait_until(lambda: api.get(path).json()["status"] != "InProgress", 60, "the comparison to end")
    found = api.get(path).json()
    assert found["execution_id"] == {row["policy_id"]: row["execution_id"] for row in started.json()}[rules[0]]
    return dict(found)


def test_drift_is_shown_and_mended(api: httpx.Client, there: httpx.Client, far: Stack) -> None:
    name = project(api)
    images = {tag: oci.image() for tag in ("same", "missing", "different")}
    for tag, image in images.items():
        assert oci.push(api, f"{name}/app", tag, image).status_code == 201
    remote = registry(api, "harbor", far.url, far.admin)
    used = policy(api, dest_registry={"id": remote}, filters=named(f"{name}/**"), override=False)
    ran(api, used)
    path = f"/api/v2.0/replication/policies/{used}/drift"
    assert api.get(path).json() == {
        "compared": 0, "missing": 0, "different": 0, "extra": 0, "partial": False, "items": [],
    }  # fmt: skip
    assert compared(api, used)["compared"] == 3 and api.get(path).json()["items"] == []
    assert there.delete(f"/v2/{name}/app/manifests/missing").status_code == 202
    for tag in ("different", "extra"):
        assert oci.push(there, f"{name}/app", tag, oci.image()).status_code == 201
    assert api.get(path).json()["items"] == [], "what was found last"
    found = {row["tag"]: row for row in compared(api, used)["items"]}
    assert {tag: row["state"] for tag, row in found.items()} == {
        "missing": "missing",
        "different": "different",
        "extra": "extra",
    }
    assert found["missing"]["source_digest"] == images["missing"].digest
    assert found["missing"]["destination"] == f"{name}/app"
    for body, left in (({}, {"extra"}), ({"delete": True}, set())):
        started = api.post(path, json=body)
        assert started.status_code == 201, started.text
        assert ended(api, started.headers["Location"])["status"] == "Succeed", logs(api, started.headers["Location"])
        assert {row["tag"] for row in compared(api, used)["items"]} == left
    assert digest(there, f"{name}/app", "different") == images["different"].digest
    assert api.get(path).json()["status"] == "Succeed"


def test_several_rules_are_compared_at_once_and_stopped(
    api: httpx.Client, there: httpx.Client, far: Stack, door: Upstream
) -> None:
    name = project(api)
    assert oci.push(api, f"{name}/app", "1", oci.image()).status_code == 201
    quick = policy(api, dest_registry={"id": registry(api, "harbor", far.url, far.admin)}, filters=named(f"{name}/**"))
    busy = policy(
        api, src_registry={"id": registry(api, "docker-registry", door.url, LOGIN)}, filters=named(f"{name}/never")
    )
    door.fail(503, **{"Retry-After": "20"})
    try:
        body = {"policy_ids": [busy, quick]}
        runs = {
            row["policy_id"]: row["execution_id"] for row in api.post("/api/v2.0/replication/drift", json=body).json()
        }
        again = api.post("/api/v2.0/replication/drift", json={"policy_ids": [busy]}).json()
        assert again == [{"policy_id": busy, "execution_id": runs[busy]}], "one is enough"
        path = "/api/v2.0/replication/policies/{}/drift"
        wait_until(lambda: api.get(path.format(quick)).json()["status"] == "Succeed", 60, "the other not to wait")
        assert api.get(path.format(quick)).json()["missing"] == 1
        assert api.get(path.format(busy)).json()["status"] == "InProgress"
        assert api.delete(path.format(busy)).status_code == 200
        wait_until(lambda: api.get(path.format(busy)).json()["status"] == "Stopped", 15, "it to be stopped")
    finally:
        door.behave()
    rows = {row["policy_id"]: row for row in api.get("/api/v2.0/replication/drift?page_size=100").json()}
    assert rows[quick]["missing"] == 1 and "taken_time" not in rows[busy]

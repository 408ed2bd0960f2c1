"""Every role twice: whichever process is killed under load, pulls go on, no push is lost and no job runs twice.

Takes minutes. What stands for the orchestrator is in tests/support/cluster.py.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.support import oci
from tests.support.cluster import Cluster
from tests.support.services import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
PULLERS, PUSHERS = 3, 2
CALM_SECONDS = 3.0
PURGE = "/api/v2.0/system/purgeaudit/schedule"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    try:
        yield made.start()
    finally:
        made.stop()


@dataclass
class Load:
    """Clients that pull and push without a pause. ``failed`` pulls with the time and what was said."""

    cluster: Cluster
    known: list[tuple[str, str, oci.Image]]
    pulls: int = 0
    failed: list[tuple[float, str]] = field(default_factory=list)
    pushed: list[tuple[str, str, oci.Image]] = field(default_factory=list)
    retries: int = 0
    wrong: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self._threads = [threading.Thread(target=self._pull, args=(number,)) for number in range(PULLERS)]
        self._threads += [threading.Thread(target=self._push, args=(number,)) for number in range(PUSHERS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(120)
        assert not any(thread.is_alive() for thread in self._threads)

    def _pull(self, number: int) -> None:
        turn = number
        with self.cluster.client() as client:
            token = bearer(client, "library/known")
            while not self._over.is_set():
                name, tag, image = self.known[turn % len(self.known)]
                turn += 1
                try:
                    self._pull_once(client, token, name, tag, image)
                except httpx.TransportError as error:
                    self.failed.append((time.monotonic(), repr(error)))

    def _pull_once(self, client: httpx.Client, token: dict[str, str], name: str, tag: str, image: oci.Image) -> None:
        manifest = client.get(f"/v2/{name}/manifests/{tag}", headers=token, auth=None)
        blob = client.get(f"/v2/{name}/blobs/{oci.digest_of(image.layer)}", headers=token, auth=None)
        self.pulls += 1
        for answer, content in ((manifest, image.manifest), (blob, image.layer)):
            if answer.status_code >= 500:
                self.failed.append((time.monotonic(), f"{answer.status_code} {answer.text[:200]}"))
            elif answer.status_code != 200 or answer.content != content:
                self.wrong.append(f"{answer.request.url}: {answer.status_code} {answer.text[:200]}")

    def _push(self, number: int) -> None:
        turn = 0
        with self.cluster.client() as client:
            while not self._over.is_set():
                turn += 1
                name, tag, image = f"library/pushed-{number}", f"v{turn}", oci.image(20_000)
                while not self._pushed(client, name, tag, image):
                    self.retries += 1
                    if self._over.wait(0.2):
                        return
                self.pushed.append((name, tag, image))

    def _pushed(self, client: httpx.Client, name: str, tag: str, image: oci.Image) -> bool:
        """As clients do, an image whose push failed is pushed again from the start."""
        try:
            for content in (image.config, image.layer):
                opened = client.post(f"/v2/{name}/blobs/uploads/")
                if opened.status_code >= 500:
                    return False
                done = client.put(f"{opened.headers['Location']}&digest={oci.digest_of(content)}", content=content)
                if done.status_code != 201:
                    if done.status_code not in (404, 416) and done.status_code < 500:
                        self.wrong.append(f"{done.request.url}: {done.status_code} {done.text[:200]}")
                    return False
            stored = oci.put_manifest(client, name, tag, image.manifest)
            if stored.status_code not in (201, *range(500, 600)):
                self.wrong.append(f"{stored.request.url}: {stored.status_code} {stored.text[:200]}")
            return stored.status_code == 201
        except httpx.TransportError:
            return False


def bearer(client: httpx.Client, *repositories: str) -> dict[str, str]:
    scopes = [("scope", f"repository:{name}:pull") for name in repositories]
    answer = client.get("/service/token", params=[("service", "harbor-registry"), *scopes])
    answer.raise_for_status()
    return {"Authorization": f"Bearer {answer.json()['token']}"}


@pytest.fixture(scope="module")
def known(cluster: Cluster) -> list[tuple[str, str, oci.Image]]:
    """Images that are there from the beginning."""
    made = []
    with cluster.client() as client:
        for number in range(5):
            image = oci.image(50_000)
            assert oci.push(client, "library/known", f"v{number}", image).status_code == 201
            made.append(("library/known", f"v{number}", image))
    return made


@pytest.fixture(scope="module")
def load(cluster: Cluster, known: list[tuple[str, str, oci.Image]]) -> Iterator[Load]:
    with cluster.client() as client:
        parameters = {"audit_retention_hour": 240_000, "include_event_types": "pull_artifact", "dry_run": True}
        body = {"schedule": {"type": "Custom", "cron": "0 * * * * *"}, "parameters": parameters}
        assert client.post(PURGE, json=body).status_code == 201
    running = Load(cluster, known)
    running.start()
    yield running
    running.stop()


def start_jobs(cluster: Cluster, number: int) -> list[str]:
    runs = []
    body = {"schedule": {"type": "Manual"}, "parameters": {"dry_run": True}}
    with cluster.client() as client:
        for _ in range(number):
            answer = client.post("/api/v2.0/system/gc/schedule", json=body)
            if answer.status_code == 201:
                runs.append(answer.headers["Location"])
    return runs


COPIES = [f"{role}-{number}" for role in ("core", "registry", "gateway", "worker", "beat") for number in (1, 2)]


@pytest.mark.parametrize("victim", [*COPIES, "sentinel-1", "redis-2", "redis-1"])
def test_a_process_is_killed(cluster: Cluster, load: Load, victim: str) -> None:
    """What was under way on it may fail, once per client; nothing after that does."""
    runs = start_jobs(cluster, 3)
    assert runs
    before, pulls = len(load.failed), load.pulls
    cluster.kill(victim)
    killed = time.monotonic()
    wait_until(lambda: time.monotonic() - killed > CALM_SECONDS and load.pulls > pulls + 20, 60, "clients to go on")
    failures = load.failed[before:]
    # A client's request to the balancer's next choice may meet the same dead copy once.
    assert len(failures) <= PULLERS, failures
    cluster.revive(victim)
    wait_until(cluster.is_healthy, 60, f"the cluster to be healthy with {victim} again")
    with cluster.client() as client:
        wait_until(lambda: all(_status(client, run) == "Success" for run in runs), 90, "the jobs to end")
    assert load.wrong == []


def _status(client: httpx.Client, run: str) -> str:
    try:
        return str(client.get(run).json()["job_status"])
    except (httpx.HTTPError, ValueError, KeyError):
        return "unknown"


def test_the_database_is_killed(cluster: Cluster, load: Load) -> None:
    """Requests wait or are told to come again; nothing wrong is said, and nothing that was taken is lost."""
    cluster.postgres.crash()
    wait_until(lambda: load.retries or load.failed, 30, "clients to notice")
    cluster.postgres.launch()
    wait_until(cluster.is_healthy, 60, "the cluster to be healthy with its database again")
    pushed = len(load.pushed)
    wait_until(lambda: len(load.pushed) > pushed + 3, 60, "pushes to go on")
    assert load.wrong == []


def test_nothing_was_lost_and_nothing_ran_twice(cluster: Cluster, load: Load) -> None:
    load.stop()
    assert load.wrong == [] and load.pulls > 200 and len(load.pushed) > 20
    with cluster.client() as client:
        for name, tag, image in load.pushed:
            manifest = client.get(f"/v2/{name}/manifests/{tag}")
            assert (manifest.status_code, manifest.content) == (200, image.manifest), (name, tag)
            blob = client.get(f"/v2/{name}/blobs/{oci.digest_of(image.layer)}")
            assert blob.content == image.layer
        runs = _scheduled(client)
        client.post(PURGE, json={"schedule": {"type": "None"}})
    minutes = Counter(run["creation_time"][:16] for run in runs)
    assert minutes and set(minutes.values()) == {1}, minutes
    assert {run["job_status"] for run in runs} <= {"Success", "Running", "Pending"}
    assert "0 violations" in cluster.manage("verify", "--quiet-leftovers")


def _scheduled(client: httpx.Client) -> list[dict[str, Any]]:
    """Runs that the clock started."""
    every = client.get("/api/v2.0/system/purgeaudit", params={"page_size": 100}).json()
    return [run for run in every if run["job_kind"] == "SCHEDULE"]

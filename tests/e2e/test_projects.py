"""Projects that go and come while others push into them, through the front door."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from tests.e2e import people
from tests.e2e.people import Role
from tests.support import oci
from tests.support.stack import Stack

SECONDS = 4.0


class Crew:
    """Threads that call again and again until told to stop; what they were answered is counted by status."""

    def __init__(self) -> None:
        self.statuses: dict[str, Counter[int]] = {}
        self.problems: list[BaseException] = []
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, name: str, call: Callable[[], int]) -> None:
        self.statuses[name] = Counter()

        def run() -> None:
            while not self._stop.is_set():
                try:
                    self.statuses[name][call()] += 1
                except BaseException as problem:
                    self.problems.append(problem)
                    return

        self._threads.append(threading.Thread(target=run))

    @contextmanager
    def working(self) -> Any:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(60)
        assert not self.problems, self.problems
        # 503: the storage registry lost the upload under its hands; a client asks again and hears what became of it.
        seen = {status for counter in self.statuses.values() for status in counter}
        assert not {status for status in seen if status >= 500} - {503}, self.statuses


def pushed(stack: Stack, auth: people.Account, repository: str) -> int:
    """The first status that ends a push of one small image, each request with a fresh token's rights."""
    image = oci.image(200)
    with stack.client(auth=auth) as client:
        for content in (image.config, image.layer):
            opened = client.post(f"/v2/{repository}/blobs/uploads/")
            if opened.status_code != 202:
                return opened.status_code
            location = opened.headers["Location"]
            url = f"{location}{'&' if '?' in location else '?'}digest={oci.digest_of(content)}"
            done = client.put(url, content=content)
            if done.status_code != 201:
                return done.status_code
        return oci.put_manifest(client, repository, "1.0", image.manifest).status_code


def test_a_project_goes_during_pushes_and_comes_again(stack: Stack) -> None:
    """No answer is a failure of ours, and what stays behind belongs to no later project of the name."""
    name = f"p{uuid.uuid4().hex[:10]}"
    crew = Crew()
    with stack.api() as api:

        def create() -> int:
            return api.post("/api/v2.0/projects", json={"project_name": name}).status_code

        assert create() == 201
        for number in range(3):
            crew.start(f"push {number}", lambda number=number: pushed(stack, stack.admin, f"{name}/app-{number}"))
        lives = 0
        with crew.working():
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                for row in api.get(f"/api/v2.0/projects/{name}/repositories").json():
                    if isinstance(row, dict):
                        answer = api.delete(f"/api/v2.0/projects/{name}/repositories/{row['name'].split('/')[1]}")
                        assert answer.status_code in (200, 404), answer.text
                deleted = api.delete(f"/api/v2.0/projects/{name}")
                assert deleted.status_code in (200, 404, 412), deleted.text
                lives += deleted.status_code == 200
                assert create() in (201, 409)
        assert lives > 0, crew.statuses
        stack.manage("verify", "--quiet-leftovers")
        for row in api.get(f"/api/v2.0/projects/{name}/repositories").json():
            api.delete(f"/api/v2.0/projects/{name}/repositories/{row['name'].split('/')[1]}")
        assert api.delete(f"/api/v2.0/projects/{name}").status_code == 200
        left = stack.storage_root / "docker/registry/v2/repositories" / name
        assert create() == 201
        assert not left.exists() or not list(left.rglob("link"))


def test_an_upload_does_not_outlive_its_project(stack: Stack) -> None:
    name = people.project(stack)
    content = b"x" * 1000
    with stack.api() as api:
        opened = api.post(f"/v2/{name}/app/blobs/uploads/")
        chunk = api.patch(opened.headers["Location"], content=content)
        assert chunk.status_code == 202
        assert api.delete(f"/api/v2.0/projects/{name}").status_code == 200
        assert api.post("/api/v2.0/projects", json={"project_name": name}).status_code == 201
        location = chunk.headers["Location"]
        url = f"{location}{'&' if '?' in location else '?'}digest={oci.digest_of(content)}"
        assert api.put(url).status_code == 404
        assert api.head(f"/v2/{name}/app/blobs/{oci.digest_of(content)}").status_code == 404


def test_roles_change_during_requests(stack: Stack) -> None:
    """Whatever the order, an answer is yes or no, and the last word counts."""
    name, who = people.project(stack), people.account(stack)
    member = people.member(stack, name, who, Role.GUEST)
    path = f"/api/v2.0/projects/{name}/members/{member}"
    crew = Crew()

    def describe() -> int:
        with stack.client(auth=who) as client:
            return client.put(f"/api/v2.0/projects/{name}", json={"metadata": {"auto_scan": "true"}}).status_code

    def look() -> int:
        with stack.client(auth=who) as client:
            return client.get(f"/api/v2.0/projects/{name}/members").status_code

    crew.start("change", describe)
    crew.start("look", look)
    crew.start("push", lambda: pushed(stack, who, f"{name}/app"))
    with stack.api() as api, crew.working():
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for role in (Role.PROJECT_ADMIN, Role.GUEST, Role.DEVELOPER):
                assert api.put(path, json={"role_id": role}).status_code == 200
    assert set(crew.statuses["look"]) == {200}
    assert set(crew.statuses["change"]) == {200, 403}
    assert set(crew.statuses["push"]) <= {201, 401}
    with stack.api() as api:
        assert api.delete(path).status_code == 200
    assert describe() == look() == 403


def test_one_name_for_many_at_once(stack: Stack) -> None:
    """Of projects, users, members, groups and registries: one is made, the others are told so."""
    name, who = f"p{uuid.uuid4().hex[:10]}", people.account(stack)
    user = {"username": f"u{name}", "realname": "U", "password": "Passw0rd-1"}
    calls = [
        ("/api/v2.0/projects", {"project_name": name}),
        ("/api/v2.0/users", user),
        (f"/api/v2.0/projects/{people.project(stack)}/members", {"role_id": 2, "member_user": {"username": who[0]}}),
        (f"/api/v2.0/projects/{people.project(stack)}/webhook/policies", hook(name)),
        ("/api/v2.0/registries", {"name": name, "type": "docker-registry", "url": stack.url}),
    ]
    for path, body in calls:
        statuses = at_once(stack, path, body, 5)
        assert sorted(statuses) == [201, 409, 409, 409, 409], (path, statuses)


def hook(name: str) -> dict[str, object]:
    target = {"type": "http", "address": "https://hook.example/"}
    return {"name": name, "enabled": True, "event_types": ["PUSH_ARTIFACT"], "targets": [target]}


def at_once(stack: Stack, path: str, body: dict[str, object], number: int) -> list[int]:
    barrier = threading.Barrier(number)
    statuses: list[int] = []

    def run() -> None:
        with stack.api() as client:
            client.get("/api/v2.0/ping")
            barrier.wait(30)
            statuses.append(client.post(path, json=body).status_code)

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return statuses

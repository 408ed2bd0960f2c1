"""A part of the registry is away: what does not need it goes on, what does is told to come back later."""

import time
import uuid
from collections.abc import Iterator

import httpx
import pytest

from tests.faults.breaking import assert_whole, down, frozen
from tests.support import oci
from tests.support.services import Postgres, Redis, wait_until
from tests.support.stack import Stack


def repository() -> str:
    return f"library/{uuid.uuid4().hex[:12]}"


@pytest.fixture
def redis() -> Iterator[Redis]:
    server = Redis()
    yield server
    server.stop()


def everything_but_jobs_works(stack: Stack, session: httpx.Client) -> None:
    """Sign in, push, pull, API, and the session of somebody who had signed in before."""
    name, image = repository(), oci.image()
    token = stack.token(f"repository:{name}:pull,push")
    with stack.client(timeout=20) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        assert oci.push(client, name, "1.0", image).status_code == 201
        for digest in (oci.digest_of(image.config), oci.digest_of(image.layer)):
            assert client.get(f"/v2/{name}/blobs/{digest}").status_code == 200
    assert_whole(stack, name, "1.0", image)
    with stack.api() as client:
        assert client.get("/api/v2.0/projects").status_code == 200
        project = f"p{uuid.uuid4().hex[:10]}"
        assert client.post("/api/v2.0/projects", json={"project_name": project}).status_code == 201
        assert client.delete(f"/api/v2.0/projects/{project}").status_code == 200
    assert session.get("/api/v2.0/users/current").json()["username"] == stack.admin[0]
    with stack.client() as other:
        sign_in(stack, other)
        assert other.get("/api/v2.0/users/current").json()["username"] == stack.admin[0]
        wrong = other.get("/service/token?service=harbor-registry", auth=(stack.admin[0], "wrong"))
        assert wrong.status_code == 401


def sign_in(stack: Stack, client: httpx.Client) -> None:
    name, password = stack.admin
    refused = client.post("/c/login")
    assert refused.status_code == 403
    headers = {"X-Harbor-CSRF-Token": refused.headers["X-Harbor-CSRF-Token"]}
    answer = client.post("/c/login", data={"principal": name, "password": password}, headers=headers)
    assert answer.status_code == 200, answer.text


@pytest.mark.slow
def test_redis_stopped(redis: Redis) -> None:
    with Stack() as stack:
        stack.start(database="postgres", HARBOR_REDIS_URL=redis.url)
        with stack.client() as session:
            sign_in(stack, session)
            everything_but_jobs_works(stack, session)
            redis.stop()
            everything_but_jobs_works(stack, session)
            health = session.get("/api/v2.0/health").json()
            states = {part["name"]: part["status"] for part in health["components"]}
            assert health["status"] == "unhealthy"
            assert (states["redis"], states["core"], states["database"]) == ("unhealthy", "healthy", "healthy")
        assert "0 violations" in stack.manage("verify", "--quiet-leftovers")


@pytest.mark.slow
def test_redis_that_does_not_answer(redis: Redis) -> None:
    """Worse than gone: every call waits. It costs little, and all is well again when it wakes up."""
    with Stack() as stack:
        stack.start(database="sqlite", HARBOR_REDIS_URL=redis.url)
        with stack.client() as session:
            sign_in(stack, session)
            with frozen(redis.pid):
                started = time.monotonic()
                everything_but_jobs_works(stack, session)
                assert time.monotonic() - started < 30
            wait_until(stack.is_ready, 60, "the stack to be healthy again")
            everything_but_jobs_works(stack, session)


@pytest.mark.slow
def test_registry_down(victim: Stack) -> None:
    name, image, other = repository(), oci.image(), oci.image()
    with victim.api() as client:
        assert oci.push(client, name, "1.0", image).status_code == 201
        opened = client.post(f"/v2/{name}/blobs/uploads/").headers["Location"]
        with down(victim, "registry"):
            assert_whole(victim, name, "1.0", image)
            assert client.head(f"/v2/{name}/blobs/{oci.digest_of(image.layer)}").status_code == 200
            assert oci.put_manifest(client, name, "2.0", image.manifest).status_code == 201
            assert client.get(f"/v2/{name}/tags/list").json()["tags"] == ["1.0", "2.0"]
            assert client.get(f"/v2/{name}/referrers/{image.digest}").status_code == 200
            assert client.delete(f"/v2/{name}/manifests/2.0").status_code == 202
            assert client.get(f"/api/v2.0/projects/library/repositories/{name.partition('/')[2]}").status_code == 200
            health = client.get("/api/v2.0/health").json()
            assert {part["name"] for part in health["components"] if part["status"] != "healthy"} == {"registry"}
            # Opening a session needs no registry on a file system; every byte does.
            fresh = client.post(f"/v2/{name}/blobs/uploads/")
            assert fresh.status_code == 202, fresh.text
            for answer in (
                client.patch(fresh.headers["Location"], content=other.layer),
                client.post(f"/v2/{name}2/blobs/uploads/?mount={oci.digest_of(image.layer)}&from={name}"),
                client.patch(opened, content=other.layer),
                client.put(f"{opened}&digest={oci.digest_of(other.layer)}", content=other.layer),
            ):
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["Retry-After"]) > 0
                assert answer.json()["errors"][0]["code"] in ("UNAVAILABLE", "SERVICE_UNAVAILABLE")
        # The session that was open before is still good.
        assert client.put(f"{opened}&digest={oci.digest_of(other.layer)}", content=other.layer).status_code == 201
        assert oci.push(client, name, "3.0", other).status_code == 201
    assert_whole(victim, name, "3.0", other)


@pytest.mark.slow
def test_core_down(victim: Stack) -> None:
    """A token whose decision the gateway knows still reads for a few seconds; everything else is told when to retry."""
    name, image = repository(), oci.image()
    token = victim.token(f"repository:{name}:pull,push")
    with victim.client() as client:
        client.headers["Authorization"] = f"Bearer {token}"
        assert oci.push(client, name, "1.0", image).status_code == 201
        path = f"/v2/{name}/blobs/{oci.digest_of(image.layer)}"
        assert client.get(path).status_code == 200
        with down(victim, "core"):
            assert client.get(path).content == image.layer
            for answer in (
                client.get(f"/v2/{name}/manifests/1.0"),
                client.head(path),
                client.post(f"/v2/{name}/blobs/uploads/"),
                client.get("/api/v2.0/projects"),
                client.get("/service/token?service=harbor-registry"),
            ):
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["Retry-After"]) > 0
        assert client.get(f"/v2/{name}/manifests/1.0").status_code == 200


@pytest.mark.slow
def test_database_gone() -> None:
    """503 with a time to come back on every surface, never a wrong answer; bytes for a known token still flow."""
    database, name, image = Postgres(), repository(), oci.image()
    with Stack() as stack:
        stack.start(database="sqlite", HARBOR_DATABASE_URL=database.url("gone"))
        token = stack.token(f"repository:{name}:pull,push,delete")
        with stack.client(timeout=20) as client:
            client.headers["Authorization"] = f"Bearer {token}"
            assert oci.push(client, name, "1.0", image).status_code == 201
            opened = client.post(f"/v2/{name}/blobs/uploads/").headers["Location"]
            path = f"/v2/{name}/blobs/{oci.digest_of(image.layer)}"
            assert client.get(path).status_code == 200
            database.stop()
            assert client.get(path).content == image.layer
            for answer in (
                client.get(f"/v2/{name}/manifests/1.0"),
                client.get(f"/v2/{name}/tags/list"),
                client.post(f"/v2/{name}/blobs/uploads/"),
                client.patch(opened, content=b"x"),
                client.put(f"/v2/{name}/manifests/2.0", content=image.manifest),
                client.delete(f"/v2/{name}/manifests/1.0"),
                client.get("/service/token?service=harbor-registry", auth=stack.admin),
                client.get("/api/v2.0/projects", auth=stack.admin),
                client.get("/api/v2.0/projects", headers={"Authorization": ""}),
            ):
                assert answer.status_code == 503, (answer.request.url, answer.status_code, answer.text)
                assert int(answer.headers["Retry-After"]) > 0, answer.request.url
                assert answer.json()["errors"][0]["message"]
            for path in ("/", "/account/sign-in", "/harbor/projects"):
                page = client.get(path, headers={"Authorization": ""})
                assert page.status_code < 500 or (page.status_code == 503 and page.headers["Retry-After"]), page.text
            health = client.get("/api/v2.0/health", headers={"Authorization": ""})
            states = {part["name"]: part["status"] for part in health.json()["components"]}
            assert (health.status_code, states["database"]) == (200, "unhealthy")


@pytest.mark.slow
@pytest.mark.parametrize("role", ["worker", "beat"])
def test_jobs_down(victim: Stack, role: str) -> None:
    name, image = repository(), oci.image()
    with down(victim, role), victim.api() as client:
        assert oci.push(client, name, "1.0", image).status_code == 201
        assert_whole(victim, name, "1.0", image)

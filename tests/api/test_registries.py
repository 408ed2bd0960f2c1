"""``/registries`` and ``/replication/adapters`` against docker-registry processes."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.db import connection

from harbor_core.lib import crypto
from harbor_core.models import AuditLog
from projects.models import Label, Project
from replication.adapters.base import Endpoint, UnhealthyError
from replication.adapters.docker_registry import DockerRegistry
from replication.models import Registry
from replication.services import registries as services
from tests.cast import World
from tests.support.remote import RemoteRegistry
from tests.support.services import free_port

LOGIN = ("robot", "Secret-pass-1")


@pytest.fixture(scope="module")
def open_registry() -> Iterator[RemoteRegistry]:
    registry = RemoteRegistry()
    yield registry
    registry.stop()


@pytest.fixture(scope="module")
def closed_registry() -> Iterator[RemoteRegistry]:
    registry = RemoteRegistry(LOGIN)
    yield registry
    registry.stop()


def basic(name: str = LOGIN[0], secret: str = LOGIN[1]) -> dict[str, str]:
    return {"type": "basic", "access_key": name, "access_secret": secret}


def new(registry: RemoteRegistry, **more: Any) -> dict[str, Any]:
    return {"name": "other", "type": "docker-registry", "url": registry.url} | more


def post(world: World, body: dict[str, Any]) -> Any:
    return world.api("sysadmin", "POST", "registries", body)


def message(response: Any) -> str:
    return str(response.json()["errors"][0]["message"])


def test_life_of_a_registry(world: World, closed_registry: RemoteRegistry) -> None:
    made = post(world, new(closed_registry, credential=basic(), description="Übersee ☃"))
    row = Registry.objects.get()
    assert (made.status_code, made.content) == (201, b"")
    assert made["Location"] == f"/api/v2.0/registries/{row.pk}"
    seen = world.api("sysadmin", "GET", made["Location"]).json()
    assert seen.pop("creation_time").endswith("Z") and seen.pop("update_time").endswith("Z")
    assert seen == {
        "id": row.pk,
        "name": "other",
        "type": "docker-registry",
        "url": closed_registry.url,
        "description": "Übersee ☃",
        "status": "healthy",
        "credential": {"type": "basic", "access_key": "robot", "access_secret": "*****"},
    }
    changed = world.api("sysadmin", "PUT", made["Location"], {"name": "renamed", "access_secret": "*****"})
    assert changed.status_code == 200
    row.refresh_from_db()
    assert (row.name, row.description, crypto.decrypt(row.access_secret)) == ("renamed", "Übersee ☃", LOGIN[1])
    assert world.api("sysadmin", "DELETE", made["Location"]).status_code == 200
    for verb, body in (("GET", None), ("PUT", {"name": "x"}), ("DELETE", None)):
        assert world.api("sysadmin", verb, made["Location"], body).status_code == 404
    operations = AuditLog.objects.filter(resource_type="registry").values_list("operation", flat=True)
    assert sorted(operations) == ["create", "delete", "update"]


def test_secrets_are_nowhere_in_clear(world: World, closed_registry: RemoteRegistry) -> None:
    post(world, new(closed_registry, credential=basic()))
    row = Registry.objects.get()
    assert LOGIN[1] not in row.access_secret
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM harbor_replication_registry")
        assert LOGIN[1] not in repr(cursor.fetchall())
    for path in ("registries", f"registries/{row.pk}"):
        assert LOGIN[1].encode() not in world.api("sysadmin", "GET", path).content
    assert LOGIN[1] not in repr(list(AuditLog.objects.values_list()))


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": ""}, 400),
        ({"name": "x" * 65}, 400),
        ({"name": "x" * 64}, 201),
        ({"type": "nonsense"}, 400),
        ({"type": ""}, 400),
        ({"url": ""}, 400),
        ({"url": "ftp://example.org"}, 400),
        ({"url": "http://user:secret@127.0.0.1"}, 400),
        ({"url": "http://"}, 400),
        ({"url": "http://127.0.0.1:99999"}, 400),
        ({"url": "http://127.0.0.1:0"}, 400),
        ({"url": "http://127.0.0.1/a b"}, 400),
        ({"url": "http://127.0.0.1:1/"}, 400),
        ({"url": "http://[::1"}, 400),
        ({"url": "http://nowhere.invalid"}, 400),
        ({"url": 7}, 422),
        ({"insecure": "yes"}, 422),
        ({"credential": {"type": "magic"}}, 400),
        ({"credential": {"access_secret": "x" * 20_000}}, 400),
        ({"credential": "robot:secret"}, 422),
        ({"ca_certificate": "nonsense"}, 400),
        ({"unknown": 1, "id": 7, "status": "x"}, 201),
    ],
)
def test_rules(world: World, open_registry: RemoteRegistry, change: dict[str, Any], status: int) -> None:
    assert post(world, new(open_registry) | change).status_code == status
    assert Registry.objects.count() == (status == 201)


def test_an_address_is_kept_in_one_form(world: World, open_registry: RemoteRegistry) -> None:
    assert post(world, new(open_registry, url=f"  127.0.0.1:{open_registry.port}/ ")).status_code == 201
    assert Registry.objects.get().url == open_registry.url


def test_a_name_is_there_once(world: World, open_registry: RemoteRegistry) -> None:
    assert post(world, new(open_registry)).status_code == 201
    assert post(world, new(open_registry)).status_code == 409
    second = post(world, new(open_registry, name="second"))
    assert world.api("sysadmin", "PUT", second["Location"], {"name": "other"}).status_code == 409


# ---------------------------------------------------------------------- is it there
@pytest.mark.parametrize(
    ("credential", "status"),
    [(None, 201), (basic(), 201), (basic(secret="wrong"), 400), (basic(name="nobody"), 400)],
)
def test_credentials_are_tried(world: World, closed_registry: RemoteRegistry, credential: Any, status: int) -> None:
    made = post(world, new(closed_registry, credential=credential))
    assert made.status_code == status
    if status == 400:
        assert "credentials" in message(made)


def test_ping(world: World, closed_registry: RemoteRegistry, open_registry: RemoteRegistry) -> None:
    def ping(**body: Any) -> int:
        return world.api("sysadmin", "POST", "registries/ping", body).status_code

    post(world, new(closed_registry, credential=basic()))
    row = Registry.objects.get()
    flat = {"credential_type": "basic", "access_key": LOGIN[0], "access_secret": LOGIN[1]}
    assert ping(type="docker-registry", url=closed_registry.url, **flat) == 200
    assert ping(type="docker-registry", url=closed_registry.url, **flat | {"access_secret": "wrong"}) == 400
    assert ping(type="harbor", url=closed_registry.url) == 400
    assert ping(type="docker-registry") == ping(url=closed_registry.url) == ping() == 400
    assert ping(id=row.pk) == ping(id=row.pk, access_secret="*****") == 200
    assert ping(id=row.pk, access_secret="wrong") == 400
    assert ping(id=row.pk, url=open_registry.url) == 400  # the stored secret does not go there
    assert ping(id=row.pk, url=open_registry.url, access_secret="new") == 200
    assert ping(id=row.pk + 1) == 404
    assert ping(id=0, type="docker-registry", url=open_registry.url) == 200
    row.refresh_from_db()
    assert (row.url, crypto.decrypt(row.access_secret)) == (closed_registry.url, LOGIN[1])


def test_a_change_is_tried_before_it_is_stored(
    world: World, closed_registry: RemoteRegistry, open_registry: RemoteRegistry
) -> None:
    path = post(world, new(closed_registry, credential=basic()))["Location"]

    def put(**body: Any) -> int:
        return world.api("sysadmin", "PUT", path, body).status_code

    assert put(access_secret="wrong") == 400
    assert put(url=f"http://127.0.0.1:{free_port()}", access_secret=LOGIN[1]) == 400
    assert put(url=open_registry.url) == 400
    assert "access_secret" in message(world.api("sysadmin", "PUT", path, {"url": open_registry.url}))
    row = Registry.objects.get()
    assert (row.url, crypto.decrypt(row.access_secret)) == (closed_registry.url, LOGIN[1])
    assert put(url=open_registry.url, access_secret="", access_key="", credential_type="") == 200
    row.refresh_from_db()
    assert (row.url, row.access_key, row.access_secret) == (open_registry.url, "", "")
    assert "credential" not in world.api("sysadmin", "GET", path).json()


def test_one_that_is_down_can_still_be_renamed(world: World) -> None:
    row = Registry.objects.create(name="down", type="docker-registry", url=f"http://127.0.0.1:{free_port()}")
    path = f"registries/{row.pk}"
    assert world.api("sysadmin", "PUT", path, {"name": "gone", "url": row.url}).status_code == 200
    assert world.api("sysadmin", "PUT", path, {"insecure": True}).status_code == 400


def test_a_secret_of_a_lost_key_can_be_given_again(world: World, closed_registry: RemoteRegistry) -> None:
    row = Registry.objects.create(
        name="old", type="docker-registry", url=closed_registry.url, access_key=LOGIN[0], access_secret="unreadable"
    )
    path = f"registries/{row.pk}"
    refused = world.api("sysadmin", "POST", "registries/ping", {"id": row.pk})
    assert refused.status_code == 400 and "again" in message(refused)
    assert world.api("sysadmin", "GET", path).json()["credential"]["access_secret"] == "*****"
    assert world.api("sysadmin", "PUT", path, {"access_secret": LOGIN[1]}).status_code == 200
    assert world.api("sysadmin", "POST", "registries/ping", {"id": row.pk}).status_code == 200


def test_health_is_looked_after(world: World, open_registry: RemoteRegistry) -> None:
    up = Registry.objects.create(name="up", type="docker-registry", url=open_registry.url, status="unhealthy")
    down = Registry.objects.create(name="down", type="docker-registry", url=f"http://127.0.0.1:{free_port()}")
    odd = Registry.objects.create(name="odd", type="gone", url=open_registry.url)
    assert services.check_all() == 3
    assert services.check_all() == 0
    statuses = {row["name"]: row["status"] for row in world.api("sysadmin", "GET", "registries").json()}
    assert statuses == {up.name: "healthy", down.name: "unhealthy", odd.name: "unhealthy"}


# ---------------------------------------------------------------------- hostile answers
class Hostile(BaseHTTPRequestHandler):
    """Answers what the test wants; remembers what it was sent."""

    answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
    authorizations: list[str | None] = []

    def do_GET(self) -> None:
        Hostile.authorizations.append(self.headers.get("Authorization"))
        status, headers, body = Hostile.answers.get(self.path.partition("?")[0], (404, {}, b""))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hostile() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    Hostile.answers, Hostile.authorizations = {}, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


CHALLENGE = "www-authenticate"


@pytest.mark.parametrize(
    "answers",
    [
        {"/v2/": (200, {"Content-Type": "text/html"}, b"<html>")},
        {"/v2/": (500, {}, b"")},
        {"/v2/": (401, {}, b"")},
        {"/v2/": (401, {CHALLENGE: "Negotiate"}, b"")},
        {"/v2/": (401, {CHALLENGE: 'Bearer realm="file:///etc/passwd"'}, b"")},
        {"/v2/": (401, {CHALLENGE: "Bearer"}, b"")},
        {"/v2/": (401, {CHALLENGE: 'Bearer realm="http://[::1"'}, b"")},
        {"/v2/": (302, {"Location": "http://169.254.169.254/latest"}, b"")},
        {"/v2/": (401, {CHALLENGE: 'Bearer realm="{url}/token"'}, b""), "/token": (200, {}, b"{")},
        {"/v2/": (401, {CHALLENGE: 'Bearer realm="{url}/token"'}, b""), "/token": (200, {}, b"[]")},
        {"/v2/": (401, {CHALLENGE: 'Bearer realm="{url}/token"'}, b""), "/token": (200, {}, b'{"token": 7}')},
        {"/v2/": (401, {CHALLENGE: 'Bearer realm="{url}/token"'}, b""), "/token": (200, {}, b'{"token":"a\\r\\nb"}')},
        {"/v2/": (401, {CHALLENGE: 'Bearer realm="{url}/token"'}, b""), "/token": (401, {}, b"")},
        {"/v2/": (401, {CHALLENGE: 'Bearer realm="{url}/token"'}, b""), "/token": (200, {}, b"[" * 100_000)},
        {"/v2/": (200, {}, b"x" * 2_000_000)},
    ],
)
def test_answers_that_are_no_registrys(world: World, hostile: str, answers: dict[str, Any]) -> None:
    Hostile.answers = {
        path: (status, {name: value.replace("{url}", hostile) for name, value in headers.items()}, body)
        for path, (status, headers, body) in answers.items()
    }
    body = {"name": "odd", "type": "docker-registry", "url": hostile, "credential": basic()}
    refused = post(world, body)
    assert refused.status_code == 400, refused.content
    assert "unhealthy" in message(refused) and LOGIN[1] not in message(refused)
    assert not Registry.objects.exists()


def test_a_token_is_fetched_and_shown(world: World, hostile: str) -> None:
    """The registry sees the token alone, its token service the credentials."""
    header = f'Bearer realm="{hostile}/token",service="here",scope="x"'
    Hostile.answers = {"/v2/": (401, {CHALLENGE: header}, b""), "/token": (200, {}, b'{"access_token":"abc"}')}
    body = {"name": "odd", "type": "docker-registry", "url": hostile, "credential": basic()}
    assert post(world, body).status_code == 400  # it goes on asking
    first, token, second = Hostile.authorizations
    assert (first, second) == (None, "Bearer abc")
    assert token is not None and token.startswith("Basic ")


def test_a_public_registry_sends_nobody_into_the_private_network(hostile: str) -> None:
    Hostile.answers = {"/token": (200, {}, b'{"token":"abc"}')}
    for own, allowed in (("http://127.0.0.1:1", True), ("http://93.184.215.14", False)):
        asked = DockerRegistry(Endpoint(own, *LOGIN))
        if allowed:
            assert asked.get(f"{hostile.replace('127.0.0.1', 'localhost')}/token").status == 200
        else:
            with pytest.raises(UnhealthyError, match="public internet"):
                asked.get(f"{hostile}/token")
    assert len(Hostile.authorizations) == 1


@pytest.mark.parametrize("answer", [b"Pong\n", b'"Pong"', b"<html>", b""])
def test_harbor_says_pong(world: World, hostile: str, answer: bytes) -> None:
    Hostile.answers = {"/api/v2.0/ping": (200, {}, answer)}
    made = post(world, {"name": "h", "type": "harbor", "url": hostile})
    assert made.status_code == (201 if b"Pong" in answer else 400)


def test_harbor_does_not_tell_when_credentials_are_wrong(world: World, hostile: str) -> None:
    """A wrong password counts as none there: only the answer's content shows it."""
    body = {"name": "h", "type": "harbor", "url": hostile, "credential": basic()}
    Hostile.answers = {
        "/api/v2.0/ping": (200, {}, b"Pong"),
        "/api/v2.0/systeminfo": (200, {}, b'{"auth_mode":"db_auth"}'),
    }
    assert post(world, body).status_code == 400
    Hostile.answers["/api/v2.0/systeminfo"] = (200, {}, b'{"harbor_version":"v2.15.0"}')
    assert post(world, body).status_code == 201


# ---------------------------------------------------------------------- in use
def test_one_with_a_proxy_project_stays(world: World, open_registry: RemoteRegistry) -> None:
    path = post(world, new(open_registry))["Location"]
    body = {"project_name": "cache", "registry_id": Registry.objects.get().pk}
    assert world.api("sysadmin", "POST", "projects", body).status_code == 201
    refused = world.api("sysadmin", "DELETE", path)
    assert refused.status_code == 412 and "cache" in message(refused)
    assert world.api("sysadmin", "DELETE", "projects/cache").status_code == 200
    assert world.api("sysadmin", "DELETE", path).status_code == 200
    assert Project.objects.filter(deleted=True).count() == 1


# ---------------------------------------------------------------------- lists and what can be done
def test_list(world: World) -> None:
    for name, kind in (("b", "harbor"), ("a", "docker-registry"), ("hub", "docker-hub")):
        Registry.objects.create(name=name, type=kind, url=f"https://{name}.example")

    def names(query: str) -> list[str]:
        return [row["name"] for row in world.api("sysadmin", "GET", f"registries?{query}").json()]

    assert names("") == ["b", "a", "hub"]
    assert names("sort=name") == ["a", "b", "hub"]
    assert names("name=U") == ["hub"]
    assert names("q=type%3Dharbor") == ["b"]
    assert names("q=name%3D~u") == ["hub"]
    assert names("q=unknown%3D1&page_size=1&page=2") == ["a"]
    assert world.api("sysadmin", "GET", "registries?page_size=1")["X-Total-Count"] == "3"
    assert world.api("sysadmin", "GET", "registries?page_size=101").status_code == 422


def test_adapters(world: World) -> None:
    kinds = world.api("sysadmin", "GET", "replication/adapters").json()
    assert set(kinds) == {
        *("harbor", "docker-hub", "docker-registry", "quay", "github-ghcr", "gitlab", "jfrog-artifactory"),
        *("google-gcr", "azure-acr", "dtr", "aws-ecr", "ali-acr", "huawei-SWR", "tencent-tcr", "volcengine-cr"),
        "helm-hub",
    }
    infos = world.api("sysadmin", "GET", "replication/adapterinfos").json()
    assert list(infos) == kinds
    assert infos["docker-hub"] == {
        "endpoint_pattern": {
            "endpoint_type": "EndpointPatternTypeFix",
            "endpoints": [{"key": "hub.docker.com", "value": "https://hub.docker.com"}],
        }
    }
    assert infos["harbor"] == infos["docker-registry"] == {}
    assert infos["google-gcr"]["credential_pattern"] == {
        "access_key_type": "AccessKeyTypeFix",
        "access_key_data": "_json_key",
        "access_secret_type": "AccessSecretTypeFile",
        "access_secret_data": "",
    }
    amazon = infos["aws-ecr"]["endpoint_pattern"]
    assert amazon["endpoint_type"] == "EndpointPatternTypeList"
    assert {"key": "us-east-1", "value": "https://api.ecr.us-east-1.amazonaws.com"} in amazon["endpoints"]


def test_what_can_be_done_here(world: World) -> None:
    Label.objects.create(name="prod")
    Label.objects.create(name="team's", project=world.project)
    info = world.api("sysadmin", "GET", "registries/0/info").json()
    assert (info["type"], info["supported_copy_by_chunk"]) == ("harbor", True)
    assert info["supported_triggers"] == ["manual", "scheduled", "event_based"]
    filters = {item["type"]: item for item in info["supported_resource_filters"]}
    assert filters == {
        "name": {"type": "name", "style": "input"},
        "tag": {"type": "tag", "style": "input"},
        "label": {"type": "label", "style": "list", "values": ["prod"]},
        "resource": {"type": "resource", "style": "radio", "values": ["image", "artifact"]},
    }


def test_what_can_be_done_there(world: World, hostile: str) -> None:
    plain = Registry.objects.create(name="plain", type="docker-registry", url=hostile)
    info = world.api("sysadmin", "GET", f"registries/{plain.pk}/info").json()
    assert info["supported_triggers"] == ["manual", "scheduled"]
    assert [item["type"] for item in info["supported_resource_filters"]] == ["name", "tag", "resource"]
    assert "supported_copy_by_chunk" not in info
    labels = json.dumps([{"name": "x"}, {"nothing": 1}, 7]).encode()
    Hostile.answers = {"/api/v2.0/labels": (200, {}, labels)}
    other = Registry.objects.create(name="other", type="harbor", url=hostile)

    def label_values() -> list[str]:
        found = world.api("sysadmin", "GET", f"registries/{other.pk}/info").json()["supported_resource_filters"]
        return next(item for item in found if item["type"] == "label").get("values", [])

    assert label_values() == ["x"]
    Hostile.answers = {}
    assert label_values() == []
    assert world.api("sysadmin", "GET", f"registries/{other.pk + 1}/info").status_code == 404
    assert world.api("sysadmin", "GET", "registries/x/info").status_code == 422

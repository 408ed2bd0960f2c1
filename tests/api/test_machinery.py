"""What every operation shares: errors, bodies, paths, paging, sessions."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.handlers.wsgi import WSGIRequest
from django.db import OperationalError
from django.test import Client, RequestFactory
from django.utils import timezone

from harbor_core.api.system import SystemInfo
from harbor_core.middleware import api_path
from projects.selectors import projects as selectors
from tests.cast import API, PASSWORD, Api, World, configure, make_project, make_user


def error(response: Any) -> str:
    body = json.loads(response.content)
    assert list(body) == ["errors"]
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert body["errors"][0]["message"]
    return body["errors"][0]["code"]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{not json", "application/json", 400, "BAD_REQUEST"),
        (b"[]", "application/json", 400, "BAD_REQUEST"),
        (b"null", "application/json", 400, "BAD_REQUEST"),
        (b'{"project_name":NaN}', "application/json", 400, "BAD_REQUEST"),
        (b"[" * 100_000, "application/json", 400, "BAD_REQUEST"),
        (b'{"project_name":"a\\u0000b"}', "application/json", 400, "BAD_REQUEST"),
        (b'{"project_name":"\\udc00"}', "application/json", 400, "BAD_REQUEST"),
        (b'{"project_name":"\xff"}', "application/json", 400, "BAD_REQUEST"),
        (b'{"project_name":1}', "application/json", 422, "UNPROCESSABLE_ENTITY"),
        (b'{"project_name":"x","metadata":{"public":true}}', "application/json", 422, "UNPROCESSABLE_ENTITY"),
        (b"a=b", "application/x-www-form-urlencoded", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"{}", "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b'{"project_name":"' + b"x" * 4_300_000 + b'"}', "application/json", 413, "REQUEST_ENTITY_TOO_LARGE"),
    ],
)
def test_bodies(api: Api, body: bytes, content_type: str, status: int, code: str) -> None:
    """A body is judged before the caller is."""
    for persona in ("sysadmin", "anonymous"):
        response = api(persona, "POST", "projects", body, headers={"Content-Type": content_type})
        assert (response.status_code, error(response)) == (status, code)


def test_body_with_charset(api: Api) -> None:
    sent = {"Content-Type": "application/json; charset=utf-8"}
    assert api("sysadmin", "POST", "projects", {"project_name": "fresh"}, headers=sent).status_code == 201


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("page_size=100", 200),
        ("page_size=101", 422),
        ("page_size=-1", 422),
        ("page_size=ten", 422),
        ("page=0", 200),
        ("page=-1", 422),
        ("page=1.5", 422),
        ("page=9223372036854775807&page_size=100", 200),
        ("page=9223372036854775808", 422),
        ("q=name", 400),
        ("q=name%3D%5B1", 400),
        ("q=project_id%3Dx", 400),
        ("q=project_id%3D99999999999999999999", 400),
        ("q=name%3D%00", 400),
        ("q=nonsense%3D1", 200),
        ("sort=nonsense,-creation_time", 200),
        ("sort=%00", 400),
        ("public=maybe", 422),
        ("name=%FF", 200),
    ],
)
def test_parameters(api: Api, query: str, status: int) -> None:
    response = api("anonymous", "GET", f"projects?{query}")
    assert response.status_code == status
    if status != 200:
        error(response)


def test_pages(world: World) -> None:
    for number in range(12):
        make_project(f"p{number:02}", world.users["sysadmin"], public=True)
    first = world.api("anonymous", "GET", "projects?page_size=5&q=name%3D~p")
    assert [row["name"] for row in first.json()] == ["p00", "p01", "p02", "p03", "p04"]
    assert first["X-Total-Count"] == "12"
    assert first["Link"] == f'<{API}/projects?page=2&page_size=5&q=name=~p>; rel="next"'
    names, url = [], first["Link"].partition(">")[0].lstrip("<")
    while url:
        page = world.api("anonymous", "GET", url)
        names += [row["name"] for row in page.json()]
        nexts = [part for part in page.get("Link", "").split(" , ") if 'rel="next"' in part]
        url = nexts[0].partition(">")[0].lstrip("<") if nexts else ""
    assert names == [f"p{number:02}" for number in range(5, 12)]
    everything = world.api("anonymous", "GET", "projects?page_size=0&q=name%3D~p&sort=-name")
    assert [row["name"] for row in everything.json()] == [f"p{number:02}" for number in reversed(range(12))]
    assert "Link" not in everything
    behind = world.api("anonymous", "GET", "projects?page=99&q=name%3D~p")
    assert (behind.json(), behind["X-Total-Count"], "Link" in behind) == ([], "12", False)


@pytest.mark.parametrize(
    "path",
    ["/api/v2.0/projects/", "/api/v2.0//projects", "/api//v2.0/projects//", "/api/v2.0/projects/team/metadatas/"],
)
def test_slashes_do_not_matter(api: Api, path: str) -> None:
    assert api("sysadmin", "GET", path).status_code == 200


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/v2.0", "/api/v2.0/", "/api/v1.0/projects", "nothing", "projects/team/nothing"]
)
def test_unknown_paths(api: Api, path: str) -> None:
    response = api("sysadmin", "GET", path)
    if path == "/api":
        assert response.status_code == 404
    else:
        assert (response.status_code, error(response)) == (404, "NOT_FOUND")


@pytest.mark.parametrize("verb", ["PATCH", "PUT", "DELETE", "OPTIONS", "TRACE", "HEAD", "BREW"])
def test_verbs_that_are_not_declared(api: Api, verb: str) -> None:
    response = api("sysadmin", verb, "statistics")
    assert response.status_code == 405
    assert response["Allow"] == "GET"


@pytest.mark.parametrize(
    "path",
    [
        "projects/%00",
        "projects/99999999999999999999999",
        "projects/-1",
        "projects/team%0d%0aX: y",
        "projects/%E2%82%AC",
        "projects/" + "x" * 5000,
        "projects/team/repositories/%252e%252e%252f",
        "projects/team/repositories/%2500/artifacts",
        "projects/team/repositories/%25FF",
        "projects/team/repositories/app/artifacts/sha256:zz",
        "projects/team/repositories/app/artifacts/%00",
        "projects/team/repositories/app/artifacts/" + "a" * 3000,
        "projects/team/members/x",
        "projects/team/members/99999999999999999999",
        "users/0",
        "users/-9223372036854775808",
        "users/1.5",
    ],
)
def test_nothing_in_a_path_is_our_fault(api: Api, path: str) -> None:
    response = api("sysadmin", "GET", path)
    assert 400 <= response.status_code < 500
    error(response)


def _path(raw: str, decoded: str) -> str:
    request: WSGIRequest = RequestFactory().get("/")
    request.path = request.path_info = decoded
    request.META["RAW_URI"] = raw
    seen = []
    api_path(lambda request: seen.append(request.path_info))(request)  # type: ignore[arg-type, return-value]
    return seen[0]


def test_encoded_slashes_belong_to_the_name() -> None:
    """Servers decode a path once; how often the client encoded a slash must not change what it names."""
    once = _path("/api/v2.0/projects/p/repositories/a%2Fb?x=%2F", "/api/v2.0/projects/p/repositories/a/b")
    twice = _path("/api/v2.0/projects/p/repositories/a%252Fb", "/api/v2.0/projects/p/repositories/a%2Fb")
    assert once == twice == "/api/v2.0/projects/p/repositories/a%2Fb"


def test_request_id(api: Api) -> None:
    assert api("anonymous", "GET", "ping", headers={"X-Request-Id": "mine-1"})["X-Request-Id"] == "mine-1"
    made = api("anonymous", "GET", "ping", headers={"X-Request-Id": "bad id"})["X-Request-Id"]
    assert len(made) == 36


def test_read_only(api: Api) -> None:
    configure(read_only=True)
    response = api("sysadmin", "POST", "projects", {"project_name": "fresh"})
    assert (response.status_code, error(response)) == (403, "DENIED")
    assert api("sysadmin", "GET", "projects").status_code == 200


def test_an_unexpected_failure_tells_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any, **options: Any) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(selectors, "statistics", broken)
    with caplog.at_level(logging.ERROR):
        response = api("sysadmin", "GET", "statistics")
    assert (response.status_code, error(response)) == (500, "UNKNOWN")
    assert b"secret" not in response.content
    assert "the secret of the house" in caplog.text


def test_without_a_database(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*args: Any, **options: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(selectors, "statistics", down)
    response = api("sysadmin", "GET", "statistics")
    assert (response.status_code, error(response), response["Retry-After"]) == (503, "SERVICE_UNAVAILABLE", "5")


# ---------------------------------------------------------------------- sessions and CSRF


def signed_in(name: str) -> Client:
    """A browser after ``/c/login``: the first try tells it the CSRF token, as the contract has it."""
    client = Client(enforce_csrf_checks=True)
    form = {"principal": name, "password": PASSWORD}
    refused = client.post("/c/login", form)
    assert refused.status_code == 403
    token = refused["X-Harbor-CSRF-Token"]
    assert client.post("/c/login", form, headers={"X-Harbor-CSRF-Token": token}).status_code == 200
    return client


def test_session_reads_and_needs_a_token_to_write(world: World) -> None:
    client = signed_in("developer")
    seen = client.get(f"{API}/users/current")
    assert seen.json()["username"] == "developer"
    body, kind = {"project_name": "fresh"}, "application/json"
    refused = client.post(f"{API}/projects", body, content_type=kind)
    assert (refused.status_code, error(refused)) == (403, "FORBIDDEN")
    token = refused["X-Harbor-CSRF-Token"]
    made = client.post(f"{API}/projects", body, content_type=kind, headers={"X-Harbor-CSRF-Token": token})
    assert made.status_code == 201


def test_no_token_without_a_session(api: Api) -> None:
    response = api("developer", "GET", "projects")
    assert "X-Harbor-CSRF-Token" not in response
    assert not response.cookies


def test_password_change_ends_other_sessions(world: World) -> None:
    here, there = signed_in("developer"), signed_in("developer")
    token = here.get(f"{API}/users/current")["X-Harbor-CSRF-Token"]
    changed = here.put(
        f"{API}/users/{world.users['developer'].pk}/password",
        {"old_password": PASSWORD, "new_password": "Another-horse-8"},
        content_type="application/json",
        headers={"X-Harbor-CSRF-Token": token},
    )
    assert changed.status_code == 200
    assert here.get(f"{API}/users/current").status_code == 200
    assert there.get(f"{API}/users/current").status_code == 401


def _ends(client: Client) -> Any:
    return Session.objects.get(session_key=client.cookies["sid"].value).expire_date


def _age(client: Client, minutes: int) -> None:
    """As if the session had been written so long ago."""
    session = client.session
    session["renewed"] = session.get("renewed", 0) - minutes * 60
    session.save()
    Session.objects.filter(session_key=session.session_key).update(
        expire_date=timezone.now() + timedelta(minutes=60 - minutes)
    )


def test_session_lives_on_use(world: World) -> None:
    client = signed_in("developer")
    client.get(f"{API}/users/current")
    _age(client, 30)
    early = _ends(client)
    client.get(f"{API}/users/current", headers={"X-Harbor-No-Session-Renewal": "true"})
    assert _ends(client) == early
    response = client.get(f"{API}/users/current")
    assert _ends(client) > early + timedelta(minutes=25)
    assert response.cookies["sid"]["max-age"] == 3600
    late = _ends(client)
    assert not client.get(f"{API}/users/current").cookies.get("sid")  # not written again at once
    assert _ends(client) == late


def test_deleted_user_has_no_session(world: World) -> None:
    client = signed_in("developer")
    world.api("sysadmin", "DELETE", f"users/{world.users['developer'].pk}")
    assert client.get(f"{API}/users/current").status_code == 401


def test_views_cannot_be_cached_by_their_public_answer(api: Api) -> None:
    """The same view serves accounts and strangers."""
    assert "harbor_version" not in api("anonymous", "GET", "systeminfo").json()
    assert api("outsider", "GET", "systeminfo").json()["harbor_version"]
    assert set(SystemInfo.permissions) == {"GET"}


def test_self_registration_needs_a_browser(world: World) -> None:
    body = {"username": "new", "realname": "New", "password": "Passw0rd-1", "email": "n@example.org"}
    assert world.api("anonymous", "POST", "users", body).status_code == 401
    configure(self_registration=True)
    assert world.api("anonymous", "POST", "users", body).status_code == 403
    client = Client(enforce_csrf_checks=True)
    client.cookies["sid"] = "anything"
    token = client.get(f"{API}/systeminfo")["X-Harbor-CSRF-Token"]
    refused = client.post(f"{API}/users", body, content_type="application/json")
    assert refused.status_code == 403
    made = client.post(f"{API}/users", body, content_type="application/json", headers={"X-Harbor-CSRF-Token": token})
    assert made.status_code == 201
    assert not make_user("other").sysadmin_flag

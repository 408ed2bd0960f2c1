"""Sessions, cookies and CSRF (contract 2.4 to 2.6) over a real socket, and what every answer carries."""

import base64
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from harbor_core.models import AuditLog
from harbor_core.services import config
from tests.cast import API, PASSWORD, World, configure
from tests.support.wsgi_server import Answer, WsgiServer

pytestmark = pytest.mark.django_db(transaction=True)
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
UUID_LENGTH = 36


@pytest.fixture
def server(world: World, settings: Any) -> Iterator[WsgiServer]:
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # nothing is collected here
    }
    with WsgiServer() as running:
        yield running


def basic(name: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()


def failure(answer: Answer) -> tuple[str, str]:
    """Code and message of an error, which is JSON on every surface but pages."""
    assert answer.header("Content-Type") == "application/json; charset=utf-8"
    (error,) = json.loads(answer.body)["errors"]
    return error["code"], error["message"]


def dance(server: WsgiServer, method: str, path: str, body: str = "", cookies: str = "", **headers: str) -> Answer:
    """As clients with a session do it: the first try is refused and brings a token and its cookie, the second works."""
    refused = server.request(method, path, body, Cookie=cookies, **headers)
    assert refused.status == 403
    token, cookie = refused.header("X-Harbor-CSRF-Token"), refused.cookie("_gorilla_csrf")
    both = "; ".join(part for part in (cookies, f"_gorilla_csrf={cookie}") if part)
    return server.request(method, path, body, Cookie=both, X_Harbor_CSRF_Token=token, **headers)


def sign_in(server: WsgiServer, name: str) -> Answer:
    form = urlencode({"principal": name, "password": PASSWORD})
    return dance(server, "POST", "/c/login", form, Content_Type=FORM)


# ---------------------------------------------------------------------- signing in


def test_cookies_of_a_sign_in(server: WsgiServer) -> None:
    answer = sign_in(server, "developer")
    assert (answer.status, answer.body) == (200, b"")
    cookies = answer.cookies()
    attributes = {part.strip().lower() for part in cookies["sid"].split(";")[1:]}
    assert {"httponly", "path=/", "samesite=lax", "max-age=3600"} <= attributes
    assert "secure" not in attributes  # the external address of the tests is http
    refused = server.request("POST", "/c/login", "", Content_Type=FORM)
    attributes = {part.strip().lower() for part in refused.cookies()["_gorilla_csrf"].split(";")[1:]}
    assert {"httponly", "path=/", "samesite=strict"} <= attributes
    assert "sid" not in refused.cookies()


def test_the_session_id_is_new(server: WsgiServer) -> None:
    """Whoever planted a session id in a browser does not share the session."""
    form = urlencode({"principal": "developer", "password": PASSWORD})
    answer = dance(server, "POST", "/c/login", form, "sid=planted0planted0planted0planted0", Content_Type=FORM)
    assert answer.status == 200
    assert answer.cookie("sid") != "planted0planted0planted0planted0"
    planted = server.request("GET", f"{API}/users/current", Cookie="sid=planted0planted0planted0planted0")
    assert planted.status == 401


def test_wrong_password(server: WsgiServer) -> None:
    form = urlencode({"principal": "developer", "password": "wrong"})
    answer = dance(server, "POST", "/c/login", form, Content_Type=FORM)
    assert answer.status == 401
    assert failure(answer)[0] == "UNAUTHORIZED"
    assert "sid" not in answer.cookies()


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/c/login", "POST"), ("GET", "/c/userExists", "POST"), ("PUT", "/c/log_out", "GET")],
)
def test_other_methods(server: WsgiServer, method: str, path: str, allowed: str) -> None:
    answer = server.request(method, path) if method == "GET" else dance(server, method, path)
    assert (answer.status, answer.header("Allow")) == (405, allowed)


def test_signing_out(server: WsgiServer) -> None:
    sid = sign_in(server, "developer").cookie("sid")
    assert server.request("GET", f"{API}/users/current", Cookie=f"sid={sid}").status == 200
    answer = server.request("GET", "/c/log_out", Cookie=f"sid={sid}")
    assert answer.status == 200
    assert "max-age=0" in answer.cookies()["sid"].lower()
    assert server.request("GET", f"{API}/users/current", Cookie=f"sid={sid}").status == 401
    assert not Session.objects.filter(session_key=sid).exists()


# ---------------------------------------------------------------------- CSRF


def test_the_cookie_dance(server: WsgiServer) -> None:
    """A client that has nothing but a session cookie reads token and cookie from the refusal, and tries again."""
    sid = sign_in(server, "developer").cookie("sid")
    body = json.dumps({"project_name": "fresh"})
    refused = server.request("POST", f"{API}/projects", body, Cookie=f"sid={sid}", Content_Type=JSON)
    assert refused.status == 403
    assert failure(refused) == ("FORBIDDEN", "CSRF token not found in request")
    made = dance(server, "POST", f"{API}/projects", body, f"sid={sid}", Content_Type=JSON)
    assert (made.status, made.header("Location")[:18]) == (201, "/api/v2.0/projects")
    assert made.header("X-Harbor-CSRF-Token")


def test_a_token_of_an_earlier_answer_is_as_good(server: WsgiServer) -> None:
    sid = sign_in(server, "developer").cookie("sid")
    first = server.request("GET", f"{API}/users/current", Cookie=f"sid={sid}")
    cookies = f"sid={sid}; _gorilla_csrf={first.cookie('_gorilla_csrf')}"
    second = server.request("GET", f"{API}/users/current", Cookie=cookies)
    tokens = [first.header("X-Harbor-CSRF-Token"), second.header("X-Harbor-CSRF-Token")]
    assert tokens[0] != tokens[1]  # masked anew each time
    for name, token in zip(("one", "two"), tokens, strict=True):
        made = server.request(
            "POST",
            f"{API}/projects",
            json.dumps({"project_name": name}),
            Cookie=cookies,
            Content_Type=JSON,
            X_Harbor_CSRF_Token=token,
        )
        assert made.status == 201


@pytest.mark.parametrize("token", ["x", "x" * 64, "x" * 5000, "ü".encode().decode("latin-1")])
def test_wrong_tokens(server: WsgiServer, token: str) -> None:
    sid = sign_in(server, "developer").cookie("sid")
    cookie = server.request("GET", f"{API}/users/current", Cookie=f"sid={sid}").cookie("_gorilla_csrf")
    for cookies in (f"sid={sid}", f"sid={sid}; _gorilla_csrf={cookie}", f"sid={sid}; _gorilla_csrf={'y' * 32}"):
        refused = server.request("DELETE", f"{API}/projects/team", Cookie=cookies, X_Harbor_CSRF_Token=token)
        assert refused.status == 403
        assert failure(refused) == ("FORBIDDEN", "CSRF token invalid")
        assert refused.header("X-Harbor-CSRF-Token")


def test_without_a_session_nothing_is_asked_and_nothing_set(server: WsgiServer) -> None:
    made = server.request(
        "POST",
        f"{API}/projects",
        json.dumps({"project_name": "fresh"}),
        Authorization=basic("developer"),
        Content_Type=JSON,
        Cookie="other=1",
    )
    assert made.status == 201
    assert not made.cookies()
    assert made.header("X-Harbor-CSRF-Token") == ""
    posted = server.request("POST", "/service/token?service=harbor-registry", Authorization=basic("developer"))
    assert posted.status != 403


def test_a_session_cookie_asks_for_the_token_whatever_else_is_sent(server: WsgiServer) -> None:
    """A browser may have been made to send the credentials, too."""
    body = json.dumps({"project_name": "fresh"})
    for sid in ("sid=unknown", 'sid=""', "sid="):
        answer = server.request(
            "POST", f"{API}/projects", body, Cookie=sid, Authorization=basic("developer"), Content_Type=JSON
        )
        assert answer.status == 403
    made = dance(
        server, "POST", f"{API}/projects", body, "sid=unknown", Authorization=basic("developer"), Content_Type=JSON
    )
    assert made.status == 201


def test_forms_of_other_sites_are_told_why(server: WsgiServer) -> None:
    """The address in the browser is not one of ours: the message names what to change."""
    answer = server.request("POST", "/c/login", "", Content_Type=FORM, Origin="https://registry.example:8443")
    assert answer.status == 403
    assert "HARBOR_PUBLIC_URLS" in failure(answer)[1]
    form = urlencode({"principal": "developer", "password": PASSWORD})
    ours = dance(server, "POST", "/c/login", form, Content_Type=FORM, Origin="http://localhost:8080")
    assert ours.status == 200


# ---------------------------------------------------------------------- how long a session lives


def _ends_in(sid: str) -> float:
    """Minutes."""
    return (Session.objects.get(session_key=sid).expire_date - timezone.now()) / timedelta(minutes=1)


def test_session_timeout_is_a_setting(server: WsgiServer) -> None:
    configure(session_timeout=7)
    answer = sign_in(server, "developer")
    assert "max-age=420" in answer.cookies()["sid"].lower()
    assert 6 < _ends_in(answer.cookie("sid")) <= 7


def test_a_session_ends_by_itself(server: WsgiServer) -> None:
    sid = sign_in(server, "developer").cookie("sid")
    client = Client()
    client.cookies["sid"] = sid
    session = client.session
    session.set_expiry(1)
    session.save()
    assert (
        server.request("GET", f"{API}/users/current", Cookie=f"sid={sid}", X_Harbor_No_Session_Renewal="true").status
        == 200
    )
    time.sleep(1.2)
    assert server.request("GET", f"{API}/users/current", Cookie=f"sid={sid}").status == 401


def test_the_longest_session_that_can_be_set(server: WsgiServer) -> None:
    """Thousands of years by the setting; no clock holds that."""
    configure(session_timeout=9_999_999_999)
    sid = sign_in(server, "developer").cookie("sid")
    assert server.request("GET", f"{API}/users/current", Cookie=f"sid={sid}").status == 200
    assert config.session_seconds() == config.YEAR_SECONDS


def test_a_shorter_timeout_reaches_sessions_that_are_open(server: WsgiServer) -> None:
    sid = sign_in(server, "developer").cookie("sid")
    assert _ends_in(sid) > 50
    configure(session_timeout=5)
    server.request("GET", f"{API}/users/current", Cookie=f"sid={sid}")
    assert _ends_in(sid) <= 5


# ---------------------------------------------------------------------- is the name taken?


def exists(server: WsgiServer, target: str, value: str, cookies: str = "", **headers: str) -> Answer:
    body = urlencode({"target": target, "value": value})
    return dance(server, "POST", "/c/userExists", body, cookies, Content_Type=FORM, **headers)


def test_user_exists_for_those_who_may_register(server: WsgiServer, world: World) -> None:
    world.users["guest"].email = "guest@example.org"
    world.users["guest"].save()
    assert failure(exists(server, "username", "guest"))[0] == "PRECONDITION"
    assert exists(server, "username", "guest", Authorization=basic("guest")).status == 412
    assert exists(server, "username", "guest", Authorization=basic("admin")).body == b"true"
    configure(self_registration=True)
    for target, value, known in (
        ("username", "guest", b"true"),
        ("username", "nobody-yet", b"false"),
        ("username", "anonymous", b"true"),  # reserved
        ("email", "guest@example.org", b"true"),
        ("email", "new@example.org", b"false"),
        ("email", "", b"false"),
    ):
        answer = exists(server, target, value)
        assert (answer.status, answer.body) == (200, known)
        assert answer.header("Content-Type").startswith("application/json")
    assert exists(server, "realname", "x").status == 400
    assert exists(server, "username", "a\0b").status == 400


# ---------------------------------------------------------------------- read-only mode


def test_read_only_lets_people_in(server: WsgiServer, world: World) -> None:
    configure(read_only=True, self_registration=True)
    sid = sign_in(server, "developer").cookie("sid")
    assert exists(server, "username", "x").status == 200
    assert server.request("POST", "/service/token?service=harbor-registry").status in (400, 405)
    body = json.dumps({"project_name": "fresh"})
    refused = dance(server, "POST", f"{API}/projects", body, f"sid={sid}", Content_Type=JSON)
    assert failure(refused)[0] == "DENIED"
    assert server.request("GET", "/c/log_out", Cookie=f"sid={sid}").status == 200
    assert AuditLog.objects.filter(operation="logout").exists()
    put = server.request(
        "PUT",
        f"{API}/configurations",
        json.dumps({"read_only": False}),
        Authorization=basic("admin"),
        Content_Type=JSON,
    )
    assert put.status == 200


# ---------------------------------------------------------------------- what every answer carries


@pytest.mark.parametrize(
    "path",
    [
        "/api/version",
        f"{API}/nothing",
        "/api/",
        "/c/login",
        "/c/nothing",
        "/v2/",
        "/v2/x/y/manifests/z",
        "/service/token",
        "/nothing",
        "/",
    ],
)
def test_request_id_on_every_answer(server: WsgiServer, path: str) -> None:
    assert server.request("GET", path, X_Request_Id="mine-1.2:3_4").header("X-Request-Id") == "mine-1.2:3_4"
    for unusable in ("", "a b", "x" * 129, "<script>"):
        made = server.request("GET", path, X_Request_Id=unusable).header("X-Request-Id")
        assert len(made) == UUID_LENGTH


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", f"{API}/projects", JSON),
        ("PUT", f"{API}/configurations", JSON),
        ("DELETE", f"{API}/projects/team", JSON),
        ("POST", f"{API}/nothing", JSON),
        ("POST", "/c/login", FORM),
        ("POST", "/c/userExists", "multipart/form-data; boundary=x"),
    ],
)
def test_bodies_that_are_too_large(server: WsgiServer, method: str, path: str, kind: str) -> None:
    large = b"x" * (4 * 1024 * 1024 + 1)
    for cookies in ("", "sid=unknown"):
        answer = server.request(method, path, large, Content_Type=kind, Cookie=cookies)
        assert answer.status == 413
        assert failure(answer)[0] == "REQUEST_ENTITY_TOO_LARGE"
        assert len(answer.header("X-Request-Id")) == UUID_LENGTH

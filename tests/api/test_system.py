"""Ping, version, health, information, certificate, volumes; and the chains requests run through."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest

from harbor_core import registry_client
from harbor_core.api import health
from harbor_core.celery import app
from harbor_core.lib.redis import parse
from harbor_core.wsgi import application
from tests.cast import PASSWORD, Api, World
from tests.support.services import Registry


def test_ping_and_version(api: Api) -> None:
    pong = api("anonymous", "GET", "ping")
    assert (pong.content, pong["Content-Type"]) == (b"Pong", "text/plain; charset=utf-8")
    assert api("anonymous", "GET", "/api/version").json() == {"version": "v2.0"}


def components(api: Api) -> dict[str, str]:
    answer = api("anonymous", "GET", "health")
    assert answer.status_code == 200
    body = answer.json()
    found = {row["name"]: row["status"] for row in body["components"]}
    assert body["status"] == ("healthy" if set(found.values()) == {"healthy"} else "unhealthy")
    assert all(bool(row.get("error")) == (row["status"] == "unhealthy") for row in body["components"])
    return found


def test_health_asks(api: Api, registry: Registry) -> None:
    found = components(api)
    assert set(found) == {"core", "database", "jobservice", "portal", "redis", "registry"}
    assert (found["core"], found["database"], found["redis"], found["registry"]) == ("healthy",) * 4
    assert found["jobservice"] == "unhealthy"  # no worker runs here


def test_health_of_what_is_away(api: Api, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REDIS = parse(f"unix://{tmp_path}/nobody.sock")
    settings.REGISTRY_URL = f"unix:{tmp_path}/nobody.sock"
    settings.STATIC_ROOT = tmp_path
    monkeypatch.setattr(registry_client._local, "connection", None, raising=False)
    found = components(api)
    assert (found["redis"], found["registry"], found["portal"]) == ("unhealthy",) * 3
    assert found["database"] == "healthy"


def test_a_worker_is_asked(api: Api) -> None:
    from celery.contrib.testing.worker import start_worker

    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        assert components(api)["jobservice"] == "healthy"


def test_the_answer_of_a_worker_is_kept_for_a_moment(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def ping(**options: Any) -> list[Any]:
        asked.append(options)
        return [{"worker": {"ok": "pong"}}]

    monkeypatch.setattr(app.control, "ping", ping)
    assert [components(api)["jobservice"] for _ in range(3)] == ["healthy"] * 3
    assert len(asked) == 1
    assert asked[0]["timeout"] == health.WORKER_SECONDS


def test_information(api: Api) -> None:
    everybody = api("anonymous", "GET", "systeminfo").json()
    assert everybody == {
        "auth_mode": "db_auth",
        "banner_message": "",
        "primary_auth_mode": False,
        "self_registration": False,
    }
    account = api("guest", "GET", "systeminfo", headers={"Host": "evil.example"}).json()
    assert everybody.items() < account.items()
    assert account["registry_url"] == "localhost:8080"
    assert account["external_url"] == "http://localhost:8080"
    assert account["has_ca_root"] is False
    assert account["current_time"].endswith("Z")
    assert account["registry_storage_provider_name"] == "filesystem"


def test_certificate(api: Api, settings: Any, tmp_path: Path) -> None:
    assert api("anonymous", "GET", "systeminfo/getcert").status_code == 404
    path = tmp_path / "ca.crt"
    path.write_text("-----BEGIN CERTIFICATE-----\n")
    settings.CA_FILE = str(path)
    answer = api("anonymous", "GET", "systeminfo/getcert")
    assert b"".join(answer.streaming_content) == path.read_bytes()
    assert answer["Content-Disposition"] == 'attachment; filename="ca.crt"'
    assert api("guest", "GET", "systeminfo").json()["has_ca_root"] is True


def test_volumes(api: Api) -> None:
    (volume,) = api("sysadmin", "GET", "systeminfo/volumes").json()["storage"]
    assert volume["total"] > volume["free"] > 0


# ---------------------------------------------------------------------- through the entry point


def enter(path: str, **environ: str) -> tuple[str, dict[str, str], bytes]:
    """Through harbor_core.wsgi, which picks the chain."""
    answer: list[Any] = []
    request = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8080",
        "HTTP_HOST": "localhost:8080",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
        **environ,
    }
    result = application(request, lambda status, headers: answer.extend((status, dict(headers))))
    return answer[0], answer[1], b"".join(result)


@pytest.mark.django_db(transaction=True)
def test_both_chains_answer_alike(world: World) -> None:
    """A call with credentials runs without session middleware, one that brings a session cookie with it."""
    basic = "Basic " + base64.b64encode(f"guest:{PASSWORD}".encode()).decode()
    for path in ("/api/v2.0/users/current", "/api//v2.0/users/current/"):
        plain = enter(path, HTTP_AUTHORIZATION=basic)
        cookie = enter(path, HTTP_AUTHORIZATION=basic, HTTP_COOKIE="sid=unknown")
        assert plain[0] == cookie[0] == "200 OK"
        assert json.loads(plain[2]) == json.loads(cookie[2])
        assert "X-Harbor-CSRF-Token" not in plain[1]
        assert "X-Harbor-CSRF-Token" in cookie[1]
        for header in ("X-Request-Id", "Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options"):
            assert header in plain[1] and header in cookie[1]
    assert enter("/api/v2.0/users/current")[0] == "401 Unauthorized"
    assert enter("/api/v2.0/users/current", HTTP_COOKIE="sid=unknown")[0] == "401 Unauthorized"
    assert enter("/api/v2.0/projects")[0] == "200 OK"

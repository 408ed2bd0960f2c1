"""Paths, errors and headers at the front door."""

import contextlib
import json
from collections.abc import Iterator

import httpx
import pytest

from tests.gateway.wire import bearer, push_blob, raw_get, raw_request
from tests.support.oci import digest_of
from tests.support.services import wait_until
from tests.support.stack import Stack

HEX = "a" * 64
AUTHORIZED = "Authorization: Basic YWRtaW46SGFyYm9yMTIzNDU="


@pytest.mark.parametrize(
    "path",
    [
        f"/v2/library/app/blobs/..%2f..%2fother%2fblobs%2fsha256:{HEX}",
        f"/v2/library%2fapp/blobs/sha256:{HEX}",
        f"/v2/library/%2e%2e/secret/blobs/sha256:{HEX}",
        f"/v2/library//app/blobs/sha256:{HEX}",
        f"/v2/library/../secret/blobs/sha256:{HEX}",
        f"/v2/library/app/blobs/sha256:{HEX}%0a",
        f"/v2/library/app%0d%0aX-Injected:1/blobs/sha256:{HEX}",
        f"/v2/library%5capp/blobs/sha256:{HEX}",
        f"/v2/library\\app/blobs/sha256:{HEX}",
        f"/%76%32/library/%2e%2e/secret/blobs/sha256:{HEX}",
        "/v2/../_authz/blob",
        "/v2/library/app/manifests/..%2f..%2fx",
        "/v2/./library/app/tags/list",
        "/v2//",
    ],
)
def test_a_path_that_could_be_read_in_two_ways_is_404(stack: Stack, path: str) -> None:
    status, headers, body = raw_get(stack, path, "GET", AUTHORIZED)
    assert status == 404
    assert json.loads(body)["errors"][0]["code"]
    assert "x-injected" not in headers


@pytest.mark.parametrize(
    "name", ["Library/app", "library/-app", "library/app.", "library/a..b", "library/" + "a" * 260]
)
def test_a_name_outside_the_grammar_is_an_error_of_core(stack: Stack, name: str) -> None:
    status, headers, body = raw_get(stack, f"/v2/{name}/blobs/sha256:{HEX}", "GET", AUTHORIZED)
    assert status in (400, 404)
    assert json.loads(body)["errors"][0]["code"]
    assert headers["docker-distribution-api-version"] == "registry/2.0"


@pytest.mark.parametrize(
    "path",
    [
        "/_authz/blob",
        "/_authz/upload",
        "/%5fauthz/upload",
        "/x/../_authz/upload",
        "/_authz",
        "/_denied",
        f"/_registry/v2/library/app/blobs/sha256:{HEX}",
        "/_waiting/v2/library/app/manifests/1.0",
        "/_waiting/api/v2.0/ping",
        "/_gateway/error/503",
        "/_gateway/denied",
        "//_authz/upload",
        "//_denied",
    ],
)
def test_internal_locations_are_closed(stack: Stack, path: str) -> None:
    questions = ("X-Harbor-Repository: library/app", f"X-Harbor-Upload: {'0' * 36}", "X-Harbor-Method: GET")
    status, headers, body = raw_get(stack, path, "GET", AUTHORIZED, *questions)
    assert status == 404
    assert "x-registry-token" not in headers
    assert b"nginx" not in body


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET /v2/%00 HTTP/1.1\r\nHost: x\r\n", 400),
        ("GET /v2/ HTTP/1.1\r\n", 400),
        ("TRACE /v2/ HTTP/1.1\r\nHost: x\r\n", 405),
        (f"GET /v2/{'a' * 40000} HTTP/1.1\r\nHost: x\r\n", 414),
        ("POST /api/v2.0/projects HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n", 501),
        ("PUT /v2/library/app/manifests/x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n", 413),
        (f"GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Long: {'a' * 40000}\r\n", 400),
    ],
    ids=["nul", "no-host", "trace", "long-path", "encoding", "too-large", "long-header"],
)
def test_what_nginx_refuses_is_refused_in_json(stack: Stack, request_text: str, status: int) -> None:
    answer = raw_request(stack, f"{request_text}Connection: close\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert json.loads(body)["errors"][0]["message"]


def _gateway_answers(stack: Stack) -> bool:
    with contextlib.suppress(httpx.HTTPError), stack.client() as client:
        return client.get("/_gateway/health").status_code == 200
    return False


@contextlib.contextmanager
def without(stack: Stack, name: str) -> Iterator[None]:
    """Take a program's socket away, so that new connections fail as if it were down."""
    socket = stack.run_dir / f"{name}.sock"
    away = socket.with_suffix(".away")
    socket.rename(away)
    try:
        stack.kill("gateway", wait=False)  # and its kept connections
        wait_until(lambda: _gateway_answers(stack), 30, "the gateway to answer again")
        yield
    finally:
        away.rename(socket)
        wait_until(stack.is_ready, 30, "the stack to answer again")


def test_core_down_is_503_with_retry_after(stack: Stack) -> None:
    headers = bearer(stack, "repository:library/gateway-routing:pull,push")
    with stack.client() as client:
        digest = push_blob(client, "library/gateway-routing", b"core down", headers)
    upload = "/v2/library/gateway-routing/blobs/uploads/00000000-0000-4000-8000-000000000000"
    with without(stack, "core"), stack.client() as client:
        for method, path in [
            ("HEAD", f"/v2/library/gateway-routing/blobs/{digest}"),
            ("GET", f"/v2/library/gateway-routing/blobs/{digest_of(b'other')}"),
            ("PATCH", upload),
            ("POST", "/v2/library/gateway-routing/blobs/uploads/"),
            ("GET", "/v2/library/gateway-routing/manifests/x"),
            ("GET", "/api/v2.0/projects"),
            ("GET", "/"),
        ]:
            answer = client.request(method, path, headers=headers)
            assert (method, path, answer.status_code) == (method, path, 503)
            assert answer.headers["Retry-After"]
            assert method == "HEAD" or answer.json()["errors"][0]["code"] == "UNAVAILABLE"


def test_registry_down_is_503_for_uploads_while_manifests_go_on(stack: Stack) -> None:
    headers = bearer(stack, "repository:library/gateway-routing:pull,push")
    with stack.client() as client:
        location = client.post("/v2/library/gateway-routing/blobs/uploads/", headers=headers).headers["Location"]
    with without(stack, "registry"), stack.client() as client:
        answer = client.patch(location, headers=headers, content=b"x" * 100_000)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert client.get("/v2/library/gateway-routing/manifests/none", headers=headers).status_code == 404


def test_request_ids_are_kept_when_sane_and_made_otherwise(stack: Stack) -> None:
    path = f"/v2/library/app/blobs/sha256:{HEX}%0a"
    _, headers, _ = raw_get(stack, path, "GET", "X-Request-Id: given-id.1")
    assert headers["x-request-id"] == "given-id.1"
    _, headers, _ = raw_get(stack, path, "GET", 'X-Request-Id: "; drop')
    assert len(headers["x-request-id"]) == 32


def test_forwarded_headers_of_strangers_change_nothing(stack: Stack) -> None:
    spoofed = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "1.2.3.4"}
    with stack.client() as client:
        challenge = client.get("/v2/", headers=spoofed).headers["WWW-Authenticate"]
    assert f'realm="{stack.url}/service/token"' in challenge
    assert "evil.example" not in challenge


def test_logs_hold_neither_credentials_nor_queries(stack: Stack) -> None:
    token = stack.token("repository:library/gateway-logs:pull,push")
    headers = {"Authorization": f"Bearer {token}", "X-Request-Id": "log-probe-1"}
    with stack.client() as client:
        location = client.post("/v2/library/gateway-logs/blobs/uploads/", headers=headers).headers["Location"]
        client.patch(location, headers=headers | {"X-Request-Id": "log-probe-2"}, content=b"x")
    raw_get(stack, "/v2/x%00?secret-in-query", "GET")
    wait_until(lambda: "log-probe-2" in stack.log, 10, "the access log")
    lines = [line for line in stack.log.splitlines() if line.startswith("gateway")]
    assert any("/v2/library/gateway-logs/blobs/uploads/" in line for line in lines)
    text = "\n".join(lines)
    for secret in (token, "_state=", "secret-in-query", "Bearer "):
        assert secret not in text


def test_the_servers_version_is_not_told(stack: Stack) -> None:
    with stack.client() as client:
        assert client.get("/v2/").headers["Server"] == "nginx"


def test_ipv6_listens_too(stack: Stack) -> None:
    import socket

    with socket.create_connection(("::1", stack.port), timeout=10) as connection:
        connection.sendall(b"GET /_gateway/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")

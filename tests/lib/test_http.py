"""The outbound door: what may be called, how long, how much, and whom to believe."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from harbor_core.env import ConfigError, env_targets
from harbor_core.lib import ssrf
from harbor_core.lib.http import OutboundError, get_json, request
from harbor_core.lib.ssrf import RefusedTargetError, addresses
from tests.support.issuer import DISCOVERY, Issuer
from tests.support.services import free_port


@pytest.fixture(scope="module")
def server() -> Iterator[Issuer]:
    with Issuer() as running:
        yield running


@pytest.fixture(autouse=True)
def open_loopback(request: pytest.FixtureRequest, settings: Any) -> None:
    settings.OUTBOUND_ALLOWED = ["127.0.0.0/8", "::1"]
    if "server" in request.fixturenames:
        request.getfixturevalue("server").mode("ok")


def fetch(server: Issuer, path: str = DISCOVERY, **options: Any) -> dict[str, Any]:
    return get_json(f"{server.url}{path}", ca_certificate=server.certificate, **options)


def test_an_answer(server: Issuer) -> None:
    assert fetch(server)["issuer"] == server.url
    answer = request("GET", f"{server.url}/nothing", ca_certificate=server.certificate)
    assert (answer.status, answer.body, answer.headers["content-length"]) == (404, b"{}", "2")
    with pytest.raises(OutboundError, match="the answer was 404"):
        fetch(server, "/nothing")


def test_certificates_are_verified(server: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutboundError, match="certificate"):
        get_json(f"{server.url}{DISCOVERY}")
    with Issuer() as other, pytest.raises(OutboundError, match="certificate"):
        get_json(f"{server.url}{DISCOVERY}", ca_certificate=other.certificate)
    assert get_json(f"{server.url}{DISCOVERY}", verify=False)["issuer"] == server.url
    # The certificate does not bear this name, wherever it leads.
    here = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]
    monkeypatch.setattr(ssrf, "_resolve", lambda host, port: here)
    with pytest.raises(OutboundError, match="certificate"):
        get_json(f"https://other.example:{server.port}{DISCOVERY}", ca_certificate=server.certificate)


def test_a_host_may_be_named_by_address(server: Issuer) -> None:
    url = f"https://127.0.0.1:{server.port}{DISCOVERY}"
    assert get_json(url, ca_certificate=server.certificate)["issuer"] == server.url


@pytest.mark.parametrize("mode", ["text", "list"])
def test_what_is_no_json_object_is_refused(server: Issuer, mode: str) -> None:
    server.mode(mode)
    with pytest.raises(OutboundError, match="JSON"):
        fetch(server)


def test_long_answers_are_cut_off(server: Issuer) -> None:
    server.mode("huge")
    with pytest.raises(OutboundError, match="longer than 4096 bytes"):
        fetch(server, max_bytes=4096)


@pytest.mark.parametrize("mode", ["drip", "late 20"])
def test_slow_answers_are_given_up(server: Issuer, mode: str) -> None:
    server.mode(mode)
    started = time.monotonic()
    with pytest.raises(OutboundError, match=r"within 0\.5 s"):
        fetch(server, seconds=0.5)
    assert time.monotonic() - started < 3


def test_redirects_stay_within_the_origin(server: Issuer) -> None:
    server.mode("redirect /keys")
    assert "keys" in fetch(server)
    for elsewhere in (
        f"https://127.0.0.1:{server.port}/keys",
        f"http://localhost:{server.port}/keys",
        "https://localhost/keys",
        "//example.com/keys",
        "ftp://localhost/keys",
    ):
        server.mode(f"redirect {elsewhere}")
        with pytest.raises(OutboundError, match="another origin"):
            fetch(server)
    server.mode("redirect /a/b/../c")
    with pytest.raises(OutboundError, match="more than 3 redirects"):
        fetch(server)


def test_nobody_there() -> None:
    with pytest.raises(OutboundError, match="the call failed"):
        get_json(f"https://127.0.0.1:{free_port()}/")
    with pytest.raises(OutboundError):
        get_json("https://nobody.invalid/")


@pytest.mark.parametrize(
    "url", ["", "keys", "file:///etc/passwd", "unix:/run/x", "https://", "https://:1/", "https://[::1", "https://a b/"]
)
def test_addresses_of_other_kinds_are_refused(url: str) -> None:
    with pytest.raises(OutboundError):
        get_json(url)


# ---------------------------------------------------------------------- where calls may go


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::1",
        "localhost",
        "2130706433",
        "0x7f.1",
    ],
)
def test_targets_that_are_not_public_are_refused(host: str, settings: Any) -> None:
    settings.OUTBOUND_ALLOWED = []
    with pytest.raises(RefusedTargetError):
        addresses(host, 443)
    shown = f"[{host}]" if ":" in host else host
    with pytest.raises(OutboundError, match="not an address of the public internet"):
        get_json(f"https://{shown}/")


@pytest.mark.parametrize("host", ["192.0.43.10", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_targets_are_not(host: str, settings: Any) -> None:
    settings.OUTBOUND_ALLOWED = []
    assert addresses(host, 443) == [host]


def test_exceptions(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.OUTBOUND_ALLOWED = ["10.1.0.0/16", "issuer.lan", "*.svc.local"]
    names = {"issuer.lan": "192.168.0.1", "a.svc.local": "192.168.0.2", "svc.local": "192.168.0.3"}

    def resolve(host: str, port: int, **options: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (names.get(host.rstrip(".").lower(), host), port))]

    monkeypatch.setattr(ssrf.socket, "getaddrinfo", resolve)
    assert addresses("10.1.2.3", 443) == ["10.1.2.3"]
    assert addresses("::ffff:10.1.2.3", 443) == ["::ffff:10.1.2.3"]
    assert addresses("Issuer.lan.", 443) == ["192.168.0.1"]
    assert addresses("a.svc.local", 443) == ["192.168.0.2"]
    assert addresses("svc.local", 443, private=True) == ["192.168.0.3"]
    for host in ("10.2.0.1", "svc.local", "192.168.0.1"):
        with pytest.raises(RefusedTargetError):
            addresses(host, 443)


def test_only_the_allowed_addresses_of_a_name_are_called(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.OUTBOUND_ALLOWED = []

    def resolve(host: str, port: int, **options: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("10.0.0.1", "8.8.8.8", "8.8.8.8")]

    monkeypatch.setattr(ssrf.socket, "getaddrinfo", resolve)
    assert addresses("mixed.example", 443) == ["8.8.8.8"]


def test_the_connection_goes_to_the_address_that_was_looked_at(
    server: Issuer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that answers differently the second time is asked only once."""
    settings.OUTBOUND_ALLOWED = ["127.0.0.1"]
    real, asked = socket.getaddrinfo, []

    def resolve(host: str, port: int, *args: Any, **options: Any) -> list[Any]:
        if host != "localhost":
            return real(host, port, *args, **options)
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.9"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert fetch(server)["issuer"] == server.url
    assert asked == ["localhost"]


def test_a_proxy_is_used_and_private_targets_stay_refused(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.OUTBOUND_ALLOWED = []
    port = free_port()
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("no_proxy", "direct.invalid")
    with pytest.raises(OutboundError, match="not an address of the public internet"):
        get_json("https://169.254.169.254/")
    with socket.create_server(("127.0.0.1", port)) as proxy:
        proxy.settimeout(10)
        with pytest.raises(OutboundError):
            get_json("https://only-the-proxy-knows.invalid/", seconds=1.0)
        connection, _ = proxy.accept()
        with connection:
            assert connection.recv(100).startswith(b"CONNECT only-the-proxy-knows.invalid:443 ")


# ---------------------------------------------------------------------- the setting


def test_allowed_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARBOR_X", "10.0.0.0/8, fd00::/8,192.168.1.7,kubernetes.default.svc , *.example.internal")
    assert len(env_targets("HARBOR_X")) == 5
    for wrong in ("10.0.0.1/8", "10.0.0.0/40", "300.1.1.1", "https://x", "a b", "*", "*.", "x/24", "*x.y"):
        monkeypatch.setenv("HARBOR_X", wrong)
        with pytest.raises(ConfigError, match="HARBOR_X"):
            env_targets("HARBOR_X")

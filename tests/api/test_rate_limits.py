"""How much of its limit another registry leaves us: read from its answers, shown by the API."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core.cache import cache

from replication import ratelimits
from replication.adapters import adapter
from replication.adapters.base import Endpoint
from replication.client import Client as RegistryClient
from replication.models import Registry
from replication.selectors.registries import endpoint_of
from tests.cast import World


class Limited(BaseHTTPRequestHandler):
    """Answers with an empty list of tags, and with these headers."""

    said: dict[str, str] = {}

    def do_GET(self) -> None:
        body = b'{"name": "a/b", "tags": []}'
        self.send_response(200)
        for name, value in ({"Content-Type": "application/json", "Content-Length": str(len(body))} | self.said).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def registry(world: World) -> Iterator[Registry]:
    cache.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Limited)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    yield Registry.objects.create(name="hub", type="docker-registry", url=url, access_key="team", status="healthy")
    server.shutdown()
    server.server_close()


def ask(registry: Registry, **said: str) -> None:
    Limited.said = {name.replace("_", "-"): value for name, value in said.items()}
    calls = RegistryClient(adapter(registry.type, endpoint_of(registry)))
    try:
        assert list(calls.tags("a/b")) == []
    finally:
        calls.close()


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ({"RateLimit_Limit": "100;w=21600", "RateLimit_Remaining": "76;w=21600"}, (100, 76, 21600)),
        ({"X_RateLimit_Limit": "5000", "X_RateLimit_Remaining": "0"}, (5000, 0, 0)),
        ({"RateLimit_Limit": "100, 100;w=60", "RateLimit_Remaining": "250"}, (100, 100, 60)),
    ],
)
def test_it_is_read_and_shown(
    world: World, registry: Registry, said: dict[str, str], seen: tuple[int, int, int]
) -> None:
    ask(registry, **said)
    shown: dict[str, Any] = world.api("sysadmin", "GET", f"registries/{registry.pk}").json()["rate_limit"]
    assert (shown["limit"], shown["remaining"], shown["window"]) == seen
    assert abs(shown["seen_at"] - time.time()) < 60
    assert world.api("sysadmin", "GET", "registries").json()[0]["rate_limit"] == shown


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"RateLimit_Limit": "100;w=21600"},
        {"RateLimit_Limit": "many", "RateLimit_Remaining": "few"},
        {"RateLimit_Limit": "0", "RateLimit_Remaining": "0"},
        {"RateLimit_Limit": "9" * 30, "RateLimit_Remaining": "-1"},
    ],
)
def test_what_says_nothing_is_nothing(world: World, registry: Registry, said: dict[str, str]) -> None:
    ask(registry, **said)
    assert "rate_limit" not in world.api("sysadmin", "GET", f"registries/{registry.pk}").json()


def test_a_limit_is_that_of_an_account(registry: Registry) -> None:
    ask(registry, RateLimit_Limit="100", RateLimit_Remaining="76")
    other = Registry.objects.create(name="other", type="docker-registry", url=registry.url, access_key="somebody-else")
    same = Registry.objects.create(name="same", type="docker-registry", url=registry.url, access_key="team")
    assert ratelimits.known([registry, other, same]).keys() == {registry.pk, same.pk}
    ratelimits.note(Endpoint(registry.url, "somebody-else"), {"ratelimit-limit": "9", "ratelimit-remaining": "8"})
    assert ratelimits.known([other])[other.pk].remaining == 8

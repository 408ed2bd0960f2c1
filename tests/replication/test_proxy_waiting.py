"""Clients that wait for an upstream keep nobody else waiting."""

import http.client
import json
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.replication.test_proxy_cache import ANY, api, far, get, proxy, pull, there, upstream
from tests.support import oci
from tests.support.services import wait_until
from tests.support.stack import Stack
from tests.support.upstream import Upstream

__all__ = ["api", "far", "there", "upstream"]  # fixtures
CLIENTS, PULLERS, PULLS = 100, 8, 1600
THREADS = 16  # of core, where nobody may wait


@pytest.fixture
def site(stack: Stack) -> Stack:
    return stack


def ask(site: Stack, path: str, token: str, **more: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=120)
    connection.request("GET", path, headers=ANY | {"Authorization": f"Bearer {token}"} | more)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body


def seconds_of_pulls(site: Stack, paths: list[str], token: str) -> float:
    """How long PULLERS clients take for PULLS requests in all."""

    def puller(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
        for turn in range(PULLS // PULLERS):
            path = paths[(number + turn) % len(paths)]
            connection.request("GET", path, headers=ANY | {"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            assert (answer.status, len(answer.read()) > 0) == (200, True)
        connection.close()

    began = time.monotonic()
    with ThreadPoolExecutor(PULLERS) as pool:
        list(pool.map(puller, range(PULLERS)))
    return time.monotonic() - began


@pytest.fixture
def hanging(upstream: Upstream) -> Iterator[threading.Event]:
    """Once it is cleared, upstream takes requests and answers when it is set again."""
    release = threading.Event()
    release.set()

    def answer(handler: Any) -> bool:
        release.wait(100)
        return False

    upstream.answer = answer
    yield release
    release.set()


def test_pulls_keep_their_rate_while_a_hundred_clients_wait(
    site: Stack, api: httpx.Client, there: httpx.Client, upstream: Upstream, hanging: threading.Event
) -> None:
    image, plain = oci.image(), f"library/{uuid.uuid4().hex[:8]}"
    assert oci.push(api, plain, "1.0", image).status_code == 201
    paths = [f"/v2/{plain}/manifests/1.0", f"/v2/{plain}/blobs/{oci.digest_of(image.layer)}"]
    far = f"apps/{uuid.uuid4().hex[:8]}"
    for number in range(10):
        assert oci.push(there, far, str(number), image).status_code == 201
    cache = f"{proxy(api, upstream)}/{far}"
    own, cold = site.token(f"repository:{plain}:pull"), site.token(f"repository:{cache}:pull")
    seconds_of_pulls(site, paths, own)
    before = min(seconds_of_pulls(site, paths, own) for _ in range(3))
    asked = [f"/v2/{cache}/manifests/{number % 20}" for number in range(CLIENTS // 2)]  # half of them are there
    asked += [f"/v2/{cache}/blobs/{oci.digest_of(b'%d' % number)}" for number in range(CLIENTS // 4)]
    asked += [f"/v2/{cache}/tags/list?n={number}" for number in range(1, CLIENTS - len(asked) + 1)]
    hanging.clear()
    # A client cannot choose where it waits.
    lies = [{}, {"X-Harbor-Waiting": "here"}]
    with ThreadPoolExecutor(CLIENTS) as pool:
        waiting = [pool.submit(ask, site, path, cold, **lies[number % 2]) for number, path in enumerate(asked)]
        wait_until(lambda: sum(upstream.asked.values()) > THREADS, 20, "more to wait than core has threads")
        during = min(seconds_of_pulls(site, paths, own) for _ in range(3))
        assert not any(future.done() for future in waiting)
        hanging.set()
        answers = [future.result() for future in waiting]
    assert during < before * 1.5 + 0.2, f"{PULLS} pulls took {during:.2f} s, without the others {before:.2f} s"
    for path, (status, headers, body) in zip(asked, answers, strict=True):
        if "/manifests/" in path:
            there_too = int(path.rpartition("/")[2]) < 10
            assert (status, body == image.manifest) == (200 if there_too else 404, there_too)
        elif "/tags/" in path:
            assert (status, json.loads(body)["name"]) == (200, cache)
        else:
            assert (status, json.loads(body)["errors"][0]["code"]) == (404, "BLOB_UNKNOWN")
        assert "x-accel-redirect" not in headers


def test_an_upstream_that_hangs_leaves_room_for_another(
    site: Stack, api: httpx.Client, there: httpx.Client, upstream: Upstream, hanging: threading.Event
) -> None:
    image, known, unknown = oci.image(), f"apps/{uuid.uuid4().hex[:8]}", f"apps/{uuid.uuid4().hex[:8]}"
    for name in (known, unknown):
        assert oci.push(there, name, "1", image).status_code == 201
    other = Upstream()
    try:
        with other.client() as client:
            assert oci.push(client, unknown, "1", image).status_code == 201
        slow, quick = proxy(api, upstream), proxy(api, other)
        pull(api, f"{slow}/{known}", "1", image)
        cold = site.token(f"repository:{slow}/{known}:pull", f"repository:{slow}/{unknown}:pull")
        hanging.clear()
        # Clients that come for a tag that moved or not, for what was never here, and for tags: each waits.
        asked = [f"/v2/{slow}/{known}/manifests/1"] * 10
        asked += [f"/v2/{slow}/{unknown}/manifests/{number}" for number in range(CLIENTS - 10)]
        with ThreadPoolExecutor(CLIENTS) as pool:
            waiting = [pool.submit(ask, site, path, cold) for path in asked]
            wait_until(lambda: sum(upstream.asked.values()) > THREADS, 20, "many to wait")
            began = time.monotonic()
            pull(api, f"{quick}/{unknown}", "1", image)
            assert time.monotonic() - began < 5 and not any(future.done() for future in waiting)
            hanging.set()
            answers = [future.result() for future in waiting]
    finally:
        other.stop()
    assert [status for status, _, _ in answers] == [200] * 10 + [404, 200] + [404] * (CLIENTS - 12)


def test_without_those_who_wait_what_is_here_is_served(
    site: Stack, api: httpx.Client, there: httpx.Client, upstream: Upstream
) -> None:
    image, name = oci.image(), f"apps/{uuid.uuid4().hex[:8]}"
    assert oci.push(there, name, "1.0", image).status_code == 201
    cache = f"{proxy(api, upstream, proxy_cache_freshness='never')}/{name}"
    pull(api, cache, "1.0", image)
    site.kill("waiting", wait=False)
    down = get(api, cache, "2.0", 503)
    assert (down.headers["Retry-After"], down.json()["errors"][0]["code"]) == ("5", "UNAVAILABLE")
    pull(api, cache, "1.0", image)
    wait_until(
        lambda: api.get(f"/v2/{cache}/manifests/2.0", headers=ANY).status_code == 404, 60, "the next to be there"
    )

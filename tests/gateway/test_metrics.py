"""Metrics have an address of their own; the public one does not lead there. Each number moves with what it is of."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.gateway.wire import bearer, push_blob
from tests.replication.test_proxy_cache import proxy, pull
from tests.support import oci
from tests.support.services import free_port, wait_until
from tests.support.stack import Stack
from tests.support.upstream import Upstream

Numbers = Callable[[str], dict[str, float]]
REQUESTS = "harbor_core_http_request_total"


@pytest.fixture(scope="module")
def address() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def stack(address: str) -> Iterator[Stack]:
    with Stack() as running:
        yield running.start(database="sqlite", HARBOR_METRICS=address, HARBOR_EXPORTER_CACHE_TIME="0")


@pytest.fixture
def numbers(stack: Stack, address: str) -> Iterator[Numbers]:
    """``comp`` -> name with labels -> value."""
    with httpx.Client(base_url=f"http://{address}", trust_env=False) as client:

        def read(component: str) -> dict[str, float]:
            answer = client.get("/metrics", params={"comp": component} if component else {})
            assert answer.status_code == 200, answer.text
            lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
            return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}

        yield read


def grows(numbers: Numbers, component: str, name: str, before: dict[str, float], by: float) -> None:
    """What the gateway tells arrives a moment later."""
    wait_until(lambda: numbers(component).get(name, 0) - before.get(name, 0) >= by, 20, f"{name} to grow by {by}")


def test_metrics_of_a_running_registry(stack: Stack, address: str) -> None:
    data = b"x" * 1234
    with stack.client() as client:
        push_blob(client, "library/metrics", data, bearer(stack, "repository:library/metrics:pull,push"))
        for path in ("/metrics", "/_metrics", "/_metrics?comp=core", "/_metrics?comp=gateway"):
            assert client.get(path).status_code == 404
    with httpx.Client(base_url=f"http://{address}", trust_env=False) as own:
        requests = own.get("/metrics?comp=core").text
        assert f"harbor_core_uploaded_bytes_total {float(len(data))}" in requests
        assert 'operation="authorize_upload"' in requests
        assert 'harbor_up{component="jobservice"} 1.0' in own.get("/metrics").text
        wait_until(lambda: "harbor_jobservice_info{" in own.get("/metrics?comp=jobservice").text, 30, "a worker")
        assert own.get("/api/v2.0/projects").status_code == 404
        assert own.get("/").json()["errors"][0]["code"] == "NOT_FOUND"


def test_pushes_and_pulls_and_their_bytes(stack: Stack, numbers: Numbers) -> None:
    core, gateway = numbers("core"), numbers("gateway")
    image = oci.image(100_000)
    size = len(image.layer)
    with stack.api() as client:
        assert oci.push(client, "library/app", "1.0", image).status_code == 201
        for _ in range(2):
            pull(client, "library/app", "1.0", image)
    for method, code, times in (("PUT", 201, 1), ("GET", 200, 2)):
        grows(numbers, "core", f'{REQUESTS}{{code="{code}",method="{method}",operation="manifest"}}', core, times)
    grows(numbers, "core", "harbor_core_uploaded_bytes_total", core, size)
    grows(numbers, "gateway", 'harbor_gateway_received_bytes_total{operation="upload"}', gateway, size)
    grows(numbers, "gateway", 'harbor_gateway_sent_bytes_total{operation="blob"}', gateway, 2 * size)
    grows(numbers, "gateway", 'harbor_gateway_requests_total{code="200",operation="blob"}', gateway, 4)
    assert numbers("gateway")["harbor_gateway_proxy_cache_blobs_total"] == 0, "it is no proxy"


def test_refused_sign_ins(stack: Stack, numbers: Numbers) -> None:
    before = numbers("core")
    with stack.client(auth=("admin", "wrong")) as client:
        assert client.get("/service/token", params={"service": "harbor-registry"}).status_code == 401
    grows(numbers, "core", f'{REQUESTS}{{code="401",method="GET",operation="token"}}', before, 1)


def test_the_backlog_of_garbage(stack: Stack, numbers: Numbers) -> None:
    """What is deleted is in the trash first. It is counted every five minutes, so the cache is emptied between."""
    forget = ("shell", "-c", "from django.core.cache import cache; cache.clear()")
    stack.manage(*forget)
    image = oci.image(5000)
    with stack.api() as client:
        assert oci.push(client, "library/left", "1.0", image).status_code == 201
        before = numbers("")
        gone = client.delete(f"/api/v2.0/projects/library/repositories/left/artifacts/{image.digest}")
        assert gone.status_code == 200, gone.text
    stack.manage(*forget)
    after = numbers("")
    size = len(image.config) + len(image.layer) + len(image.manifest)
    for name, by in (("harbor_gc_blobs", 3), ("harbor_gc_bytes", size)):
        assert after[f'{name}{{state="trash"}}'] - before[f'{name}{{state="trash"}}'] == by


def test_a_proxy_cache(stack: Stack, numbers: Numbers) -> None:
    upstream = Upstream()
    image = oci.image(60_000)
    manifest = 'harbor_core_proxy_cache_total{kind="manifest",result="%s"}'
    blob = 'harbor_core_proxy_cache_total{kind="blob",result="%s"}'
    before, sent = numbers("core"), numbers("gateway")
    assert before[blob % "miss"] == before[manifest % "failed"] == 0, "they are there from the start"
    try:
        with upstream.client() as there, stack.api() as client:
            assert oci.push(there, "up/app", "1.0", image).status_code == 201
            name = f"{proxy(client, upstream)}/up/app"
            pull(client, name, "1.0", image)
            pull(client, name, "1.0", image)
            for what, by in ((manifest % "miss", 1), (manifest % "hit", 1), (blob % "miss", 2)):
                grows(numbers, "core", what, before, by)
            grows(numbers, "core", "harbor_core_proxy_cache_fetched_bytes_total", before, len(image.layer))
            grows(numbers, "gateway", "harbor_gateway_proxy_cache_blobs_total", sent, 2)
            assert client.get(f"/v2/{name}/manifests/other").status_code == 404
            grows(numbers, "core", manifest % "unknown", before, 1)
            upstream.close()
            assert client.get(f"/v2/{name}/manifests/another").status_code == 502
            grows(numbers, "core", manifest % "failed", before, 1)
    finally:
        upstream.stop()
    assert numbers("core")[blob % "miss"] == before[blob % "miss"] + 2

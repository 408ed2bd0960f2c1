"""Traces of a running registry, as a collector gets them."""

import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from harbor_core.env import ConfigError
from harbor_core.lib import trace_settings
from tests.support import oci
from tests.support.collector import Collector, Span, collecting
from tests.support.receiver import Receiver, receiving
from tests.support.services import clean_environment, wait_until
from tests.support.stack import ROOT, Stack

SECONDS = 30
GC = "/api/v2.0/system/gc/schedule"
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "200"}  # milliseconds until spans are sent


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture(scope="module")
def stack(collector: Collector) -> Iterator[Stack]:
    with Stack() as running:
        yield running.start(
            TRACE_ENABLED="true",
            TRACE_OTEL_ENDPOINT=collector.endpoint,
            TRACE_OTEL_INSECURE="true",
            TRACE_OTEL_COMPRESSION="true",
            TRACE_NAMESPACE="kube-ops",
            TRACE_ATTRIBUTES='{"application": "harbor"}',
            HARBOR_LOG_FORMAT="json",
            HARBOR_OUTBOUND_ALLOWED="127.0.0.0/8",
            **SOON,
        )


def begin() -> tuple[str, dict[str, str]]:
    """A trace id of a client, and the header that tells it."""
    trace = secrets.token_hex(16)
    return trace, {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}


def named(collector: Collector, trace: str, name: str) -> Span:
    wait_until(lambda: any(span.name == name for span in collector.of(trace)), SECONDS, f"the span {name}")
    return next(span for span in collector.of(trace) if span.name == name)


def begun(collector: Collector, trace: str) -> Span:
    """The span that began the trace, which ends last."""
    wait_until(lambda: any(not span.parent for span in collector.of(trace)), SECONDS, "the span that began it")
    (first,) = [span for span in collector.of(trace) if not span.parent]
    return first


def ancestors(collector: Collector, span: Span) -> list[str]:
    known = {one.id: one for one in collector.of(span.trace)}
    found = []
    while span.parent in known:
        span = known[span.parent]
        found.append(span.name)
    return found


def test_a_push_and_its_webhook_are_one_trace(stack: Stack, collector: Collector, receiver: Receiver) -> None:
    trace, header = begin()
    with stack.api() as client:
        policy = {
            "name": "traced",
            "enabled": True,
            "event_types": ["PUSH_ARTIFACT"],
            "targets": [{"type": "http", "address": receiver.url("/ok")}],
        }
        made = client.post("/api/v2.0/projects/library/webhook/policies", json=policy)
        assert made.status_code == 201, made.text
        client.headers.update(header)
        assert oci.push(client, "library/traced", "1.0", oci.image()).status_code == 201
    wait_until(lambda: any(one["path"] == "/ok" for one in receiver.seen()), SECONDS, "the webhook")
    job = named(collector, trace, "job WEBHOOK")
    assert job.service == "harbor-jobservice" and job.attributes["harbor.job.status"] == "Success"
    push = named(collector, trace, "PUT /v2/{name}/manifests/{reference}")
    assert job.parent == push.id
    assert push.service == "harbor-core"
    assert push.resource["service.namespace"] == "kube-ops" and push.resource["application"] == "harbor"
    assert push.attributes["http.response.status_code"] == 201
    assert (push.attributes["harbor.actor.kind"], push.attributes["harbor.actor.credential"]) == ("user", "basic")
    assert named(collector, trace, "GET /_authz/upload").name
    call = named(collector, trace, "call POST")
    assert ancestors(collector, call)[0] == "job WEBHOOK" and call.attributes["server.address"] == "127.0.0.1"
    stored = named(collector, trace, "storage put_manifest")
    assert push.name in ancestors(collector, stored)
    assert any(span.attributes.get("db.system.name") == "postgresql" for span in collector.of(trace))
    told = [one["headers"] for one in receiver.seen()]
    assert not any("traceparent" in headers for headers in told), "others are told nothing of it"


def test_a_collection_is_part_of_the_request_for_it(stack: Stack, collector: Collector) -> None:
    trace, header = begin()
    with stack.api() as client:
        answer = client.post(GC, json={"schedule": {"type": "Manual"}}, headers=header)
        assert answer.status_code == 201
    job = named(collector, trace, "job GARBAGE_COLLECTION")
    # The worker may tell what it did before core tells of the request.
    wait_until(lambda: any(span.id == job.parent for span in collector.of(trace)), SECONDS, "the span of the request")
    (asked,) = [span for span in collector.of(trace) if span.id == job.parent]
    assert asked.name.startswith("POST /api/v2.0/system/gc/schedule")
    with stack.api() as client:
        run = client.get(answer.headers["Location"])
        assert "traceparent" not in run.text


def test_the_gateway_begins_what_the_client_does_not(stack: Stack, collector: Collector) -> None:
    """The id in X-Request-Id leads to the trace, and so do the lines of the log."""
    with stack.api() as client:
        for given in ({}, {"traceparent": "00-" + "0" * 32 + "-" + "1" * 16 + "-01"}, {"traceparent": "garbage"}):
            answer = client.get("/api/v2.0/projects/library", headers=given)
            trace = answer.headers["X-Request-Id"]
            assert re.fullmatch("[0-9a-f]{32}", trace)
            first = begun(collector, trace)
            assert first.attributes["harbor.request_id"] == trace
            assert "library" not in first.name and first.attributes["http.route"] == first.name.partition(" ")[2]
        with pytest.raises(httpx.HTTPStatusError):
            client.get("/api/v2.0/projects/0", headers={"X-Request-Id": "mine"}).raise_for_status()
    line = re.compile(rf'.*"trace_id": ?"{trace}".*')
    wait_until(lambda: line.search(stack.log) is not None, SECONDS, "a line of the gateway with the trace's id")


def test_a_pull_of_a_blob(stack: Stack, collector: Collector) -> None:
    trace, header = begin()
    image = oci.image()
    with stack.api() as client:
        assert oci.push(client, "library/pulled", "1.0", image).status_code == 201
        client.headers.update(header)
        assert client.get("/v2/library/pulled/manifests/1.0").status_code == 200
        assert client.get(f"/v2/library/pulled/blobs/{oci.digest_of(image.layer)}").status_code == 200
        client.auth = ("admin", "wrong")
        assert client.get("/v2/library/pulled/manifests/1.0").status_code == 401
    named(collector, trace, "GET /v2/{name}/manifests/{reference}")
    assert named(collector, trace, "GET /_authz/blob").attributes["http.response.status_code"] == 204
    wait_until(
        lambda: {span.attributes.get("http.response.status_code") for span in collector.of(trace)} >= {200, 204, 401},
        SECONDS,
        "all spans",
    )


def test_no_secret_leaves(stack: Stack, collector: Collector) -> None:
    """Nor names of projects and repositories, whatever has been asked for by the tests before."""
    secret = "Xy9-unheard-of"
    trace, header = begin()
    with stack.api() as client:
        token = stack.token("repository:library/quiet:pull,push")
        body = {"username": "tracy", "email": "t@example.com", "realname": "t", "password": f"{secret}A1"}
        assert client.post("/api/v2.0/users", json=body, headers=header).status_code == 201
        client.get("/v2/library/quiet/tags/list", headers=header | {"Authorization": f"Bearer {token}"}, auth=None)
        client.get("/service/token", params={"service": "harbor-registry", "secret": secret}, headers=header)
    named(collector, trace, "GET /service/token")
    wait_until(lambda: len([s for s in collector.of(trace) if "http.route" in s.attributes]) >= 3, SECONDS, "spans")
    sent = bytes(collector.raw)
    for word in (secret, token, stack.admin[1], "library/quiet", "tracy", "Basic "):
        assert word.encode() not in sent, word


@pytest.mark.slow
def test_a_collector_that_is_away_holds_up_nothing() -> None:
    """It takes connections and never answers, which is worse than refusing them."""
    with Stack() as stack, socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        stack.start(
            database="sqlite",
            TRACE_ENABLED="true",
            TRACE_OTEL_ENDPOINT=f"127.0.0.1:{silent.getsockname()[1]}",
            TRACE_OTEL_INSECURE="true",
            OTEL_BSP_MAX_QUEUE_SIZE="64",
            OTEL_BSP_MAX_EXPORT_BATCH_SIZE="16",
            **SOON,
        )
        with stack.api() as client:
            client.get("/api/v2.0/projects")
            began = time.monotonic()
            for _ in range(200):
                assert client.get("/v2/").status_code == 200
            assert time.monotonic() - began < 20
            assert oci.push(client, "library/app", "1.0", oci.image()).status_code == 201
            run = client.post(GC, json={"schedule": {"type": "Manual"}}).headers["Location"]
            wait_until(lambda: client.get(run).json()["job_status"] == "Success", SECONDS, "the job to end")
        began = time.monotonic()
        assert stack.terminate() == 0
        assert time.monotonic() - began < 20, "nor the end of a process"


def test_nobody_is_told_while_traces_are_off() -> None:
    """Nothing that traces is imported, and no middleware is in the way. (redis-py by itself looks whether the library's
    part for metrics is there.)"""
    script = (
        "import sys, harbor_core.wsgi, harbor_core.celery, jobservice.tasks\n"
        "from django.conf import settings\n"
        "tracing = ('opentelemetry.sdk.trace', 'opentelemetry.exporter', 'harbor_core.lib.otel')\n"
        "assert not [name for name in sys.modules if name.startswith(tracing)]\n"
        "chains = settings.MIDDLEWARE + settings.LEAN_MIDDLEWARE + settings.API_MIDDLEWARE\n"
        "assert not [name for name in chains if 'trace' in name]\n"
        "assert harbor_core.wsgi.application is harbor_core.wsgi._answer\n"
    )
    environment = clean_environment() | {
        "HARBOR_SECRET_KEY": "x" * 40,
        "DJANGO_SETTINGS_MODULE": "harbor_core.settings",
    }
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "TRACE_OTEL_ENDPOINT"),
        ({"TRACE_OTEL_ENDPOINT": "c:4318", "TRACE_SAMPLE_RATE": "2"}, "TRACE_SAMPLE_RATE must lie"),
        ({"TRACE_OTEL_ENDPOINT": "c:4318", "TRACE_PROVIDER": "jaeger"}, "TRACE_PROVIDER must be otel"),
        ({"TRACE_OTEL_ENDPOINT": "c:4318", "TRACE_ATTRIBUTES": "[1]"}, "TRACE_ATTRIBUTES must be"),
        ({"TRACE_OTEL_ENDPOINT": "c:4318", "TRACE_OTEL_TIMEOUT": "no"}, "TRACE_OTEL_TIMEOUT must be"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ({"TRACE_ENABLED": "true"} | settings).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=message):
        trace_settings.read()


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACE_OTEL_ENDPOINT", "collector:4318")
    assert trace_settings.read() is None
    monkeypatch.setenv("TRACE_ENABLED", "true")
    found = trace_settings.read()
    assert found is not None
    assert (found.endpoint, found.rate, found.seconds) == ("https://collector:4318/v1/traces", 1.0, 10)
    monkeypatch.setenv("TRACE_OTEL_INSECURE", "true")
    monkeypatch.setenv("TRACE_OTEL_URL_PATH", "otlp/traces")
    found = trace_settings.read()
    assert found is not None and found.endpoint == "http://collector:4318/otlp/traces"
    monkeypatch.delenv("TRACE_OTEL_ENDPOINT")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    found = trace_settings.read()
    assert found is not None and found.endpoint == ""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert trace_settings.read() is None

"""The audit log is sent on over syslog."""

import atexit
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from harbor_core.models import AuditLog
from harbor_core.services import audit, audit_forward
from projects.services import pulls
from tests.api.pulling import pull
from tests.cast import World, configure
from tests.support.services import wait_until
from tests.support.syslog import SyslogServer

# ---------------------------------------------------------------------- sending it on


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[SyslogServer]:
    """A syslog server, and a forwarder of this test's own."""
    forwarder = audit_forward.Forwarder()
    monkeypatch.setattr(audit_forward, "LONGEST_PAUSE_SECONDS", 0.3)
    for name in ("submit", "is_delivering", "finish"):
        monkeypatch.setattr(audit_forward, name, getattr(forwarder, name))
    server = SyslogServer()
    yield server
    forwarder.finish(0.0)
    atexit.unregister(forwarder.finish)
    server.stop()


def _change(world: World, name: str) -> None:
    assert world.api("sysadmin", "POST", "projects", {"project_name": name}).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_rows_are_sent_on(world: World, collector: SyslogServer) -> None:
    configure(audit_log_forward_endpoint=collector.endpoint)
    headers = {"X-Request-Id": "req-1", "X-Real-IP": "192.0.2.8"}
    created = world.api("sysadmin", "POST", "projects", {"project_name": "fresh"}, headers=headers)
    assert created.status_code == 201
    (message,) = collector.wait_for(1)
    assert collector.broken == []
    assert (message.priority, message.app, message.kind, message.hostname) == (
        110,
        "harbor",
        "create_project",
        "localhost",
    )
    stored = AuditLog.objects.get(resource="fresh")
    assert message.body["id"] == stored.pk
    assert message.body["op_time"][:19] == message.time[:19]
    assert message.body | {"op_time": "", "id": 0} == {
        "id": 0,
        "op_time": "",
        "username": "admin",
        "operation": "create",
        "resource_type": "project",
        "resource": "fresh",
        "project_id": stored.project_id,
        "operation_description": "create project fresh",
        "operation_result": True,
        "client_ip": "192.0.2.8",
        "request_id": "req-1",
    }


@pytest.mark.django_db(transaction=True)
def test_what_did_not_happen_is_not_sent(world: World, collector: SyslogServer) -> None:
    configure(audit_log_forward_endpoint=collector.endpoint)
    with transaction.atomic():
        audit.record(world.actor("sysadmin"), "create", "project", "never")
        transaction.set_rollback(True)
    _change(world, "fresh")
    assert [message.body["resource"] for message in collector.wait_for(1)] == ["fresh"]


@pytest.mark.django_db(transaction=True)
def test_pulls_are_sent_in_batches(world: World, collector: SyslogServer) -> None:
    configure(audit_log_forward_endpoint=collector.endpoint)
    for _ in range(3):
        pulls.note(
            pulls.Pull(world.project.pk, world.artifact.repository_id, world.artifact.pk, None, "guest", "team/app:1.0")
        )
    pulls.flush()
    assert [message.kind for message in collector.wait_for(3)] == ["pull_artifact"] * 3


@pytest.mark.django_db(transaction=True)
def test_an_outage_loses_nothing_and_stops_nobody(world: World, collector: SyslogServer) -> None:
    configure(audit_log_forward_endpoint=collector.endpoint)
    _change(world, "before")
    collector.wait_for(1)
    collector.stop()
    started = time.monotonic()
    for number in range(5):
        _change(world, f"during{number}")
    assert time.monotonic() - started < 5
    wait_until(lambda: not audit_forward.is_delivering(), 5, "the outage to be noticed")
    again = SyslogServer(collector.port)
    try:
        _change(world, "after")
        names = {message.body["resource"] for message in again.wait_for(6)}
    finally:
        again.stop()
    assert names == {*(f"during{number}" for number in range(5)), "after"}
    assert audit_forward.is_delivering()


@pytest.mark.django_db(transaction=True)
def test_without_the_database(world: World, collector: SyslogServer) -> None:
    configure(audit_log_forward_endpoint=collector.endpoint, skip_audit_log_database=True)
    AuditLog.objects.all().delete()
    _change(world, "only-sent")
    assert [message.body["resource"] for message in collector.wait_for(1)] == ["only-sent"]
    pull(world)
    collector.wait_for(2)
    assert not AuditLog.objects.exists()
    # Nobody takes them: they are kept here as well.
    collector.stop()
    _change(world, "lost")
    wait_until(lambda: not audit_forward.is_delivering(), 5, "the outage to be noticed")
    _change(world, "kept")
    assert AuditLog.objects.filter(resource="kept").exists()


def test_skipping_without_an_endpoint_keeps(world: World) -> None:
    """However it came about: a pin may say so, and the endpoint may be gone."""
    configure(skip_audit_log_database=True)
    _change(world, "kept")
    assert AuditLog.objects.filter(resource="kept").exists()


def test_a_server_that_only_accepts_blocks_nobody(collector: SyslogServer, caplog: pytest.LogCaptureFixture) -> None:
    """It takes the connection and never reads; when the queue is full the oldest go to our own log."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        endpoint = f"127.0.0.1:{server.getsockname()[1]}"
        started = time.monotonic()
        for _ in range(audit_forward.MAX_QUEUED // 1000 + 2):
            audit_forward.submit(endpoint, [b"x" * 2000] * 1000)
        assert time.monotonic() - started < 10
    assert "not forwarded because the queue is full" in caplog.text


def test_what_is_left_at_the_end_is_logged(collector: SyslogServer, caplog: pytest.LogCaptureFixture) -> None:
    audit_forward.submit("127.0.0.1:1", [b"the last words"])
    audit_forward.finish(0.5)
    assert "the process ends: the last words" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_many_writers_at_once(world: World, collector: SyslogServer) -> None:
    configure(audit_log_forward_endpoint=collector.endpoint)

    def write(number: int) -> None:
        for step in range(20):
            audit.record(world.actor("sysadmin"), "update", "project", f"{number}-{step}")
        connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [message.body["resource"] for message in collector.wait_for(80)]
    assert sorted(names) == sorted(f"{number}-{step}" for number in range(4) for step in range(20))
    assert collector.broken == []

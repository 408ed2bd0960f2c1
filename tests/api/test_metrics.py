"""What Prometheus reads."""

import os
import re
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from harbor_core.api.metrics import resources
from harbor_core.env import ConfigError, env_address
from harbor_core.lib import traffic
from harbor_core.lib.metrics import exposition, operation
from jobservice import dispatch
from jobservice.models import JobTotal, Task
from jobservice.services.transitions import move
from jobservice.states import Status
from projects.models import Blob, Quota
from projects.services import quota_checks
from replication import ratelimits
from replication.adapters.base import Endpoint
from replication.models import Registry
from tests.portal.conftest import World, world  # noqa: F401 - a fixture
from tests.support.services import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.django_db


def _values(text: str) -> dict[str, float]:
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line and not line.startswith("#")
    }


@pytest.fixture
def read(settings: LazySettings) -> Client:
    settings.METRICS = "127.0.0.1:9090"
    settings.METRICS_CACHE_SECONDS = 0
    cache.clear()
    return Client()


def test_there_is_nothing_unless_it_is_wanted() -> None:
    assert Client().get("/_metrics").status_code == 404


def test_components_of_other_systems_are_not_there(read: Client) -> None:
    assert read.get("/_metrics?comp=registry").status_code == 404


def test_what_there_is(read: Client, world: World) -> None:  # noqa: F811 - the fixture
    blob = Blob.objects.create(digest="sha256:" + "a" * 64, size=7, touched_at=timezone.now())
    dispatch.submit("RETENTION")
    hub = Registry.objects.create(name="hub", type="docker-hub", url="https://hub.docker.com", status="healthy")
    ratelimits.note(Endpoint(hub.url, hub.access_key), {"ratelimit-limit": "100", "ratelimit-remaining": "7"})
    answer = read.get("/_metrics")
    assert answer.status_code == 200 and answer["Content-Type"].startswith("text/plain; version=")
    found = _values(answer.content.decode())
    assert found['harbor_project_total{public="true"}'] == 1 and found['harbor_project_total{public="false"}'] == 2
    assert found['harbor_project_member_total{project_name="secret"}'] == world.secret.members.count()
    assert found['harbor_project_quota_byte{project_name="library"}'] == world.library.quota.hard
    assert found["harbor_statistics_total_repo_amount"] == sum(
        value for name, value in found.items() if name.startswith("harbor_project_repo_total")
    )
    assert found['harbor_task_queue_size{type="RETENTION"}'] == 1
    assert found['harbor_registry_rate_limit{registry="hub"}'] == 100
    assert found['harbor_registry_rate_limit_remaining{registry="hub"}'] == 7
    assert found['harbor_up{component="database"}'] == 1
    assert 'harbor_project_quota_drift_byte{project_name="library"}' not in found, "nobody has looked"
    assert found['harbor_gc_blobs{state="waiting"}'] == 1 and found['harbor_gc_bytes{state="waiting"}'] == blob.size


def test_the_age_of_a_queue_grows(read: Client) -> None:
    task = dispatch.submit("RETENTION").tasks.get()
    Task.objects.filter(pk=task.pk).update(queued_at=timezone.now() - timedelta(hours=2))
    found = _values(read.get("/_metrics").content.decode())
    assert 7200 <= found['harbor_task_queue_latency{type="RETENTION"}'] < 7300


def test_wrong_accounts(read: Client, world: World) -> None:  # noqa: F811 - the fixture
    Quota.objects.filter(project=world.library).update(used=world.library.quota.used + 11)
    quota_checks.run()
    found = _values(read.get("/_metrics").content.decode())
    drift = {name: value for name, value in found.items() if name.startswith("harbor_project_quota_drift_byte")}
    expected = Quota.objects.get(project=world.library).drift
    assert drift['harbor_project_quota_drift_byte{project_name="library"}'] == expected != 0
    at = found['harbor_project_quota_checked_timestamp_seconds{project_name="library"}']
    assert abs(at - timezone.now().timestamp()) < 60
    assert found['harbor_project_quota_miscounted_blobs{project_name="library"}'] >= 0


def test_what_gateways_tell() -> None:
    meter = traffic.Meter()
    for line in (b"<190>Nov 30 20:00:00 nginx: blob 200 100 5000 1", b"<190>Nov 30 20:00:00 nginx: blob 404 100 50 1",
                 b"<190>Nov 30 20:00:00 nginx: upload 201 70000 0 0"):  # fmt: skip
        meter.take(line)
    for line in (b"", b"blob 200 1 1 0", b"<190>x: other 200 1 1 0", b"<190>x: blob 200 1 -1 0", b"\xff" * 2048,
                 b"<190>x: blob 200 1 1 0\n<190>x: blob 200 1 1 0"):  # fmt: skip
        meter.take(line)
    found = _values(exposition([meter]).decode())
    assert found['harbor_gateway_sent_bytes_total{operation="blob"}'] == 5050
    assert found['harbor_gateway_received_bytes_total{operation="upload"}'] == 70000
    assert found['harbor_gateway_requests_total{code="200",operation="blob"}'] == 1
    assert found["harbor_gateway_proxy_cache_blobs_total"] == 1
    assert found['harbor_gateway_sent_bytes_total{operation="token"}'] == 0


def test_a_meter_waits_for_its_address_and_lives_on_garbage() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        traffic.listen(f"127.0.0.1:{port}")
    meter = traffic.meter
    assert meter is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gateway:

        def told() -> bool:
            for datagram in (b"garbage", b"", b"x" * 3000, b"<190>Nov 30 20:00:00 nginx: api 200 10 20 0"):
                gateway.sendto(datagram, ("127.0.0.1", port))
            return _values(exposition([meter]).decode())['harbor_gateway_sent_bytes_total{operation="api"}'] > 0

        wait_until(told, 20, "the meter to count")
    traffic.meter = None


def test_a_project_that_was_deleted_is_gone(read: Client, world: World) -> None:  # noqa: F811 - the fixture
    world.empty.deleted = True
    world.empty.save()
    assert 'project_name="empty"' not in read.get("/_metrics").content.decode()


def test_tasks_that_ended(read: Client) -> None:
    task = dispatch.submit("RETENTION").tasks.get()
    for source, target in ((Status.PENDING, Status.RUNNING), (Status.RUNNING, Status.SUCCESS)):
        move(Task.objects.filter(pk=task.pk), source, target)
    found = _values(read.get("/_metrics?comp=jobservice").content.decode())
    assert found['harbor_jobservice_task_total{status="Success",type="RETENTION"}'] == 1
    assert 'harbor_jobservice_task_process_time_seconds_total{status="Success",type="RETENTION"}' in found
    assert JobTotal.objects.get().tasks == 1


def test_numbers_cost_the_same_however_much_there_is(
    read: Client,
    world: World,  # noqa: F811 - the fixture
    django_assert_max_num_queries: object,
) -> None:
    with django_assert_max_num_queries(30):  # type: ignore[operator]  # a fixture
        read.get("/_metrics")


_COUNTING = """
import sys
from harbor_core.lib import metrics
def answer(environ, start_response):
    start_response("200 OK", [])
    return [b""]
application = metrics.counted(answer, frozenset(("projects",)))
for path in sys.argv[1:]:
    application({"REQUEST_METHOD": "GET", "PATH_INFO": path}, lambda status, headers: None)
metrics.uploaded(5)
if not sys.argv[1:]:
    sys.stdout.buffer.write(metrics.exposition(requests=True))
"""


def test_all_processes_are_added_up(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROMETHEUS")}
    environment |= {"HARBOR_METRICS": "on", "HARBOR_RUN_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}

    def run(*paths: str) -> str:
        command = [sys.executable, "-c", _COUNTING, *paths]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    run("/api/v2.0/projects/1", "/v2/a/b/manifests/latest")
    run("/api/v2.0/projects", "/api/v2.0/" + "x" * 50)
    found = _values(run())
    requests = 'harbor_core_http_request_total{code="200",method="GET",operation="%s"}'
    assert {name: found[requests % name] for name in ("projects", "manifest", "api")} == {
        "projects": 2, "manifest": 1, "api": 1,
    }  # fmt: skip
    assert found["harbor_core_uploaded_bytes_total"] == 15
    assert found["harbor_core_http_inflight_requests"] == 0
    assert found['harbor_core_http_request_duration_seconds_count{method="GET",operation="projects"}'] == 2


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v2/library/blobs/manifests/latest", "manifest"), ("/v2/a/blobs/uploads/", "upload"), ("/v2/", "v2"),
        ("/v2/a/blobs/sha256:aa", "blob"), ("/v2/a/tags/list", "tags"), ("/service/token", "token"),
        ("/_authz/blob", "authorize_blob"), ("/api/v2.0/projects", "projects"), ("/api/v2.0/nothing/x", "api"),
        ("/api/version", "api"), ("/harbor/projects", "portal"),
    ],
)  # fmt: skip
def test_operations_come_from_a_fixed_set(path: str, name: str) -> None:
    assert operation(path, resources()) == name


def test_where_it_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, address in (("", ""), ("off", ""), ("on", "127.0.0.1:9090"), ("9100", "127.0.0.1:9100"),
                           ("0.0.0.0:9100", "0.0.0.0:9100"), ("[::]:9100", "[::]:9100")):  # fmt: skip
        monkeypatch.setenv("HARBOR_METRICS", value)
        assert env_address("HARBOR_METRICS") == address
    for value in ("everywhere:9100", "70000", ":9100", "127.0.0.1:"):
        monkeypatch.setenv("HARBOR_METRICS", value)
        with pytest.raises(ConfigError, match=re.escape("HARBOR_METRICS must be")):
            env_address("HARBOR_METRICS")

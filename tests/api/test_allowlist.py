"""The system's CVE allowlist, and the service behind every allowlist."""

import threading
from typing import Any

import pytest
from django.db import connection

from harbor_core.models import AuditLog
from projects.models import CVEAllowlist
from projects.services import allowlist
from tests.cast import Api, World, actor_of, configure

PATH = "system/CVEAllowlist"


def body(*items: str, **more: Any) -> dict[str, Any]:
    return {"items": [{"cve_id": item} for item in items]} | more


def test_empty_before_the_first_write(api: Api) -> None:
    never = "0001-01-01T00:00:00.000Z"
    assert api("guest", "GET", PATH).json() == {"items": [], "creation_time": never, "update_time": never}


def test_written_and_read(api: Api) -> None:
    assert api("sysadmin", "PUT", PATH, body("CVE-2019-10164", "GHSA-x", expires_at=1893456000)).status_code == 200
    seen = api("guest", "GET", PATH).json()
    assert seen["items"] == [{"cve_id": "CVE-2019-10164"}, {"cve_id": "GHSA-x"}]
    assert seen["expires_at"] == 1893456000
    assert "project_id" not in seen and seen["id"]
    assert api("sysadmin", "PUT", PATH, body(expires_at=None)).status_code == 200
    again = api("guest", "GET", PATH).json()
    assert (again["items"], "expires_at" in again, again["id"]) == ([], False, seen["id"])
    assert CVEAllowlist.objects.count() == 1
    row = AuditLog.objects.filter(resource_type="cve-allowlist").latest("id")
    assert (row.username, row.operation, row.project_id) == ("admin", "update", None)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (body("CVE-1", "CVE-1"), 400),
        (body(""), 400),
        (body("CVE 1"), 400),
        (body("x" * 129), 400),
        (body("CVE-1\nCVE-2"), 400),
        (body("CVE-1", expires_at=-1), 400),
        (body("CVE-1", expires_at=2**63), 422),
        (body("CVE-1", expires_at="soon"), 422),
        ({"items": ["CVE-1"]}, 422),
        ({"items": [{}]}, 422),
        ({"items": {}}, 422),
        (body(*(f"CVE-{number}" for number in range(10_001))), 400),
    ],
)
def test_refused(api: Api, sent: Any, status: int) -> None:
    assert api("sysadmin", "PUT", PATH, sent).status_code == status
    assert not CVEAllowlist.objects.exists()


def test_read_only(api: Api) -> None:
    configure(read_only=True)
    assert api("sysadmin", "PUT", PATH, body("CVE-1")).status_code == 403


def test_a_project_has_its_own(world: World) -> None:
    actor = actor_of(world.users["project_admin"])
    allowlist.set(actor, world.project, ["CVE-1"], None)
    allowlist.set(actor, None, ["CVE-2"], 5)
    assert allowlist.get(world.project.pk).items == ["CVE-1"]
    assert allowlist.get(None).items == ["CVE-2"]
    assert AuditLog.objects.filter(resource_type="cve-allowlist", project_id=world.project.pk).count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_first_writes_at_once(world: World) -> None:
    actor = actor_of(world.users["sysadmin"])
    failures: list[Exception] = []

    def write(item: str) -> None:
        try:
            allowlist.set(actor, None, [item], None)
        except Exception as exc:  # any at all is the failure looked for
            failures.append(exc)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(f"CVE-{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert CVEAllowlist.objects.count() == 1

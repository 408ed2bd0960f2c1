"""Storage audits in the portal."""

import pytest
from django.test import Client
from django.utils import timezone

from harbor_core.models import AuditLog
from jobservice.models import Execution, Schedule, StorageFinding
from tests.portal.conftest import World

pytestmark = pytest.mark.django_db
AUDIT = "/harbor/storage-audit"


@pytest.fixture
def report(world: World) -> Execution:
    """A finished one with a finding that can be settled and one that cannot."""
    made = Execution.objects.create(
        vendor_type="STORAGE_AUDIT",
        status="Success",
        end_time=timezone.now(),
        extra_attrs={"findings": 2, "unknown_blob": 1, "missing_blob": 1, "unknown_bytes": 2048},
    )
    digest = "sha256:" + "a" * 64
    StorageFinding.objects.create(execution=made, kind="unknown_blob", path="blobs/a", digest=digest, size=2048)
    StorageFinding.objects.create(execution=made, kind="missing_blob", digest="sha256:" + "b" * 64, recorded=7)
    return made


def test_administrators_see_it_and_nobody_else(world: World, admin: Client, report: Execution) -> None:
    paths = ("", "/start", "/schedule", f"/{report.pk}", f"/{report.pk}/delete?kind=unknown_blob")
    other = Client()
    other.force_login(world.developer)
    for path in paths:
        assert admin.get(f"{AUDIT}{path}").status_code == 200, path
        assert other.get(f"{AUDIT}{path}").status_code == 404, path
    assert admin.get(f"{AUDIT}/{report.pk + 1}").status_code == 404


def test_a_comparison_is_started_after_a_question(admin: Client) -> None:
    asked = admin.get(f"{AUDIT}/start").content
    assert b"Nothing is changed" in asked and not Execution.objects.exists()
    assert b"button-danger" not in asked, "nothing is lost by it"
    assert admin.post(f"{AUDIT}/start")["Location"] == AUDIT
    run = Execution.objects.get()
    assert run.vendor_type == "STORAGE_AUDIT" and f"{AUDIT}/{run.pk}".encode() in admin.get(AUDIT).content
    assert b"Running" in admin.get(f"{AUDIT}/{run.pk}").content


def test_it_has_a_schedule(admin: Client) -> None:
    assert b"there is no schedule" in admin.get(AUDIT).content
    assert admin.post(f"{AUDIT}/schedule", {"type": "Custom", "cron": "often"}).status_code == 400
    assert not Schedule.objects.exists()
    assert admin.post(f"{AUDIT}/schedule", {"type": "Custom", "cron": "0 0 4 * * 0"})["Location"] == AUDIT
    assert Schedule.objects.get().vendor_type == "STORAGE_AUDIT"
    assert b"Scheduled: 0 0 4 * * 0 (UTC)." in admin.get(AUDIT).content
    assert admin.post(f"{AUDIT}/schedule", {"type": "None"}).status_code == 302
    assert not Schedule.objects.exists()


def test_a_report_shows_what_was_found(admin: Client, report: Execution) -> None:
    page = admin.get(f"{AUDIT}/{report.pk}").content.decode()
    assert "Unknown bytes" in page and "2.00 KiB" in page and "Missing bytes" in page and "recorded: 7 B" in page
    assert f"/{report.pk}/adopt?kind=unknown_blob" in page and "kind=missing_blob&" not in page
    assert f"/{report.pk}/delete?kind=missing_blob" not in page
    some = admin.get(f"{AUDIT}/{report.pk}?kind=missing_blob").content.decode()
    assert "b" * 64 in some and "a" * 64 not in some
    assert "1 finding" not in admin.get(AUDIT).content.decode() and "2 findings" in admin.get(AUDIT).content.decode()


@pytest.mark.parametrize(("action", "one"), [("adopt", False), ("delete", False), ("delete", True)])
def test_settling_starts_a_run_of_its_own(admin: Client, report: Execution, action: str, one: bool) -> None:
    finding = StorageFinding.objects.get(kind="unknown_blob")
    url = f"{AUDIT}/{report.pk}/{action}?" + (f"finding={finding.pk}" if one else "kind=unknown_blob")
    assert admin.get(url).status_code == 200 and Execution.objects.count() == 1
    answer = admin.post(url)
    run = Execution.objects.latest("pk")
    assert answer["Location"] == f"{AUDIT}/{run.pk}"
    chosen = {"findings": [finding.pk]} if one else {"kinds": ["unknown_blob"]}
    assert run.extra_attrs == {"report": report.pk, "action": action} | chosen
    assert AuditLog.objects.filter(operation=action, resource_type="stored-content").exists()
    assert f"{AUDIT}/{report.pk}".encode() in admin.get(f"{AUDIT}/{run.pk}").content


def test_what_cannot_be_settled(admin: Client, report: Execution) -> None:
    missing = StorageFinding.objects.get(kind="missing_blob")
    for rest in ("adopt?kind=empty_tree", "delete?kind=missing_blob", f"delete?finding={missing.pk}", "burn?kind=x",
                 "delete", "delete?finding=99999999999999999999"):  # fmt: skip
        assert admin.post(f"{AUDIT}/{report.pk}/{rest}").status_code == 404, rest
    assert Execution.objects.count() == 1

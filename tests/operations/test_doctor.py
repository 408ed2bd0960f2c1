"""The doctor says what is wrong and what to do, and goes on."""

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from auth.models import ADMIN_ID, User
from harbor_core.env import InternalTLS
from harbor_core.lib import redis
from harbor_core.lib.storage_backends import FilesystemBackend
from harbor_core.models import SystemConfig
from harbor_core.services import doctor
from harbor_core.services.doctor import ERROR, OK, WARNING, Finding
from harbor_core.standalone.tls import ensure_certificate
from jobservice.models import Schedule, WorkerPool
from projects.services import tag_journal
from tests.cast import World
from tests.support.services import Registry

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("token_keys")]


def found(check: str) -> list[Finding]:
    return [finding for finding in doctor.examine() if finding.check == check]


def levels(check: str) -> set[str]:
    return {finding.level for finding in found(check)}


def test_what_is_well(world: World, registry: Registry, store: FilesystemBackend) -> None:
    for check in ("settings", "database", "redis", "storage", "keys", "secrets"):
        assert levels(check) == {OK}, found(check)
    assert not list(store.root.rglob("doctor-*"))


def test_a_registry_with_another_volume(world: World, registry: Registry) -> None:
    """The test's storage is not the registry's: what the database promises is not there."""
    (answers, *others) = found("registry")
    assert answers.level == OK
    assert [finding.level for finding in others if "does not have" in finding.message] == [ERROR]


def test_what_does_not_answer(world: World, settings: Any) -> None:
    settings.REGISTRY_URL = "http://127.0.0.1:9"
    settings.REDIS = redis.parse("redis://127.0.0.1:9/0")
    settings.PUBLIC_URLS = ["http://127.0.0.1:9"]
    assert levels("redis") == {ERROR} and levels("urls") == {WARNING}
    assert "does not answer" in found("redis")[0].message


def test_a_storage_that_cannot_be_written(world: World, store: FilesystemBackend) -> None:
    store.root = Path("/proc/nowhere")
    assert [finding.level for finding in found("storage")] == [ERROR]


def test_low_space(world: World, settings: Any) -> None:
    settings.LOW_SPACE_BYTES = 2**62
    assert ERROR in levels("storage")


def test_certificates_between_the_roles(world: World, settings: Any, tmp_path: Path) -> None:
    ensure_certificate(tmp_path, ["https://core"], days=5)
    settings.PUBLIC_URLS = []
    settings.INTERNAL_TLS = InternalTLS(str(tmp_path / "server.crt"), "", str(tmp_path / "ca.crt"))
    soon, authority = found("tls")
    assert soon.level == WARNING and "server.crt: the certificate ends in 4 days" in soon.message
    assert authority.level == OK and "ca.crt" in authority.message


def test_keys(world: World, settings: Any, tmp_path: Path) -> None:
    settings.TOKEN_KEY_DIR = tmp_path
    assert "no key for tokens" in found("keys")[0].message


def test_secrets_under_a_lost_key(world: World) -> None:
    SystemConfig.objects.create(key="oidc_client_secret", value="written under another key")
    (finding,) = found("secrets")
    assert finding.level == ERROR and "oidc_client_secret" in finding.message


def test_the_documented_password(world: World, settings: Any) -> None:
    admin = User.objects.get(pk=ADMIN_ID)
    admin.set_password(doctor.DEFAULT_PASSWORD)
    admin.save()
    assert levels("accounts") == {WARNING}  # nobody but this machine reaches it
    settings.EXTERNAL_URL = "https://harbor.example"
    assert levels("accounts") == {ERROR}


def test_nobody_works(world: World) -> None:
    Schedule.objects.create(vendor_type="GARBAGE_COLLECTION", cron="0 0 0 * * *",
                            next_time=timezone.now() - timedelta(hours=1))  # fmt: skip
    assert {finding.message for finding in found("jobs")} >= {
        "no worker gives a sign of life",
        "1 schedules are overdue",
    }
    WorkerPool.objects.create(id="w", host="h", pid=1, concurrency=3, heartbeat_at=timezone.now())
    assert OK in levels("jobs")


def test_the_journal(world: World) -> None:
    assert levels("journal") == {WARNING}
    tag_journal.keep()
    assert levels("journal") == {OK}


def test_a_check_that_falls_over_keeps_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        raise RuntimeError("unheard of")
        yield

    monkeypatch.setitem(doctor.CHECKS, "redis", broken)
    assert [finding.message for finding in found("redis")] == ["RuntimeError: unheard of"]
    assert OK in levels("storage")


def test_the_command(world: World) -> None:
    out = StringIO()
    with pytest.raises(CommandError, match="errors"):  # no worker in this test
        call_command("doctor", "--json", stdout=out)
    assert {"check", "level", "message", "hint"} == set(json.loads(out.getvalue())[0])
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("doctor", stdout=out)
    assert "error   jobs: no worker" in out.getvalue()


@pytest.mark.postgres
def test_a_schema_of_another_release(world: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('harbor_core', '9999_later', now())")
    (finding,) = [finding for finding in found("database") if finding.level == WARNING]
    assert "9999_later" in finding.message

"""``/api/internal``: counting usage again, and the first administrator's name."""

from pathlib import Path
from typing import Any

from django.test import Client

from auth.services.users import RENAMED_ADMIN
from harbor_core.models import AuditLog
from jobservice.logs import stores
from jobservice.models import Execution
from jobservice.worker import runner
from jobservice.worker.keeper import Keeper
from projects.models import ProjectBlob, Quota
from tests.cast import API, PASSWORD, World, actor_of, make_user, push_image


def test_usage_is_counted_again(world: World, settings: Any, tmp_path: Path) -> None:
    settings.JOB_LOG_DIR = tmp_path / "logs"
    stores.stores.cache_clear()
    push_image(actor_of(world.users["developer"]), "team/app", "2.0")

    def used() -> int:
        return int(world.api("sysadmin", "GET", "projects/team/summary").json()["quota"]["used"]["storage"])

    right = used()
    ProjectBlob.objects.filter(project=world.project).delete()
    Quota.objects.filter(project=world.project).update(used=7)
    assert used() != right
    assert world.api("sysadmin", "POST", "/api/internal/syncquota").status_code == 200
    while runner.work(Keeper(2)):
        pass
    execution = Execution.objects.get(vendor_type="QUOTA_SYNC")
    assert (execution.status, execution.operator) == ("Success", "admin")
    assert execution.extra_attrs["corrected"] == 1
    assert used() == right
    stores.stores.cache_clear()


def test_the_first_administrator_gives_the_name_up(world: World) -> None:
    assert world.api("sysadmin", "POST", "/api/internal/renameadmin").status_code == 200
    assert world.api("sysadmin", "GET", "users/current").status_code == 401
    seen = world.api(f"{RENAMED_ADMIN}:{PASSWORD}", "GET", "users/current").json()
    assert (seen["user_id"], seen["username"], seen["sysadmin_flag"]) == (1, RENAMED_ADMIN, True)
    assert AuditLog.objects.filter(username="admin", operation="update", resource=RENAMED_ADMIN).exists()
    again = world.api(f"{RENAMED_ADMIN}:{PASSWORD}", "POST", "/api/internal/renameadmin")
    assert again.status_code == 200
    make_user("admin")  # the name is free


def test_other_administrators_do_not_rename_the_first(world: World) -> None:
    make_user("second", sysadmin_flag=True)
    assert world.api(f"second:{PASSWORD}", "POST", "/api/internal/renameadmin").status_code == 403
    assert world.api("sysadmin", "GET", "users/current").status_code == 200


def test_a_name_that_is_taken(world: World) -> None:
    make_user(RENAMED_ADMIN)
    assert world.api("sysadmin", "POST", "/api/internal/renameadmin").status_code == 409
    assert world.api("sysadmin", "GET", "users/current").status_code == 200


def test_the_session_ends_with_the_name(world: World) -> None:
    client = Client()
    client.force_login(world.users["sysadmin"], backend="auth.backends.local.LocalBackend")
    assert client.post("/api/internal/renameadmin").status_code == 200
    assert client.get(f"{API}/users/current").status_code == 401

"""Passwords, robot secrets, and what guessing costs."""

import base64
import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import hashers
from django.core.management import CommandError, call_command
from django.utils import timezone

from auth import credentials, guard
from auth.credentials import BasicCredential, authenticate_basic, parse_basic
from auth.models import ADMIN_ID, Robot, User
from harbor_core.lib.errors import HarborError
from tests.cast import PASSWORD, World, configure, make_robot, make_user


def header(text: str | bytes) -> str:
    return "Basic " + base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        (header("a:b"), BasicCredential("a", "b")),
        (header("a:b:c"), BasicCredential("a", "b:c")),
        (header("a:"), BasicCredential("a", "")),
        (header("ä:ö"), BasicCredential("ä", "ö")),
        (header("a:b").replace("Basic", "bAsIc"), BasicCredential("a", "b")),
        (header("a"), None),
        (header(":b"), None),
        (header("a\0:b"), None),
        (header(b"\xff:b"), None),
        ("Basic !!!", None),
        ("Basic", None),
        ("Bearer x", None),
        ("", None),
    ],
)
def test_basic_header(value: str, parsed: BasicCredential | None) -> None:
    assert parse_basic(value) == parsed


def check(name: str, password: str, address: str = "192.0.2.1") -> Any:
    return authenticate_basic(BasicCredential(name, password), address)


def test_user(db: None) -> None:
    user = make_user("ann")
    assert check("ann", PASSWORD).id == user.pk
    assert check("ann", "wrong") is None
    assert check("Ann", PASSWORD) is None
    assert check("nobody", PASSWORD) is None


def test_a_checked_password_is_not_hashed_again(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    make_user("ann")
    assert check("ann", PASSWORD)

    def hashed(*args: Any, **options: Any) -> bool:
        raise AssertionError("hashed again")

    monkeypatch.setattr(hashers, "verify_password", hashed)
    assert check("ann", PASSWORD)
    with pytest.raises(AssertionError):
        check("ann", "other")


def test_change_disable_and_rights_count_at_once(db: None) -> None:
    user = make_user("ann")
    assert check("ann", PASSWORD)
    User.objects.filter(pk=user.pk).update(sysadmin_flag=True)
    assert check("ann", PASSWORD).is_sysadmin
    user.set_password("Another-horse-8")
    user.save()
    assert check("ann", PASSWORD) is None
    assert check("ann", "Another-horse-8")
    User.objects.filter(pk=user.pk).update(deleted=True)
    assert check("ann", "Another-horse-8") is None


def test_the_anonymous_row_cannot_sign_in(admin: User) -> None:
    assert check("anonymous", "") is None
    assert check("anonymous", "!") is None


def test_robots(world: World) -> None:
    make_robot("sys", None, ("user:list",), "system-secret")
    assert check("robot$team+ci", "robot-secret").is_robot
    assert check("robot$sys", "system-secret").is_robot
    for name, secret in (
        ("robot$team+ci", "wrong"),
        ("robot$ci", "robot-secret"),
        ("robot$other+ci", "robot-secret"),
        ("robot$team+sys", "system-secret"),
        ("team+ci", "robot-secret"),
        ("robot$", ""),
        ("robot$+", ""),
    ):
        assert check(name, secret) is None, name
    assert world.robot.secret_digest != "robot-secret" and len(world.robot.secret_digest) == 64


def test_robots_end(world: World) -> None:
    assert check("robot$team+ci", "robot-secret")
    Robot.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert check("robot$team+ci", "robot-secret") is None
    Robot.objects.update(expires_at=timezone.now() + timedelta(days=1))
    assert check("robot$team+ci", "robot-secret")
    Robot.objects.update(disabled=True)
    assert check("robot$team+ci", "robot-secret") is None


def test_robot_prefix_is_a_setting(world: World) -> None:
    configure(robot_name_prefix="bot-")
    assert check("bot-team+ci", "robot-secret")
    assert check("robot$team+ci", "robot-secret") is None


def test_digest_depends_on_the_key(settings: Any) -> None:
    before = credentials.secret_digest("secret")
    settings.SECRET_KEY = "another key that is long enough to be one"
    assert credentials.secret_digest("secret") != before


# ---------------------------------------------------------------------- guessing


def test_the_pair_has_to_wait(db: None) -> None:
    make_user("ann")
    for _ in range(guard.FREE_FAILURES):
        assert check("ann", "wrong") is None
    with pytest.raises(HarborError) as caught:
        check("ann", PASSWORD)
    assert (caught.value.status, int(caught.value.headers["Retry-After"]) >= 1) == (429, True)
    # Elsewhere the owner gets in as ever, and other accounts are not touched.
    assert check("ann", PASSWORD, "192.0.2.2")
    make_user("bob")
    assert check("bob", PASSWORD)


def test_waiting_ends_and_success_forgets(db: None) -> None:
    make_user("ann")
    for _ in range(guard.FREE_FAILURES):
        check("ann", "wrong")
    time.sleep(2.1)
    assert check("ann", PASSWORD)
    for _ in range(guard.FREE_FAILURES - 1):
        assert check("ann", "wrong") is None


def test_the_wait_is_capped(db: None) -> None:
    for _ in range(40):
        guard.failed("ann", "192.0.2.1")
    with pytest.raises(HarborError) as caught:
        guard.check("ann", "192.0.2.1")
    assert int(caught.value.headers["Retry-After"]) <= guard.MAX_WAIT_SECONDS


def test_many_addresses_cannot_lock_an_account_out(db: None) -> None:
    guard.succeeded("ann", "192.0.2.1")
    for number in range(50):
        guard.failed("ann", f"198.51.100.{number}")
    guard.check("ann", "192.0.2.1")  # known: exempt
    guard.check("ann", "192.0.2.2")  # somebody new takes the turn
    with pytest.raises(HarborError):
        guard.check("ann", "192.0.2.3")


def test_robots_are_guarded_too(world: World) -> None:
    for _ in range(guard.FREE_FAILURES):
        assert check("robot$team+ci", "wrong") is None
    with pytest.raises(HarborError):
        check("robot$team+ci", "robot-secret")


def test_over_http(world: World) -> None:
    """Wrong guesses are anonymous, then 429; the header that names the address comes from the gateway."""
    here = {"X-Real-IP": "192.0.2.1"}
    for _ in range(guard.FREE_FAILURES):
        assert world.api("guest:wrong", "GET", "statistics", headers=here).status_code == 401
    waiting = world.api("guest:wrong", "GET", "statistics", headers=here)
    assert (waiting.status_code, waiting.json()["errors"][0]["code"]) == (429, "TOOMANYREQUESTS")
    assert int(waiting["Retry-After"]) >= 1
    assert world.api("guest", "GET", "statistics", headers={"X-Real-IP": "192.0.2.2"}).status_code == 200


# ---------------------------------------------------------------------- the first administrator


def test_reset_admin(admin: User, capsys: pytest.CaptureFixture[str]) -> None:
    User.objects.filter(pk=ADMIN_ID).update(deleted=True, username="admin#1", sysadmin_flag=False)
    call_command("reset_admin")
    lines = capsys.readouterr().out.splitlines()
    password = lines[1].removeprefix("password: ")
    assert lines[0] == "user name: admin"
    assert check("admin", password).is_sysadmin
    call_command("reset_admin", "--password", "Chosen-horse-9")
    assert check("admin", "Chosen-horse-9") and check("admin", password) is None
    with pytest.raises(CommandError):
        call_command("reset_admin", "--password", "weak")


def test_reset_admin_before_the_first_start(db: None) -> None:
    with pytest.raises(CommandError, match="bootstrap"):
        call_command("reset_admin")

"""What ends with an account's password, and that administration never ends with its last administrator."""

import base64

import pytest
from django.test import Client

from auth.actor import Actor, Credential, Kind
from auth.models import User
from auth.services import users
from harbor_core.lib.errors import HarborError
from tests.portal import content
from tests.portal.conftest import World, signed_in

_NEW = "Other-word-1"


def _is_signed_in(client: Client) -> bool:
    return client.get("/account/password").status_code == 200


def test_a_reset_password_ends_every_session(world: World, admin: Client) -> None:
    first, second = signed_in(world.developer), signed_in(world.developer)
    assert _is_signed_in(first) and _is_signed_in(second)
    form = {"password": _NEW, "again": _NEW}
    assert admin.post(f"/harbor/users/{world.developer.pk}/password", form).status_code == 302
    assert not _is_signed_in(first) and not _is_signed_in(second)
    assert _is_signed_in(admin)


def test_a_changed_password_ends_every_other_session(world: World) -> None:
    own, other = signed_in(world.developer), signed_in(world.developer)
    form = {"old": content.PASSWORD, "new": _NEW, "again": _NEW}
    assert own.post("/account/password", form).status_code == 302
    assert _is_signed_in(own)
    assert not _is_signed_in(other)


@pytest.fixture
def last(world: World) -> User:
    User.objects.filter(sysadmin_flag=True).exclude(pk=world.admin.pk).update(sysadmin_flag=False)
    return world.admin


def test_the_last_administrator_stays_over_the_api(last: User, world: World) -> None:
    pair = base64.b64encode(f"{last.username}:{content.PASSWORD}".encode()).decode()
    path = f"/api/v2.0/users/{last.pk}/sysadmin"

    def put(value: bool) -> int:
        body = {"sysadmin_flag": value}
        sent = Client(HTTP_HOST="localhost:8080").put(
            path, body, content_type="application/json", HTTP_AUTHORIZATION=f"Basic {pair}"
        )
        return sent.status_code

    assert put(False) == 403
    assert User.objects.get(pk=last.pk).sysadmin_flag
    assert put(True) == 200
    User.objects.filter(pk=world.developer.pk).update(sysadmin_flag=True)
    assert put(False) == 200
    assert not User.objects.get(pk=last.pk).sysadmin_flag


def test_nobody_deletes_the_last_administrator(last: User, world: World) -> None:
    """Neither does a robot that may delete users, which is no administrator itself."""
    assert last.pk != 1
    robot = Actor(Kind.ROBOT, 1, "robot$cleaner", False, Credential.BASIC)
    with pytest.raises(HarborError) as refused:
        users.delete(robot, last.pk)
    assert refused.value.code == "FORBIDDEN" and not User.objects.get(pk=last.pk).deleted
    User.objects.filter(pk=world.developer.pk).update(sysadmin_flag=True)
    users.delete(robot, last.pk)
    assert User.objects.get(pk=last.pk).deleted

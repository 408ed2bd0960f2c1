"""Tokens of other issuers: where the keys come from."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from auth import federation, issuer_keys
from auth.federation import UntrustedError
from auth.models import RobotTrust
from harbor_core.lib.errors import HarborError
from tests.auth.federating import exchange, refused, trust
from tests.cast import World
from tests.support.issuer import DISCOVERY, Issuer, make_key, public_jwk
from tests.support.services import wait_until

pytestmark = pytest.mark.usefixtures("token_keys")


# ---------------------------------------------------------------------- keys


def test_keys_are_fetched_once(world: World, issuer: Issuer) -> None:
    trust(world.robot, issuer)
    before = len(issuer.asked)
    for number in range(5):
        assert federation.actor_of(world.robot, issuer.token(jti=str(number)))
    assert issuer.asked[before:] == [DISCOVERY, "/keys"]


def test_keys_from_an_address(world: World, issuer: Issuer) -> None:
    issuer.write("/elsewhere", {"keys": issuer.public_keys})
    trust(world.robot, issuer, issuer="https://issuer.example.com", jwks_uri=f"{issuer.url}/elsewhere")
    before = len(issuer.asked)
    assert federation.actor_of(world.robot, issuer.token(iss="https://issuer.example.com"))
    assert issuer.asked[before:] == ["/elsewhere"]


def test_given_keys_need_no_issuer(world: World, issuer: Issuer, settings: Any) -> None:
    settings.OUTBOUND_ALLOWED = []
    trust(world.robot, issuer, issuer="kubernetes/serviceaccount", jwks={"keys": issuer.public_keys}, ca_certificate="")
    before = len(issuer.asked)
    assert federation.actor_of(world.robot, issuer.token(iss="kubernetes/serviceaccount"))
    assert refused(issuer.token(iss="kubernetes/serviceaccount", key=make_key("RS256")), world.robot)
    assert issuer.asked[before:] == []


def test_rotation(world: World, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key we have not seen makes us look again, though not for every token that says so."""
    trust(world.robot, issuer)
    old = issuer.token()
    assert federation.actor_of(world.robot, old)
    issuer.rotate()
    before = len(issuer.asked)
    assert refused(issuer.token(), world.robot)  # the keys were fetched a moment ago
    assert issuer.asked[before:] == []
    monkeypatch.setattr(issuer_keys, "RETRY_SECONDS", 0.0)
    assert federation.actor_of(world.robot, issuer.token())
    assert issuer.asked[before:] == [DISCOVERY, "/keys"]
    monkeypatch.setattr(issuer_keys, "RETRY_SECONDS", 30.0)
    for number in range(10):
        forged = issuer.token(key=make_key("ES256"), algorithm="ES256", header={"kid": f"unknown-{number}"})
        assert refused(forged, world.robot)
    assert len(issuer.asked) == before + 2
    # What the old key signed is over, once it is no longer remembered.
    federation._verified.clear()
    assert refused(old, world.robot)


def test_an_issuer_that_is_down(world: World, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    trust(world.robot, issuer)
    assert federation.actor_of(world.robot, issuer.token())
    monkeypatch.setattr(issuer_keys, "TTL_SECONDS", 0.0)
    monkeypatch.setattr(issuer_keys, "RETRY_SECONDS", 0.0)
    issuer.down()
    try:
        assert federation.actor_of(world.robot, issuer.token(jti="2"))  # the keys go on
        monkeypatch.setattr(issuer_keys, "GRACE_SECONDS", 0.0)
        with pytest.raises(HarborError) as caught:
            federation.actor_of(world.robot, issuer.token(jti="3"))
        assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "0"})
        answer = exchange(issuer.token(jti="4"))
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert world.api(f"robot$team+ci:{issuer.token(jti='5')}", "GET", "projects/team").status_code == 503
    finally:
        issuer.up()
    monkeypatch.setattr(issuer_keys, "GRACE_SECONDS", 3600.0)
    assert federation.actor_of(world.robot, issuer.token(jti="6"))


def test_an_issuer_that_never_answered(world: World, issuer: Issuer) -> None:
    trust(world.robot, issuer)
    issuer.mode("fail 500")
    before = len(issuer.asked)
    for number in range(4):
        assert exchange(issuer.token(jti=str(number))).status_code == 503
    assert issuer.asked[before:] == [DISCOVERY]  # it is not asked again and again


@pytest.mark.parametrize(
    "spoil",
    [
        lambda issuer: issuer.mode("huge"),
        lambda issuer: issuer.mode("text"),
        lambda issuer: issuer.mode("list"),
        lambda issuer: issuer.mode("redirect https://example.com/keys"),
        lambda issuer: issuer.publish(issuer="https://evil.example.com"),
        lambda issuer: issuer.publish(issuer=issuer.url + "/"),
        lambda issuer: issuer.publish(jwks_uri=None),
        lambda issuer: issuer.publish(jwks_uri="http://localhost/keys"),
        lambda issuer: issuer.publish(jwks_uri="file:///etc/passwd"),
        lambda issuer: issuer.publish(jwks_uri="https://169.254.169.254/keys"),
        lambda issuer: issuer.write("/keys", {"keys": "none"}),
        lambda issuer: issuer.write("/keys", {"keys": ["a"]}),
        lambda issuer: issuer.write("/keys", {}),
    ],
)
def test_documents_that_are_not_accepted(world: World, issuer: Issuer, spoil: Callable[[Issuer], None]) -> None:
    trust(world.robot, issuer)
    spoil(issuer)
    with pytest.raises(HarborError) as caught:
        federation.actor_of(world.robot, issuer.token())
    assert caught.value.status == 503
    assert caught.value.message == f"the keys of {issuer.url} cannot be fetched"


def test_an_issuer_on_the_private_network_needs_leave(world: World, issuer: Issuer, settings: Any) -> None:
    settings.OUTBOUND_ALLOWED = []
    trust(world.robot, issuer)
    before = len(issuer.asked)
    with pytest.raises(HarborError):
        federation.actor_of(world.robot, issuer.token())
    assert issuer.asked[before:] == []


def test_keys_are_kept_apart(world: World, issuer: Issuer) -> None:
    """Whoever names another place for an issuer's keys, or another authority, does so for that trust alone."""
    mine = make_key("RS256")
    issuer.write("/mine", {"keys": [public_jwk(mine, "first")]})
    trust(world.robot, issuer)
    trust(world.robots["robot_all"], issuer, jwks_uri=f"{issuer.url}/mine")
    forged = issuer.token(key=mine)
    assert federation.actor_of(world.robots["robot_all"], forged)
    assert refused(forged, world.robot)
    assert federation.actor_of(world.robot, issuer.token())
    with pytest.raises(UntrustedError):
        federation.actor_of(world.robots["robot_all"], issuer.token())
    RobotTrust.objects.filter(robot=world.robot).update(ca_certificate="")
    federation._verified.clear()
    with pytest.raises(HarborError):  # its certificate is nobody's the system knows
        federation.actor_of(world.robot, issuer.token())


def test_one_thread_fetches_for_all(issuer: Issuer) -> None:
    source = issuer_keys.Source(issuer.url, "", issuer.certificate)
    issuer.mode("late 0.5")
    before = len(issuer.asked)
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(len(issuer_keys.keys_of(source, "first"))))
        for _ in range(issuer_keys.MAX_BUSY)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * issuer_keys.MAX_BUSY
    assert issuer.asked[before:] == [DISCOVERY, "/keys"]


def test_slow_issuers_do_not_hold_every_thread(issuer: Issuer) -> None:
    issuer.mode("late 3")
    sources = [issuer_keys.Source(issuer.url, f"{issuer.url}/keys?{n}", issuer.certificate) for n in range(8)]
    seconds: list[float] = []

    def ask(source: issuer_keys.Source) -> None:
        started = time.monotonic()
        with contextlib.suppress(HarborError):
            issuer_keys.keys_of(source, "first")
        seconds.append(time.monotonic() - started)

    threads = [threading.Thread(target=ask, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken > 1 for taken in seconds) <= issuer_keys.MAX_BUSY


def test_known_keys_are_used_while_they_are_fetched_again(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    source = issuer_keys.Source(issuer.url, f"{issuer.url}/keys", issuer.certificate)
    assert issuer_keys.keys_of(source, "first")
    monkeypatch.setattr(issuer_keys, "TTL_SECONDS", 0.0)
    monkeypatch.setattr(issuer_keys, "RETRY_SECONDS", 0.0)
    issuer.mode("late 2")
    asked = len(issuer.asked)
    thread = threading.Thread(target=issuer_keys.keys_of, args=(source, "first"))
    thread.start()
    wait_until(lambda: len(issuer.asked) > asked, 5, "the thread to ask the issuer")
    started = time.monotonic()
    assert issuer_keys.keys_of(source, "first")
    assert time.monotonic() - started < 1
    thread.join()

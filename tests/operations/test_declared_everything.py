"""Everything the document can say: written out, applied where there is nothing, written out again: the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib.auth.hashers import check_password, is_password_usable
from django.utils import timezone

from auth.actor import system_actor
from auth.credentials import secret_digest
from auth.models import Robot, User, UserGroup
from harbor_core.lib.errors import HarborError
from harbor_core.services import declared
from harbor_core.services.config import config_set
from projects.models import MirrorName, Project
from replication.models import Registry
from replication.selectors.registries import endpoint_of
from tests.api.test_registry_connections import PROXY_LOGIN, Guarded, Walk
from tests.support.remote import RemoteRegistry

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("admin")]
ACTOR = system_actor("config_apply")
HOOK = {
    "event_types": ["PUSH_ARTIFACT"],
    "targets": [{"address": "https://ci.example/hook", "auth_header": "Bearer 1"}],
}
CLAIMS = {"sub": "repo:acme/app:*"}
DOCUMENT: dict[str, Any] = {
    "version": 1,
    "cve_allowlist": {"items": ["CVE-2026-1"], "expires_at": 2_000_000_000},
    "users": {
        "ann": {"realname": "Ann A.", "email": "ann@example.com", "comment": "builds", "admin": True},
        "bob": {"password": {"env": "BOB"}},
    },
    "projects": {
        "team": {
            "members": {"bob": "developer"},
            "webhooks": {"ci": HOOK},
            "cve_allowlist": {"items": ["CVE-2026-2"]},
        },
    },
    "robots": {
        "ci": {
            "description": "all of it",
            "duration": 30,
            "permissions": {"/": ["project:list"], "*": ["repository:pull"], "team": ["repository:push"]},
            "secret": {"env": "CI_SECRET"},
            "trusts": {"actions": {"issuer": "https://ci.example", "audience": "harbor", "claims": CLAIMS}},
        },
        "team+deploy": {"permissions": {"team": ["repository:pull"]}, "disabled": True, "duration": -1},
    },
    "webhooks": {"everything": HOOK},
    "schedules": {"STORAGE_AUDIT": {"cron": "0 0 5 * * 0"}},
}


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOB", "Correct-horse-7")
    monkeypatch.setenv("CI_SECRET", "Robot-secret-number-1")


def again(document: dict[str, Any]) -> dict[str, Any]:
    """What is written out where nothing was, after it was brought about there."""
    before = declared.export()
    with declared.undone():
        declared.apply(ACTOR, document)
        written: dict[str, Any] = yaml.safe_load(yaml.safe_dump(declared.export()))
    assert declared.export() == before
    return written


def test_written_out_applied_and_written_out() -> None:
    first = again(DOCUMENT)
    assert set(DOCUMENT) <= set(first)
    assert "Robot-secret" not in str(first) and "Bearer" not in str(first) and "password" not in str(first)
    assert again(first) == first
    assert again(DOCUMENT) == first


def test_accounts_and_robots() -> None:
    declared.apply(ACTOR, DOCUMENT)
    ann, bob = User.objects.get(username="ann"), User.objects.get(username="bob")
    assert ann.sysadmin_flag and not is_password_usable(ann.password) and not bob.sysadmin_flag
    assert check_password("Correct-horse-7", bob.password)
    robot = Robot.objects.get(name="ci")
    assert robot.live_digests(timezone.now()) == [secret_digest("Robot-secret-number-1")]
    assert robot.trusts.get().claims == CLAIMS
    assert Robot.objects.get(name="deploy").project.name == "team"
    # Nothing to do, and nothing is written anew.
    stored = (bob.password, robot.update_time)
    assert declared.apply(ACTOR, DOCUMENT) == []
    bob.refresh_from_db()
    robot.refresh_from_db()
    assert (bob.password, robot.update_time) == stored


def test_changes_of_accounts_and_robots(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    declared.apply(ACTOR, DOCUMENT)
    monkeypatch.setenv("BOB", "Another-horse-8")
    (tmp_path / "secret").write_text("Robot-secret-number-2\n")
    changed = {
        "version": 1,
        "users": {"ann": {"admin": False, "comment": ""}, "bob": {"password": {"env": "BOB"}}},
        "robots": {
            "ci": {
                "permissions": {"team": ["repository:pull"]},
                "secret": {"file": str(tmp_path / "secret")},
                "trusts": {},
            }
        },
        "webhooks": {
            "everything": {"event_types": ["PULL_ARTIFACT"], "targets": [{"address": "https://ci.example/hook"}]}
        },
    }
    told = {change.where for change in declared.apply(ACTOR, changed, dry_run=True)}
    assert {"users.ann.admin", "robots.ci.trusts.actions", "webhooks.everything.event_types"} <= told
    assert Robot.objects.get(name="ci").trusts.exists()
    declared.apply(ACTOR, changed)
    assert not User.objects.get(username="ann").sysadmin_flag
    assert check_password("Another-horse-8", User.objects.get(username="bob").password)
    robot = Robot.objects.get(name="ci")
    assert robot.secret_digest == secret_digest("Robot-secret-number-2") and not robot.trusts.exists()
    assert robot.permissions.count() == 1 and robot.description == "all of it"
    assert declared.SECTIONS["webhooks"].read({"everything"})["everything"]["targets"][0]["auth_header"]  # it stays


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"users": {"a,b": {}}}, "users.a,b"),
        ({"users": {"eve": {"password": "short"}}}, "users.eve"),
        ({"users": {"eve": {"password": {"file": "/nowhere/secret"}}}}, "users.eve.password"),
        ({"robots": {"ci": {}}}, "robots.ci"),
        ({"robots": {"ci": {"permissions": {"/": ["repository:pull"]}}}}, "robots.ci"),
        ({"robots": {"gone+ci": {"permissions": {"gone": ["repository:pull"]}}}}, "no project gone"),
        ({"groups": {"devs": {}}}, "groups.devs"),
        ({"webhooks": {"x": {"event_types": ["NONE"], "targets": []}}}, "webhooks.x"),
        ({"cve_allowlist": {"nonsense": []}}, "nonsense"),
        ({"projects": {"p": {"cve_allowlist": {"items": ["not an id"]}}}}, "projects.p"),
    ],
)
def test_what_cannot_be(document: dict[str, Any], place: str) -> None:
    with pytest.raises(HarborError, match=place):
        declared.apply(ACTOR, {"version": 1} | document)


@pytest.mark.parametrize(
    ("mode", "groups"),
    [("oidc_auth", {"devs": {}}), ("ldap_auth", {"cn=devs,ou=groups,dc=example": {"name": "devs"}})],
)
def test_groups(mode: str, groups: dict[str, Any]) -> None:
    config_set(auth_mode=mode)
    document = {"version": 1, "groups": groups, "projects": {"team": {"members": {"group:devs": "guest"}}}}
    first = again(document)
    assert first["groups"] == groups and "users" not in first
    assert again(first) == first
    declared.apply(ACTOR, document)
    assert declared.apply(ACTOR, document) == []
    assert UserGroup.objects.get().group_name == "devs"


@pytest.fixture
def remote() -> Iterator[RemoteRegistry]:
    server = RemoteRegistry(("me", "hook-secret"))
    yield server
    server.stop()


def test_connections_of_registries(monkeypatch: pytest.MonkeyPatch) -> None:
    walk, server = Walk(), Guarded()
    try:
        monkeypatch.setenv("KEY", server.client[1])
        monkeypatch.setenv("WAY", f"http://{PROXY_LOGIN[0]}:{PROXY_LOGIN[1]}@{walk.address}")
        stated = {
            "type": "docker-registry",
            "url": server.url,
            "ca_certificate": server.authority,
            "client_certificate": server.client[0],
            "client_key": {"env": "KEY"},
            "proxy": {"env": "WAY"},
            "timeout": 20,
            "speed": 1000,
            "more_credentials": [{"access_key": "two", "access_secret": {"env": "BOB"}}],
        }
        document = {"version": 1, "registries": {"far": stated}}
        declared.apply(ACTOR, document)
        assert walk.through
        endpoint = endpoint_of(Registry.objects.get())
        assert endpoint.client_key == server.client[1] and PROXY_LOGIN[1] in endpoint.proxy
        assert endpoint.more == (("two", "Correct-horse-7"),)
        assert declared.apply(ACTOR, document) == []
        written = declared.export()
        assert PROXY_LOGIN[1] not in str(written) and written["registries"]["far"]["proxy"].endswith(walk.address)
        # As it was written out: what is not told stays.
        assert declared.apply(ACTOR, written) == []
        assert endpoint_of(Registry.objects.get()) == endpoint
    finally:
        walk.close()
        server.stop()


def test_mirrors(remote: RemoteRegistry) -> None:
    connection = {"type": "docker-registry", "url": remote.url, "insecure": True}
    document = {
        "version": 1,
        "registries": {"hub": connection | {"access_key": "me", "access_secret": "hook-secret"}},
        "projects": {
            "mirror": {"proxy_of": "hub", "metadata": {"proxy_mirror_names": "hub.example", "proxy_speed_kb": "5"}}
        },
        "replications": {
            "in": {
                "source": "hub",
                "platforms": ["linux/amd64"],
                "window": "22:00-06:00",
                "filters": [{"type": "name", "value": "team/**"}],
            }
        },
    }
    first = again(document)
    assert first["projects"]["mirror"]["metadata"] == document["projects"]["mirror"]["metadata"]
    assert first["replications"]["in"] == document["replications"]["in"]
    declared.apply(ACTOR, document)
    assert MirrorName.objects.get().project == Project.objects.get(name="mirror")
    assert declared.apply(ACTOR, first) == [] and declared.apply(ACTOR, document) == []
    changed = {"version": 1, "replications": {"in": {"override": True}}}
    assert [change.where for change in declared.apply(ACTOR, changed)] == ["replications.in.override"]

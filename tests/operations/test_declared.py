"""The configuration as one document: what is written out is what applies, dry runs change nothing, drift is told."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from auth.actor import system_actor
from harbor_core.lib.errors import HarborError
from harbor_core.models import AuditLog
from harbor_core.services import declared
from harbor_core.services.config import config_get
from jobservice.models import Schedule
from projects.models import Label, Member, Project, Quota, WebhookPolicy
from replication.models import Registry, ReplicationPolicy
from tests.cast import World
from tests.support.remote import RemoteRegistry

pytestmark = pytest.mark.django_db
ACTOR = system_actor("config_apply")
SELECTOR = {"kind": "doublestar", "decoration": "matches", "pattern": "v*", "extras": ""}
ANYWHERE = {"kind": "doublestar", "decoration": "repoMatches", "pattern": "**", "extras": ""}
DOCUMENT: dict[str, Any] = {
    "version": 1,
    "configuration": {"self_registration": True, "session_timeout": 30},
    "labels": {"stable": {"color": "#00aa00", "description": "may be used"}},
    "projects": {
        "team": {
            "public": True,
            "metadata": {"auto_scan": "true"},
            "storage_limit": 10_000_000,
            "members": {"maintainer": "maintainer", "guest": "developer"},
            "labels": {"own": {"color": "red"}},
            "immutable_rules": [{"tag_selectors": [SELECTOR], "scope_selectors": {"repository": [ANYWHERE]}}],
            "retention": {
                "cron": "0 0 3 * * *",
                "rules": [
                    {
                        "template": "latestPushedK",
                        "params": {"latestPushedK": 5},
                        "tag_selectors": [SELECTOR],
                        "scope_selectors": {"repository": [ANYWHERE]},
                    }
                ],
            },
            "webhooks": {
                "ci": {
                    "event_types": ["PUSH_ARTIFACT"],
                    "targets": [{"address": "https://ci.example/hook", "auth_header": {"env": "CI_HEADER"}}],
                }
            },
        },
        "fresh": {"members": {"developer": "projectAdmin"}},
    },
    "schedules": {"GARBAGE_COLLECTION": {"cron": "0 0 4 * * *", "parameters": {"workers": 2}}},
}


@pytest.fixture(autouse=True)
def header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_HEADER", "Bearer hook-secret")


def test_all_of_it(world: World) -> None:
    changes = {change.where: (change.before, change.after) for change in declared.apply(ACTOR, DOCUMENT)}
    assert changes["configuration.self_registration"] == (False, True)
    assert changes["projects.team.public"] == (False, True)
    assert changes["projects.team.members.guest"] == ("guest", "developer")
    assert config_get("session_timeout") == 30
    project = Project.objects.get(name="team")
    assert project.metadata["auto_scan"] == "true"
    assert Quota.objects.get(project=project).hard == 10_000_000
    assert {member.user.username for member in Member.objects.filter(project=project)} == {"maintainer", "guest"}
    assert Label.objects.filter(project=None, name="stable", color="#00aa00").exists()
    assert Project.objects.get(name="fresh").members.get().user.username == "developer"
    assert Schedule.objects.get(vendor_type="GARBAGE_COLLECTION").parameters["workers"] == 2
    assert Schedule.objects.filter(vendor_type="RETENTION", cron="0 0 3 * * *").exists()
    assert AuditLog.objects.filter(username="config_apply", resource_type="configuration").exists()
    # Once more: nothing is left to do, and nothing is on record for it.
    rows = AuditLog.objects.count()
    assert declared.apply(ACTOR, DOCUMENT) == []
    assert AuditLog.objects.exclude(resource_type="tag-retention").count() <= rows


def test_what_is_written_out_applies(world: World) -> None:
    declared.apply(ACTOR, DOCUMENT)
    document = declared.export()
    assert "hook-secret" not in yaml.safe_dump(document)
    assert declared.apply(ACTOR, yaml.safe_load(yaml.safe_dump(document))) == []


def test_a_dry_run_changes_nothing(world: World) -> None:
    changes = declared.apply(ACTOR, DOCUMENT, dry_run=True)
    assert {"projects.fresh", "labels.stable"} <= {change.where for change in changes}
    assert not Project.objects.filter(name="fresh").exists() and not WebhookPolicy.objects.exists()
    assert config_get("session_timeout") == 60 and not AuditLog.objects.filter(username="config_apply").exists()
    assert "hook-secret" not in str(changes)


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({}, "version"),
        ({"version": 1, "nonsense": {}}, "nonsense"),
        ({"version": 1, "configuration": {"nonsense": 1}}, "nonsense"),
        ({"version": 1, "configuration": {"session_timeout": "soon"}}, "configuration.session_timeout"),
        ({"version": 1, "projects": {"team": {"members": {"nobody": "guest"}}}}, "projects.team"),
        ({"version": 1, "projects": {"team": {"members": {"guest": "king"}}}}, "must be one of"),
        ({"version": 1, "projects": {"team": {"colour": "red"}}}, "colour"),
        ({"version": 1, "projects": {"Not A Name": {}}}, "projects.Not A Name"),
        ({"version": 1, "replications": {"r": {"target": "nowhere"}}}, "replications.r"),
        ({"version": 1, "schedules": {"GARBAGE_COLLECTION": {"cron": "at noon"}}}, "schedules.GARBAGE_COLLECTION"),
        ({"version": 1, "schedules": {"REPLICATION": {"cron": ""}}}, "REPLICATION"),
        ({"version": 1, "registries": {"r": {"access_secret": {"env": "NOT_SET"}}}}, "NOT_SET"),
    ],
)
def test_what_cannot_be_is_refused_whole(world: World, document: dict[str, Any], place: str) -> None:
    given = {"version": 1, "labels": {"first": {}}} | document if document else document
    with pytest.raises(HarborError, match=place):
        declared.apply(ACTOR, given)
    assert not Label.objects.filter(name="first").exists()


@pytest.fixture
def remote() -> Iterator[RemoteRegistry]:
    server = RemoteRegistry(("me", "hook-secret"))
    yield server
    server.stop()


def test_registries_and_policies(world: World, remote: RemoteRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_HEADER", "hook-secret")
    registry = {"type": "docker-registry", "url": remote.url, "insecure": True}
    document = {
        "version": 1,
        "registries": {"other": registry | {"access_key": "me", "access_secret": {"env": "CI_HEADER"}}},
        "replications": {"copy": {"target": "other", "trigger": "scheduled", "cron": "0 0 1 * * *", "enabled": True}},
        "projects": {"mirror": {"proxy_of": "other"}},
    }
    declared.apply(ACTOR, document)
    assert Registry.objects.get(name="other").access_key == "me"
    assert ReplicationPolicy.objects.get(name="copy").target.name == "other"
    assert Project.objects.get(name="mirror").registry_id == Registry.objects.get().pk
    assert declared.apply(ACTOR, document) == []
    written = declared.export()
    assert "access_secret" not in written["registries"]["other"] and written["replications"]["copy"]["enabled"] is True
    assert declared.apply(ACTOR, written) == []
    with pytest.raises(HarborError, match="stays the proxy"):
        declared.apply(ACTOR, {"version": 1, "projects": {"mirror": {"proxy_of": ""}}})


def run(*argv: str) -> str:
    out = StringIO()
    call_command(*argv, stdout=out)
    return out.getvalue()


def test_the_commands(world: World, tmp_path: Path) -> None:
    file = tmp_path / "harbor.yaml"
    file.write_text(yaml.safe_dump(DOCUMENT))
    with pytest.raises(CommandError, match="not what the document states"):
        run("config_apply", str(file), "--drift")
    assert "projects.team.public: false -> true" in run("config_apply", str(file))
    assert run("config_apply", str(file), "--drift") == "0 differences\n"
    assert yaml.safe_load(run("config_export"))["configuration"]["session_timeout"] == 30
    file.write_text("version: [")
    with pytest.raises(CommandError, match="cannot be read"):
        run("config_apply", str(file))

"""What another Harbor has, read over its API, and brought about here. The other one is this instance as it was a moment
ago; between two processes it is tried in tests/standalone/test_import.py."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from auth.actor import system_actor
from auth.credentials import secret_digest
from auth.models import Robot, User
from harbor_core.lib.http import Answer
from harbor_core.services import declared, declared_webhooks, import_source
from harbor_core.services.config import config_set
from harbor_core.services.import_apply import CONFLICT, MADE, REFUSED, SAME, SKIPPED, Import, Outcome
from harbor_core.services.import_source import Source
from projects.models import Member, Project
from replication.adapters.base import Endpoint, UnhealthyError
from replication.adapters.harbor import Harbor
from tests.cast import PASSWORD, Api
from tests.operations.test_declared import ANYWHERE, SELECTOR
from tests.operations.test_declared_everything import DOCUMENT, HOOK

pytestmark = pytest.mark.django_db
ACTOR = system_actor("import_harbor")


class Here(Harbor):
    """A Harbor that is asked without a network. ``instead`` are answers of its own by path, or path and query."""

    def __init__(self, api: Api, instead: Mapping[str, Any] | None = None) -> None:
        super().__init__(Endpoint("https://other.example", "sysadmin", "secret"))
        self._api = api
        self._instead = instead or {}

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        parts = urlsplit(url)
        path = parts.path.removeprefix("/api/v2.0")
        for asked in (f"{path}?{parts.query}", path):
            if asked in self._instead:
                return Answer(200, {}, json.dumps(self._instead[asked]).encode())
        found = self._api("admin", "GET", f"{parts.path}?{parts.query}")
        return Answer(found.status_code, {name.lower(): value for name, value in found.items()}, found.content)


@pytest.fixture
def api(admin: User) -> Api:
    return Api({"admin": f"{admin.username}:{PASSWORD}"})


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOB", PASSWORD)
    monkeypatch.setenv("CI_SECRET", "Robot-secret-number-1")


def other(
    api: Api, document: dict[str, Any], instead: Mapping[str, Any] | None = None
) -> tuple[Source, dict[str, Any]]:
    """What is read of an instance that is as the document says, and what is written out there."""
    with declared.undone():
        declared.apply(ACTOR, {"version": 1} | document)
        return import_source.read(Here(api, instead)), declared.export()


def run(source: Source, **options: Any) -> dict[str, list[Outcome]]:
    """By state."""
    found: dict[str, list[Outcome]] = {}
    dry_run = options.pop("dry_run", False)
    for outcome in Import(ACTOR, source, **options).run(dry_run=dry_run):
        found.setdefault(outcome.state, []).append(outcome)
    return found


def places(outcomes: list[Outcome]) -> set[str]:
    return {outcome.where for outcome in outcomes}


def test_taken_over(api: Api) -> None:
    document = {name: DOCUMENT[name] for name in ("cve_allowlist", "users", "projects", "robots")}
    source, there = other(api, document | {"labels": {"stable": {"color": "red"}}})
    before = declared.export()
    would = run(source, dry_run=True)
    assert declared.export() == before
    done = run(source)
    assert done == would and REFUSED not in done
    assert {"users.ann", "projects.team", "robots.ci", "robots.team+deploy", "labels.stable"} <= places(done[MADE])
    assert {"users.bob", "projects.team.webhooks.ci"} <= places(done[SKIPPED])
    here = declared.export()
    # Nobody knows the secrets of robots, webhooks would tell the same twice, trusts are none of Harbor's.
    for robot in ("ci", "team+deploy"):
        assert here["robots"][robot].pop("disabled") is True
        there["robots"][robot].pop("disabled", None)
    assert here["projects"]["team"]["webhooks"]["ci"].pop("enabled") is False
    there["projects"]["team"]["webhooks"]["ci"].pop("enabled")
    there["robots"]["ci"].pop("trusts")
    assert here == there
    assert not User.objects.get(username="bob").has_usable_password()
    again = run(source)
    assert again.keys() == {SAME, SKIPPED}, again


def test_new_secrets_of_robots(api: Api) -> None:
    source, _ = other(api, {"projects": {"team": {}}, "robots": {"ci": DOCUMENT["robots"]["ci"]}})
    known: dict[str, str] = {}
    run(source, keep_secret=known.__setitem__)
    robot = Robot.objects.get()
    assert not robot.disabled and robot.secret_digest == secret_digest(known["ci"])
    run(source, keep_secret=known.__setitem__)
    robot.refresh_from_db()
    assert known.keys() == {"ci"} and robot.secret_digest == secret_digest(known["ci"])


def test_what_is_here_stays(api: Api) -> None:
    rule = {"tag_selectors": [SELECTOR], "scope_selectors": {"repository": [ANYWHERE]}}
    theirs = {
        "configuration": {"session_timeout": 30, "banner_message": "theirs"},
        "users": {"ann": {"comment": "theirs"}, "bob": {}, "eve": {}},
        "projects": {
            "team": {
                "public": True,
                "members": {"ann": "developer", "bob": "guest"},
                "immutable_rules": [rule],
                "webhooks": {"ci": HOOK},
                "storage_limit": 10,
            }
        },
    }
    own = rule | {"tag_selectors": [SELECTOR | {"pattern": "own*"}]}
    hook = HOOK | {"targets": [{"address": "https://ours.example/hook", "auth_header": "Bearer ours"}]}
    ours = {
        "configuration": {"banner_message": "ours"},
        "users": {"ann": {"comment": "ours"}, "bob": {}},
        "projects": {"team": {"members": {"ann": "maintainer"}, "immutable_rules": [own], "webhooks": {"ci": hook}}},
    }
    source, _ = other(api, theirs)
    declared.apply(ACTOR, {"version": 1} | ours)
    done = run(source)
    assert places(done[CONFLICT]) == {
        "configuration.banner_message",
        "users.ann.comment",
        "projects.team.public",
        "projects.team.members.ann",
        "projects.team.webhooks.ci.targets",
    }
    assert "Bearer" not in str(done)
    here = declared.export()
    assert here["configuration"] == {"banner_message": "ours", "session_timeout": 30}
    team = here["projects"]["team"]
    assert team["members"] == {"ann": "maintainer", "bob": "guest"} and team["storage_limit"] == 10
    assert len(team["immutable_rules"]) == 2 and "public" not in [key for key, value in team.items() if value is True]
    assert stored_header() == "Bearer ours"
    again = run(source)
    assert again.keys() == {SAME, SKIPPED, CONFLICT} and places(again[CONFLICT]) == places(done[CONFLICT])
    changed = run(source, overwrite=True)
    assert CONFLICT not in changed and declared.export()["configuration"]["banner_message"] == "theirs"
    assert Project.objects.get(name="team").public and stored_header() == "Bearer 1"
    assert run(source, overwrite=True).keys() == {SAME, SKIPPED}


def stored_header() -> str:
    found = declared_webhooks.shown(Project.objects.get(name="team"))["ci"]["targets"][0]["auth_header"]
    return str(found)


def test_accounts_of_an_identity_provider(api: Api) -> None:
    """They make themselves; roles of those who are not here yet wait for the next run, groups do not."""
    source, _ = other(
        api,
        {"users": {"ann": {}, "bob": {}}, "projects": {"team": {"members": {"ann": "guest", "bob": "guest"}}}},
        {
            "/configurations": {"auth_mode": {"value": "oidc_auth", "editable": True}},
            "/usergroups": [
                {"id": 1, "group_name": "devs", "group_type": 3},
                {"id": 2, "group_name": "x", "group_type": 1},
            ],
        },
    )
    assert "configuration.auth_mode" in {note.where for note in source.notes}
    config_set(auth_mode="oidc_auth")
    User.objects.create(username="ann", realname="ann", password="!")
    source, _ = other(
        api,
        {"groups": {"devs": {}}, "projects": {"team": {"members": {"ann": "guest", "group:devs": "developer"}}}},
        {"/users": [{"user_id": 1, "username": "admin"}, {"user_id": 7, "username": "late"}]},
    )
    source.document["projects"]["team"]["members"]["late"] = "guest"
    done = run(source)
    assert {"users", "projects.team.members.late"} <= places(done[SKIPPED]) and "groups.devs" in places(done[MADE])
    assert Member.objects.filter(project__name="team").count() == 2
    User.objects.create(username="late", realname="late", password="!")
    assert places(run(source)["changed"]) == {"projects.team"}


def test_what_is_not_known_here_is_told(api: Api) -> None:
    access = [{"resource": "repository", "action": "pull"}, {"resource": "scan", "action": "dream"}]
    permission = {"kind": "project", "namespace": "team", "access": access}
    strange = {"kind": "system", "namespace": "/", "access": [{"resource": "nothing", "action": "pull"}]}
    robots = [
        {"id": 1, "name": "robot$some", "level": "system", "duration": -1, "permissions": [permission]},
        {"id": 2, "name": "robot$none", "level": "system", "duration": -1, "permissions": [strange]},
        {
            "id": 3,
            "name": "robot$late",
            "level": "system",
            "duration": 1,
            "expires_at": 99,
            "permissions": [permission],
        },
    ]
    hooks = [
        {"name": "old", "event_types": ["UPLOAD_CHART"], "targets": HOOK["targets"]},
        {
            "name": "part",
            "event_types": ["PUSH_ARTIFACT", "UPLOAD_CHART"],
            "targets": [*HOOK["targets"], {"type": "smoke"}],
        },
    ]
    registries = [{"id": 4, "name": "odd", "type": "stone-tablets", "url": "https://odd.example"}]
    policies = [{"id": 5, "name": "in", "src_registry": {"id": 4}, "dest_registry": {"id": 0}, "filters": None}]
    project = {"project_id": 9, "name": "team", "metadata": {"public": "false", "colour": "red"}}
    instead = {"/robots?page=1&page_size=100": robots, "/registries": registries, "/replication/policies": policies}
    below = {f"/projects/9/{name}": [] for name in ("immutabletagrules", "members")}
    instead |= below | {"/projects": [project], "/projects/9/webhook/policies": hooks, "/labels": [], "/robots": []}
    source, _ = other(api, {}, instead)
    done = run(source)
    assert {"registries.odd", "replications.in", "robots.some", "robots.none"} <= places(done[SKIPPED])
    told = {"projects.team.webhooks.old", "projects.team.webhooks.part", "projects.team.metadata.colour", "robots.late"}
    assert told <= places(done[SKIPPED])
    assert Project.objects.get(name="team").webhook_policies.get().event_types == ["PUSH_ARTIFACT"]
    assert Robot.objects.get(name="late").disabled
    assert REFUSED not in done and Robot.objects.get(name="some").permissions.count() == 1


def test_one_that_is_refused_leaves_the_others(api: Api) -> None:
    source, _ = other(api, {"labels": {"fine": {}}, "users": {"eve": {"email": "eve@example.com"}}})
    User.objects.create(username="taken", realname="x", email="eve@example.com")
    source.document["labels"] = {"bad" * 100: {}, **source.document["labels"]}
    done = run(source)
    assert places(done[REFUSED]) == {"users.eve", f"labels.{'bad' * 100}"}
    assert "labels.fine" in places(done[MADE])


def test_a_rule_that_is_refused_leaves_its_project(api: Api) -> None:
    source, _ = other(api, {"projects": {"team": {"labels": {"own": {}}, "webhooks": {"ci": HOOK}}}})
    source.document["projects"]["team"]["retention"] = {"cron": "", "rules": [{"template": "byMoonlight"}]}
    source.document["projects"]["team"]["storage_limit"] = 10
    done = run(source)
    assert places(done[REFUSED]) == {"projects.team.retention"}
    assert Project.objects.get(name="team").webhook_policies.count() == 1
    # A project that cannot be is not made by its rules.
    source.document["projects"] = {"other": source.document["projects"]["team"] | {"storage_limit": -7}}
    assert places(run(source)[REFUSED]) == {"projects.other"} and not Project.objects.filter(name="other").exists()


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("/ping", "Ping", "does not answer as Harbor does"),
        ("/users/current", {"sysadmin_flag": False}, "not an administrator"),
        ("/users/current", [], "does not answer as Harbor does"),
        ("/projects", [{"metadata": {}}], "does not answer as Harbor does"),
        ("/projects", {"a": 1}, "does not answer with a list"),
        ("/configurations", {"session_timeout": 7}, "does not answer as Harbor does"),
    ],
)
def test_what_is_no_harbor(api: Api, path: str, content: Any, message: str) -> None:
    with pytest.raises(UnhealthyError, match=message):
        import_source.read(Here(api, {path: content}))

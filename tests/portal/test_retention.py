"""Tag retention of a project: rules, schedule, preview, runs; and who may do what."""

import html
from typing import Any

import pytest
from django.test import Client

from auth.models import User
from auth.rbac import Role
from jobservice.models import Execution, Schedule, Task
from jobservice.states import Status
from jobservice.worker import runner
from jobservice.worker.keeper import Keeper
from portal.views.project import retention
from projects.models import RetentionPolicy
from projects.selectors import retention as selectors
from tests.portal import content
from tests.portal.conftest import World, signed_in

pytestmark = pytest.mark.django_db
RULE = {
    "repository_decoration": "repoMatches",
    "repository_pattern": "**",
    "template": "latestPushedK",
    "number": "1",
    "tag_decoration": "matches",
    "tag_kind": "doublestar",
    "tag_pattern": "**",
}


@pytest.fixture
def path(world: World) -> str:
    return f"/harbor/projects/{world.secret.pk}/tag-retention"


def policy(world: World) -> RetentionPolicy:
    return RetentionPolicy.objects.get(project=world.secret)


def add(client: Client, path: str, **changes: Any) -> Any:
    return client.post(f"{path}/new-rule", RULE | changes)


def test_a_rule_from_beginning_to_end(world: World, admin: Client, path: str) -> None:
    assert admin.get(path).status_code == 200
    assert add(admin, path).status_code == 302
    (rule,) = policy(world).rules
    assert rule["params"] == {"latestPushedK": 1}
    assert not selectors.takes_untagged(rule["tag_selectors"][0])
    url = f"{path}/rules/{selectors.identity(rule)}"
    page = admin.get(url).content.decode()
    assert 'value="1"' in page and "untagged" in page
    changed = RULE | {"tag_kind": "semver", "tag_pattern": "^1.0", "number": "3", "untagged": "on"}
    assert admin.post(url, changed).status_code == 302
    (rule,) = policy(world).rules
    assert rule["tag_selectors"][0]["kind"] == "semver" and selectors.takes_untagged(rule["tag_selectors"][0])
    assert admin.get(url).status_code == 404  # it says something else now
    url = f"{path}/rules/{selectors.identity(rule)}"
    assert admin.get(f"{url}/state").status_code == 200
    assert admin.post(f"{url}/state", {"enabled": "0"}).status_code == 302
    assert policy(world).rules[0]["disabled"]
    assert admin.get(f"{url}/delete").status_code == 200
    assert admin.post(f"{url}/delete").status_code == 302
    assert policy(world).rules == []
    assert admin.post(f"{url}/delete").status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"number": ""},
        {"number": "40000"},
        {"template": "latest"},
        {"tag_pattern": "("},
        {"tag_kind": "regex", "tag_pattern": "("},
        {"tag_kind": "semver", "tag_pattern": "newest"},
        {"repository_pattern": ""},
    ],
)
def test_what_is_refused(world: World, admin: Client, path: str, changes: dict[str, str]) -> None:
    changes = {"tag_pattern": "{a"} if changes == {"tag_pattern": "("} else changes
    answer = add(admin, path, **changes)
    assert answer.status_code == 400 and "field-error" in answer.content.decode()
    assert not RetentionPolicy.objects.exists()


def test_twins_and_rules_that_say_more_than_the_form(world: World, admin: Client, path: str) -> None:
    add(admin, path)
    assert add(admin, path).status_code == 400
    assert len(policy(world).rules) == 1
    row = policy(world)
    row.rules[0]["tag_selectors"] *= 2
    row.save()
    url = f"{path}/rules/{selectors.identity(policy(world).rules[0])}"
    assert admin.get(url).status_code == 404 and admin.get(f"{url}/delete").status_code == 200
    assert f"{url}/delete" in admin.get(path).content.decode() and f'"{url}"' not in admin.get(path).content.decode()


def test_schedule_and_limits(world: World, admin: Client, path: str) -> None:
    url = f"{path}/settings"
    assert admin.get(url).status_code == 200
    values = {"type": "Daily", "cron": "", "keep_newest": "2", "max_delete_percent": "50"}
    assert admin.post(url, values).status_code == 302
    found = policy(world)
    assert (found.cron, found.keep_newest, found.max_delete_percent) == ("0 0 0 * * *", 2, 50)
    assert Schedule.objects.filter(vendor_type="RETENTION", vendor_id=found.pk).exists()
    assert admin.post(url, values | {"type": "Custom", "cron": "whenever"}).status_code == 400
    assert admin.post(url, values | {"type": "None"}).status_code == 302
    assert not Schedule.objects.filter(vendor_type="RETENTION").exists()


def test_preview_and_runs(
    world: World, admin: Client, path: str, settings: Any, tmp_path: Any, monkeypatch: Any
) -> None:
    from jobservice.logs import stores

    settings.JOB_LOG_DIR = tmp_path
    stores.stores.cache_clear()
    content.push_image("secret/app", "1", words="one")
    content.push_image("secret/app", "2", words="two")
    add(admin, path)
    shown = html.unescape(admin.get(f"{path}/preview").content.decode())
    assert "1 artifact would go" in shown and "no rule keeps it" in shown and "the most recently pushed one" in shown
    monkeypatch.setattr(retention, "PREVIEWED_ARTIFACTS", 1)
    many = html.unescape(admin.get(f"{path}/preview").content.decode())
    assert "It has 2 artifacts." in many and "1 artifact would go" not in many
    alone = html.unescape(admin.get(f"{path}/preview?repository=app").content.decode())
    assert "1 artifact would go" in alone
    assert admin.get(f"{path}/run").status_code == 200
    started = admin.post(f"{path}/run?dry_run=1")
    execution = Execution.objects.get(vendor_type="RETENTION")
    assert started["Location"].endswith(f"/runs/{execution.pk}")
    assert admin.get(started["Location"]).status_code == 200
    while runner.work(Keeper(2)):
        pass
    execution.refresh_from_db()
    assert execution.status == Status.SUCCESS and execution.extra_attrs["dry_run"]
    task = Task.objects.get(execution=execution, extra_attrs__repository="secret/app")
    page = admin.get(f"{started['Location']}/tasks/{task.pk}").content.decode()
    assert "this is a dry run" in page
    assert b"this is a dry run" in admin.get(f"{started['Location']}/tasks/{task.pk}/log").content
    assert admin.post(f"{started['Location']}/stop").status_code == 302
    assert f"/runs/{execution.pk}" in admin.get(path).content.decode()
    stores.stores.cache_clear()


def test_who_may_do_what(world: World, admin: Client, path: str) -> None:
    add(admin, path)
    url = f"{path}/rules/{selectors.identity(policy(world).rules[0])}"
    content.member(world.secret, content.user("keeper"), Role.MAINTAINER)
    keeper = signed_in(User.objects.get(username="keeper"))
    for client in (keeper, signed_in(world.developer)):
        assert client.get(path).status_code == 200 and client.get(url).status_code == 200
    for client in (signed_in(world.guest), signed_in(world.outsider), Client()):
        for rest in (path, url, f"{path}/preview", f"{path}/run", f"{path}/settings", f"{path}/new-rule"):
            assert client.get(rest).status_code in (403, 404), rest
        assert add(client, path, number="7").status_code in (302, 401, 403, 404)
    assert len(policy(world).rules) == 1


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_page_has_a_constant_number_of_queries(
    world: World, admin: Client, path: str, language: str, django_assert_max_num_queries: Any
) -> None:
    admin.cookies["harbor_lang"] = language
    for number in range(1, 9):
        add(admin, path, number=str(number))
    with django_assert_max_num_queries(12):
        assert admin.get(path).status_code == 200

"""Rules of replication in the portal: made, previewed, run, switched off and deleted; what a form refuses."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from jobservice.models import Execution, Task
from jobservice.states import Status
from replication.models import PolicyDrift, Registry, ReplicationPolicy
from tests.portal.conftest import World

RULES = "/harbor/replications"


@pytest.fixture
def other(world: World) -> Registry:
    """A registry that nobody answers for."""
    return Registry.objects.create(name="other", type="harbor", url="http://127.0.0.1:9", status="healthy")


def form(registry: Registry, /, **changes: object) -> dict[str, object]:
    shown: dict[str, object] = {
        "name": "mirror",
        "description": "To the other site",
        "mode": "push",
        "registry": registry.pk,
        "repositories": "library/**",
        "tags": "",
        "tags_decoration": "matches",
        "labels": "",
        "labels_decoration": "matches",
        "resource": "",
        "dest_namespace": "mirror",
        "replace_count": "-1",
        "trigger": "manual",
        "cron": "",
        "override": "on",
        "enabled": "on",
    }
    return {name: value for name, value in (shown | changes).items() if value is not None}


def rule() -> ReplicationPolicy:
    return ReplicationPolicy.objects.get(name="mirror")


def test_only_administrators_see_them(world: World, admin: Client, developer: Client, other: Registry) -> None:
    admin.post(f"{RULES}/new", form(other))
    names = ("", "/edit", "/preview", "/delete", "/differences", "/compare", "/repair")
    pages = [RULES, f"{RULES}/new", *(f"{RULES}/{rule().pk}{name}" for name in names)]
    for path in pages:
        assert admin.get(path).status_code == 200, path
        assert developer.get(path).status_code == 404, path
    assert developer.post(f"{RULES}/{rule().pk}/run", {"confirmed": "1"}).status_code == 404


def test_without_a_registry_there_is_nothing_to_copy_to(world: World, admin: Client) -> None:
    page = admin.get(RULES).content.decode()
    assert "/harbor/registries/new" in page and f"{RULES}/new" not in page


def test_a_rule_is_made_and_changed(world: World, admin: Client, other: Registry) -> None:
    changes = {"tags": "v*", "tags_decoration": "excludes", "labels": "a\n\nb, c", "resource": "image", "speed": "100"}
    made = admin.post(f"{RULES}/new", form(other, **changes))
    row = rule()
    assert (made.status_code, made["Location"]) == (302, f"{RULES}/{row.pk}")
    assert (row.source, row.target, row.creator) == (None, other, world.admin.username)
    assert row.filters == [
        {"type": "name", "value": "library/**"},
        {"type": "tag", "value": "v*", "decoration": "excludes"},
        {"type": "label", "value": ["a", "b, c"], "decoration": "matches"},
        {"type": "resource", "value": "image"},
    ]
    assert (row.speed, row.override, row.enabled, row.replicate_deletion) == (100, True, True, False)
    page = admin.get(f"{RULES}/{row.pk}").content.decode()
    assert "library/**" in page and "a, b, c" in page
    edit = admin.get(f"{RULES}/{row.pk}/edit").content.decode()
    assert "library/**" in edit and ">\na\nb, c</textarea>" in edit
    pulled = form(other, mode="pull", trigger="scheduled", cron="0 30 2 * * *", override=None, description="")
    assert admin.post(f"{RULES}/{row.pk}/edit", pulled).status_code == 302
    row = rule()
    assert (row.source, row.target, row.cron, row.override, row.speed) == (other, None, "0 30 2 * * *", False, -1)


def test_what_an_api_client_made_survives_the_form(world: World, admin: Client, other: Registry) -> None:
    ReplicationPolicy.objects.create(name="mirror", target=other, replace_count=5, dest_namespace="x", filters=[])
    edit = admin.get(f"{RULES}/{rule().pk}/edit").content.decode()
    assert '<option value="5" selected>' in edit
    assert admin.post(f"{RULES}/{rule().pk}/edit", form(other, replace_count="5")).status_code == 302
    assert rule().replace_count == 5


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"registry": "999"}, "registry"),
        ({"repositories": "{a"}, "repositories"),
        ({"tags": "[z-a]["}, "tags"),
        ({"dest_namespace": "Not A Name"}, "dest_namespace"),
        ({"mode": "pull", "trigger": "event_based"}, "trigger"),
        ({"trigger": "scheduled", "cron": "nonsense"}, "cron"),
        ({"trigger": "scheduled", "cron": "0 * * * * *"}, "cron"),
        ({"speed": "0"}, "speed"),
        ({"platforms": "linux"}, "platforms"),
        ({"window": "22-6"}, "window"),
        ({"labels": "\n".join(f"label-{number}" for number in range(101))}, "labels"),
    ],
)
def test_what_the_form_refuses(
    world: World, admin: Client, other: Registry, changes: dict[str, object], field: str
) -> None:
    refused = admin.post(f"{RULES}/new", form(other, **changes))
    page = refused.content.decode()
    assert refused.status_code == 400 and f'id="id_{field}_error"' in page, page
    assert "To the other site" in page, "what was typed stays"
    assert not ReplicationPolicy.objects.exists()


def test_a_name_is_taken_once(world: World, admin: Client, other: Registry) -> None:
    admin.post(f"{RULES}/new", form(other))
    refused = admin.post(f"{RULES}/new", form(other))
    assert refused.status_code == 400 and 'id="id_name_error"' in refused.content.decode()


def test_a_preview_says_what_goes_where(world: World, admin: Client, other: Registry) -> None:
    shown = admin.post(f"{RULES}/new", form(other, preview="1"))
    page = shown.content.decode()
    assert shown.status_code == 200 and not ReplicationPolicy.objects.exists()
    assert '<code class="break">library/app</code>' in page and '<code class="break">mirror/app</code>' in page
    nothing = admin.post(f"{RULES}/new", form(other, preview="1", repositories="none/**")).content.decode()
    assert "The rule takes nothing now" in nothing
    impossible = admin.post(f"{RULES}/new", form(other, preview="1", replace_count="2")).content.decode()
    assert "Cannot be copied" in impossible
    admin.post(f"{RULES}/new", form(other))
    assert "mirror/app" in admin.get(f"{RULES}/{rule().pk}/preview").content.decode()


def test_a_preview_of_a_source_that_does_not_answer(world: World, admin: Client, other: Registry) -> None:
    shown = admin.post(f"{RULES}/new", form(other, mode="pull", preview="1"))
    assert shown.status_code == 200
    assert "could not be asked" in shown.content.decode()


def test_a_rule_runs_and_shows_its_runs(world: World, admin: Client, other: Registry) -> None:
    admin.post(f"{RULES}/new", form(other))
    path = f"{RULES}/{rule().pk}"
    asked = admin.get(f"{path}/run")
    assert asked.status_code == 200 and not Execution.objects.filter(vendor_type="REPLICATION").exists()
    assert admin.post(f"{path}/run", {"confirmed": "1"})["Location"] == path
    run = Execution.objects.get(vendor_type="REPLICATION", vendor_id=rule().pk)
    assert run.operator == world.admin.username
    assert f"/executions/{run.pk}" in admin.get(path).content.decode()
    assert f"/executions/{run.pk}" in admin.get(RULES).content.decode()
    assert admin.get(f"{path}/delete").content.decode().count("A run of it goes on") == 1
    assert admin.post(f"{path}/delete", {"confirmed": "1"}).status_code == 412
    assert ReplicationPolicy.objects.filter(name="mirror").exists()


def test_the_last_run_is_the_latest(world: World, admin: Client, other: Registry) -> None:
    admin.post(f"{RULES}/new", form(other))
    now = timezone.now()
    for hours, status in ((3, Status.SUCCESS), (1, Status.ERROR)):
        begun = now - timedelta(hours=hours)
        Execution.objects.create(
            vendor_type="REPLICATION", vendor_id=rule().pk, status=status, trigger="MANUAL", start_time=begun,
            end_time=now,
        )  # fmt: skip
    page = admin.get(RULES).content.decode()
    assert "Error" in page and "Success" not in page


def test_tasks_say_what_they_copy(world: World, admin: Client, other: Registry) -> None:
    run = Execution.objects.create(vendor_type="REPLICATION", vendor_id=1, status=Status.RUNNING, trigger="MANUAL")
    attrs = {"src_resource": "library/app:[latest]", "dst_resource": "mirror/app:[latest]", "operation": "copy"}
    Task.objects.create(execution=run, job_type="REPLICATION", status=Status.RUNNING, extra_attrs=attrs)
    Task.objects.create(execution=run, job_type="REPLICATION", status=Status.SUCCESS)
    page = admin.get(f"/harbor/job-service-dashboard/executions/{run.pk}").content.decode()
    assert "library/app:[latest] → mirror/app:[latest]" in page


def test_a_rule_is_switched_off_and_deleted(world: World, admin: Client, other: Registry) -> None:
    admin.post(f"{RULES}/new", form(other, trigger="scheduled", cron="0 0 3 * * *"))
    path = f"{RULES}/{rule().pk}"
    assert admin.get(f"{path}/state").status_code == 200 and rule().enabled
    assert admin.post(f"{path}/state", {"confirmed": "1", "enabled": ""}).status_code == 302
    assert not rule().enabled
    assert admin.post(f"{path}/run", {"confirmed": "1"}).status_code == 412, "it is disabled"
    assert admin.post(f"{path}/state", {"confirmed": "1", "enabled": "1"}).status_code == 302
    assert rule().enabled
    assert admin.post(f"{path}/delete", {"confirmed": "1"}).status_code == 302
    assert not ReplicationPolicy.objects.exists()
    assert admin.get(path).status_code == 404


def test_what_few_rules_need_is_folded_away(world: World, admin: Client, other: Registry) -> None:
    assert '<details class="folded"><summary>' in admin.get(f"{RULES}/new").content.decode()
    changes = {"platforms": "linux/amd64, linux/arm/v7", "window": "22:00-06:00"}
    assert admin.post(f"{RULES}/new", form(other, **changes)).status_code == 302
    assert (rule().platform_list, rule().window) == (["linux/amd64", "linux/arm/v7"], "22:00-06:00")
    edit = admin.get(f"{RULES}/{rule().pk}/edit").content.decode()
    assert '<details class="folded" open>' in edit and "linux/amd64, linux/arm/v7" in edit
    shown = admin.get(f"{RULES}/{rule().pk}").content.decode()
    assert "linux/arm/v7" in shown and "22:00-06:00" in shown


def test_what_a_comparison_found_stays_with_its_age(world: World, admin: Client, other: Registry) -> None:
    admin.post(f"{RULES}/new", form(other))
    path = f"{RULES}/{rule().pk}/differences"
    assert "were not compared yet" in admin.get(path).content.decode()
    asked = admin.get(f"{RULES}/{rule().pk}/compare").content.decode()
    assert "Nothing is changed" in asked and not Execution.objects.filter(vendor_type="REPLICATION_DRIFT").exists()
    assert admin.post(f"{RULES}/{rule().pk}/compare", {"confirmed": "1"})["Location"] == path
    run = Execution.objects.get(vendor_type="REPLICATION_DRIFT", vendor_id=rule().pk)
    live = admin.get(path, headers={"HX-Request": "true"}).content.decode()
    assert "every 3s" in live and f"executions/{run.pk}/stop" in live and "<html" not in live
    rows = [
        {
            "repository": "library/app",
            "destination": "mirror/app",
            "tag": "1",
            "state": state,
            "source": "",
            "target": "",
        }
        for state in ("missing", "extra")
    ]
    PolicyDrift.objects.create(policy=rule(), compared=3, missing=1, different=0, extra=2, rows=rows)
    Task.objects.filter(execution=run).update(status=Status.ERROR, status_message="the registry is busy")
    Execution.objects.filter(pk=run.pk).update(status=Status.ERROR, end_time=timezone.now())
    page = admin.get(path).content.decode()
    assert "The last comparison failed" in page and "every 3s" not in page
    assert "mirror/app" in page and "The first 2 of 3" in page and "3 tags were compared" in page and "<time" in page
    admin.post(f"{RULES}/{rule().pk}/edit", form(other, repositories="library/other"))
    assert not PolicyDrift.objects.exists(), "it was about another rule"


def test_all_rules_are_compared(world: World, admin: Client, other: Registry) -> None:
    for name in ("mirror", "second"):
        admin.post(f"{RULES}/new", form(other, name=name))
    assert f"{RULES}/compare" in admin.get(RULES).content.decode()
    for _ in range(2):  # the second time they are under way
        assert admin.post(f"{RULES}/compare", {"confirmed": "1"}).status_code == 302
    assert Execution.objects.filter(vendor_type="REPLICATION_DRIFT").count() == 2


@pytest.mark.parametrize(("query", "delete"), [("", False), ("?extra=1", True)])
def test_a_repair_is_a_run(world: World, admin: Client, other: Registry, query: str, delete: bool) -> None:
    admin.post(f"{RULES}/new", form(other))
    path = f"{RULES}/{rule().pk}/repair"
    asked = admin.get(path + query).content.decode()
    assert ("are deleted at the destination" in asked) is delete
    assert not Execution.objects.filter(vendor_type="REPLICATION").exists()
    assert admin.post(path, {"confirmed": "1"} | ({"extra": "1"} if delete else {})).status_code == 302
    run = Execution.objects.get(vendor_type="REPLICATION", vendor_id=rule().pk)
    assert run.tasks.get().parameters == {"policy_id": rule().pk, "repair": {"delete": delete}}


def test_nothing_is_deleted_here_by_a_repair(world: World, admin: Client, other: Registry) -> None:
    admin.post(f"{RULES}/new", form(other, mode="pull"))
    assert admin.post(f"{RULES}/{rule().pk}/repair", {"confirmed": "1", "extra": "1"}).status_code == 400
    assert not Execution.objects.filter(vendor_type="REPLICATION").exists()

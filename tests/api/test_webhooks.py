"""``/projects/{project}/webhook``."""

from typing import Any

import pytest

from harbor_core.models import AuditLog
from projects.models import WebhookPolicy
from tests.cast import World, make_project

BASE = "projects/team/webhook/policies"
TARGET = {"type": "http", "address": "https://hook.example/in?token=a", "auth_header": "Bearer s3cret"}
POLICY = {
    "name": "build",
    "description": "Meldet Änderungen ☃",
    "enabled": True,
    "event_types": ["PUSH_ARTIFACT", "DELETE_ARTIFACT"],
    "targets": [TARGET],
}


def post(world: World, persona: str = "project_admin", **change: Any) -> Any:
    return world.api(persona, "POST", BASE, POLICY | change)


def message(response: Any) -> str:
    return str(response.json()["errors"][0]["message"])


def test_life_of_a_policy(world: World) -> None:
    made = post(world)
    row = WebhookPolicy.objects.get()
    assert (made.status_code, made.content) == (201, b"")
    assert made["Location"] == f"/api/v2.0/projects/{world.project.pk}/webhook/policies/{row.pk}"
    seen = world.api("project_admin", "GET", made["Location"]).json()
    assert seen.pop("creation_time").endswith("Z") and seen.pop("update_time").endswith("Z")
    assert seen == POLICY | {
        "id": row.pk,
        "project_id": world.project.pk,
        "creator": "project_admin",
        "targets": [TARGET | {"payload_format": "Default"}],
    }
    slack = {"type": "slack", "address": "https://slack.example/x", "skip_cert_verify": True}
    change = {"name": "chat", "event_types": ["QUOTA_EXCEED"], "targets": [slack]}
    assert world.api("project_admin", "PUT", made["Location"], change).status_code == 200
    seen = world.api("project_admin", "GET", made["Location"]).json()
    assert (seen["name"], seen["enabled"], seen["targets"]) == ("chat", False, [slack])
    assert "description" not in seen and seen["creator"] == "project_admin"
    assert world.api("project_admin", "DELETE", made["Location"]).status_code == 200
    for verb, body in (("GET", None), ("PUT", POLICY), ("DELETE", None)):
        assert world.api("project_admin", verb, made["Location"], body).status_code == 404
    operations = AuditLog.objects.filter(resource_type="webhook").values_list("operation", flat=True)
    assert sorted(operations) == ["create", "delete", "update"]


def test_headers_are_encrypted_and_shown_to_readers(world: World) -> None:
    path = post(world)["Location"]
    assert "s3cret" not in repr(list(WebhookPolicy.objects.values_list()))
    assert "s3cret" not in repr(list(AuditLog.objects.values_list()))
    for persona in ("project_admin", "maintainer", "robot_all", "sysadmin"):
        assert world.api(persona, "GET", path).json()["targets"][0]["auth_header"] == "Bearer s3cret"
    for persona in ("developer", "guest", "robot", "outsider"):
        assert world.api(persona, "GET", path).status_code == 403


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": ""}, 400),
        ({"name": "  "}, 400),
        ({"name": "x" * 256}, 400),
        ({"name": "x" * 255}, 201),
        ({"event_types": []}, 400),
        ({"event_types": ["PUSH"]}, 400),
        ({"event_types": ["PUSH_ARTIFACT", "UPLOAD_CHART"]}, 400),
        ({"event_types": "PUSH_ARTIFACT"}, 422),
        ({"targets": []}, 400),
        ({"targets": [TARGET] * 51}, 400),
        ({"targets": {}}, 422),
        ({"targets": ["https://hook.example"]}, 422),
        ({"enabled": "true"}, 422),
    ],
)
def test_rules(world: World, change: dict[str, Any], status: int) -> None:
    assert post(world, **change).status_code == status
    assert WebhookPolicy.objects.count() == (status == 201)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"type": "mail"}, 400),
        ({"type": ""}, 400),
        ({"address": ""}, 400),
        ({"address": "ftp://hook.example"}, 400),
        ({"address": "https://user:pass@hook.example"}, 400),
        ({"address": "http://127.0.0.1:9/x"}, 201),
        ({"payload_format": "CloudEvents"}, 201),
        ({"payload_format": "cloudevents"}, 400),
        ({"type": "slack"}, 201),
        ({"type": "slack", "payload_format": "Default"}, 400),
        ({"auth_header": "a\r\nX-Other: b"}, 400),
        ({"auth_header": "Bearer ä"}, 400),
        ({"auth_header": "x" * 8193}, 400),
        ({"auth_header": 7}, 422),
        ({"skip_cert_verify": 1}, 422),
    ],
)
def test_rules_of_targets(world: World, change: dict[str, Any], status: int) -> None:
    assert post(world, targets=[TARGET, TARGET | change]).status_code == status
    assert WebhookPolicy.objects.count() == (status == 201)


def test_a_name_is_there_once_per_project(world: World) -> None:
    assert post(world).status_code == 201
    assert post(world).status_code == 409
    other = post(world, name="other")
    assert world.api("project_admin", "PUT", other["Location"], POLICY).status_code == 409
    make_project("second", world.users["sysadmin"])
    assert world.api("sysadmin", "POST", "projects/second/webhook/policies", POLICY).status_code == 201


def test_policies_of_other_projects_are_out_of_reach(world: World) -> None:
    identifier = post(world)["Location"].rsplit("/", 1)[1]
    make_project("second", world.users["sysadmin"])
    for verb, body in (("GET", None), ("PUT", POLICY), ("DELETE", None)):
        path = f"projects/second/webhook/policies/{identifier}"
        assert world.api("sysadmin", verb, path, body).status_code == 404
    path = f"projects/second/webhook/jobs?policy_id={identifier}"
    assert world.api("sysadmin", "GET", path).status_code == 404


def test_list(world: World) -> None:
    for name in ("b", "a", "c"):
        assert post(world, name=name, enabled=name != "a").status_code == 201

    def names(query: str = "") -> list[str]:
        return [row["name"] for row in world.api("maintainer", "GET", f"{BASE}?{query}").json()]

    assert names() == ["c", "a", "b"]
    assert names("sort=name") == ["a", "b", "c"]
    assert names("q=name%3Db") == ["b"]
    assert names("q=enabled%3Dfalse") == ["a"]
    assert world.api("maintainer", "GET", f"{BASE}?page_size=1")["X-Total-Count"] == "3"


def test_what_can_be_told(world: World) -> None:
    known = world.api("maintainer", "GET", "projects/team/webhook/events").json()
    assert set(known["event_type"]) == {
        "PUSH_ARTIFACT",
        "PULL_ARTIFACT",
        "DELETE_ARTIFACT",
        "QUOTA_EXCEED",
        "QUOTA_WARNING",
        "SCANNING_FAILED",
        "SCANNING_STOPPED",
        "SCANNING_COMPLETED",
        "REPLICATION",
        "TAG_RETENTION",
    }
    assert known["notify_type"] == ["http", "slack"]
    assert known["payload_formats"] == [{"notify_type": "http", "formats": ["CloudEvents", "Default"]}]


def test_nothing_was_delivered_yet(world: World) -> None:
    path = post(world)["Location"]
    never = "0001-01-01T00:00:00.000Z"
    rows = world.api("maintainer", "GET", "projects/team/webhook/lasttrigger").json()
    assert [(row["event_type"], row["last_trigger_time"]) for row in rows] == [
        ("PUSH_ARTIFACT", never),
        ("DELETE_ARTIFACT", never),
    ]
    jobs = world.api("maintainer", "GET", f"projects/team/webhook/jobs?policy_id={path.rsplit('/', 1)[1]}")
    assert (jobs.json(), jobs["X-Total-Count"]) == ([], "0")
    assert world.api("maintainer", "GET", "projects/team/webhook/jobs").status_code == 422

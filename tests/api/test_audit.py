"""The audit log: what is written, who reads what, paging, event types, and sending it on."""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from auth.models import GroupMembership, RobotPermission, UserGroup
from harbor_core.models import AuditLog
from harbor_core.selectors import audit as selectors
from harbor_core.services import audit
from projects.models import Member
from tests.api.pulling import pull
from tests.cast import PASSWORD, Api, World, configure, grant_robot, make_project

EXT, LEGACY = "auditlog-exts", "audit-logs"
ROOT = Path(__file__).resolve().parent.parent.parent


def seen(api: Api, persona: str, path: str, **headers: str) -> list[dict[str, Any]]:
    response = api(persona, "GET", path)
    assert response.status_code == 200, response.content
    return response.json()


def row(name: str, **values: Any) -> AuditLog:
    given = {"username": "developer", "resource_type": "artifact", "operation": "create"} | values
    return AuditLog.objects.create(resource=name, operation_description=f"about {name}", **given)


# ---------------------------------------------------------------------- shapes


def test_shapes(world: World) -> None:
    AuditLog.objects.all().delete()
    row("team/app:1", project_id=world.project.pk, client_ip="10.0.0.9", operation_result=False)
    (ext,) = seen(world.api, "sysadmin", EXT)
    assert set(ext) == {
        "id",
        "username",
        "resource",
        "resource_type",
        "operation",
        "operation_description",
        "operation_result",
        "op_time",
        "client_ip",
    }
    assert ext["operation_result"] is False
    assert ext["op_time"].endswith("Z")
    assert seen(world.api, "sysadmin", LEGACY) == []  # it knew successes only
    AuditLog.objects.update(operation_result=True)
    (legacy,) = seen(world.api, "sysadmin", LEGACY)
    assert legacy == {key: ext[key] for key in ("id", "username", "resource", "resource_type", "operation", "op_time")}


def test_the_legacy_log_knows_what_it_knew(world: World) -> None:
    AuditLog.objects.all().delete()
    for resource_type, operations in audit.OPERATIONS.items():
        for operation in operations:
            row("x", resource_type=resource_type, operation=operation, project_id=world.project.pk)
    kinds = {
        f"{item['operation']}_{item['resource_type']}" for item in seen(world.api, "sysadmin", f"{LEGACY}?page_size=0")
    }
    assert {"create_artifact", "pull_artifact", "delete_tag", "create_robot", "delete_project"} <= kinds
    assert not {"update_configuration", "login_user", "update_member"} & kinds
    project = {
        f"{item['operation']}_{item['resource_type']}"
        for item in seen(world.api, "project_admin", "projects/team/logs?page_size=0")
    }
    assert project == kinds


# ---------------------------------------------------------------------- who sees what


def test_everybody_sees_the_logs_they_may_read(world: World) -> None:
    other = make_project("other", world.users["outsider"], public=True)
    Member.objects.create(project=other, user=world.users["outsider"], role=1)
    AuditLog.objects.all().delete()
    row("system", resource_type="user")
    row("ours", project_id=world.project.pk)
    row("theirs", project_id=other.pk)

    def names(persona: str) -> set[str]:
        extended = {item["resource"] for item in seen(world.api, persona, EXT)}
        assert {item["resource"] for item in seen(world.api, persona, LEGACY)} == extended - {"system"}
        return extended

    assert names("sysadmin") == names("system_robot_all") == {"system", "ours", "theirs"}
    assert names("project_admin") == names("robot_all") == {"ours"}
    assert names("outsider") == {"theirs"}
    for persona in ("maintainer", "developer", "guest", "limited_guest", "robot", "system_robot"):
        assert names(persona) == set(), persona


def test_rights_by_group_and_by_grant(world: World) -> None:
    AuditLog.objects.all().delete()
    row("ours", project_id=world.project.pk)
    group = UserGroup.objects.create(group_name="admins", group_type=2)
    GroupMembership.objects.create(group=group, user=world.users["outsider"])
    assert seen(world.api, "outsider", EXT) == []
    Member.objects.create(project=world.project, group=group, role=1)
    assert len(seen(world.api, "outsider", EXT)) == 1
    # A robot of the system with the grant in every project sees projects' rows, not the system's.
    row("system", resource_type="user")
    grant_robot(world.robots["system_robot"], RobotPermission.Kind.PROJECT, None, ("log:list",))
    assert [item["resource"] for item in seen(world.api, "system_robot", EXT)] == ["ours"]


def test_a_project_shows_its_own(world: World) -> None:
    AuditLog.objects.all().delete()
    row("ours", project_id=world.project.pk)
    row("elsewhere", project_id=world.project.pk + 1)
    assert [item["resource"] for item in seen(world.api, "project_admin", "projects/team/auditlog-exts")] == ["ours"]


# ---------------------------------------------------------------------- filters, order, pages


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=username=alice", {"a"}),
        ("q=username=~LIC", {"a"}),
        ("q=operation=delete", {"b"}),
        ("q=resource_type={user tag}", {"b", "c"}),
        ("q=resource=~c", {"c"}),
        ("q=operation_result=false", {"c"}),
        ("q=op_time=[2026-01-02T00:00:00~2026-01-03T00:00:00]", {"b"}),
        ("q=op_time=[~2026-01-01T12:00:00]", {"a"}),
        ("q=nonsense=1", {"a", "b", "c"}),
        ("q=OpTime=[2026-01-03T00:00:00~],operation=create", {"c"}),
    ],
)
def test_filters(world: World, query: str, found: set[str]) -> None:
    AuditLog.objects.all().delete()
    day = datetime(2026, 1, 1, 6, tzinfo=UTC)
    row("a", username="alice", op_time=day, project_id=world.project.pk)
    row("b", operation="delete", resource_type="tag", op_time=day + timedelta(days=1), project_id=world.project.pk)
    row("c", resource_type="user", operation_result=False, op_time=day + timedelta(days=2), project_id=world.project.pk)
    for persona, path in (("sysadmin", EXT), ("project_admin", EXT), ("project_admin", "projects/team/auditlog-exts")):
        response = world.api(persona, "GET", f"{path}?{query.replace('~', '%7E')}")
        assert {item["resource"] for item in response.json()} == found
        assert response["X-Total-Count"] == str(len(found))


@pytest.mark.parametrize(
    "query", ["q=op_time=[x~]", "q=op_time", "q=project_id=x", "q=op_time=yesterday", "q=id=(1 2)"]
)
def test_filters_that_cannot_be(api: Api, query: str) -> None:
    for path in (EXT, LEGACY):
        assert api("sysadmin", "GET", f"{path}?{query}").status_code == 400


def test_newest_first_and_pages_do_not_overlap(world: World) -> None:
    AuditLog.objects.all().delete()
    same = timezone.now()
    for number in range(25):
        row(f"r{number:02}", op_time=same)
    pages = [seen(world.api, "sysadmin", f"{EXT}?page={page}&page_size=10") for page in (1, 2, 3, 4)]
    names = [item["resource"] for page in pages for item in page]
    assert names == [f"r{number:02}" for number in reversed(range(25))]
    ascending = seen(world.api, "sysadmin", f"{EXT}?page_size=100&sort=resource")
    assert [item["resource"] for item in ascending] == sorted(names)


# ---------------------------------------------------------------------- totals


def _many(world: World, count: int, *, days: int = 3) -> None:
    when = timezone.now() - timedelta(days=days)
    AuditLog.objects.bulk_create(
        AuditLog(resource="x", resource_type="artifact", operation="pull", username="u", op_time=when, project_id=1)
        for _ in range(count)
    )


def test_totals_stay_right_while_rows_come(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "WORTH_KNOWING", 10)
    AuditLog.objects.all().delete()
    _many(world, 30)

    def total(query: str = "") -> int:
        return int(world.api("sysadmin", "GET", f"{EXT}?page_size=5{query}")["X-Total-Count"])

    assert (total(), total("&q=operation=pull"), total("&q=operation=push")) == (30, 30, 0)
    row("new")  # younger than anything counted
    row("old", op_time=timezone.now() - timedelta(days=9))  # and one that tells of earlier
    _many(world, 7)
    assert (total(), total("&q=operation=pull"), total("&q=operation=create")) == (39, 37, 2)
    AuditLog.objects.filter(operation="pull").delete()
    selectors.forget_totals()
    assert total() == 2


def test_a_known_total_is_not_counted_again(
    world: World, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    """The second time only what came later is counted: the statement has a lower bound on the id."""
    monkeypatch.setattr(selectors, "WORTH_KNOWING", 10)
    _many(world, 30)
    selectors.total(AuditLog.objects.filter(operation="pull"))
    with django_assert_max_num_queries(2) as captured:  # the milestones may have to be looked up again
        selectors.total(AuditLog.objects.filter(operation="pull"))
    statement = captured.captured_queries[-1]["sql"]
    assert '"id" >' in statement


def test_far_pages(world: World, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any) -> None:
    """They begin at a milestone, and show what they would show without."""
    monkeypatch.setattr(selectors, "FAR", 20)
    monkeypatch.setattr(selectors, "MILESTONE", 7)
    AuditLog.objects.all().delete()
    start = timezone.now() - timedelta(days=9)
    for number in range(60):  # some at the same time
        row(f"r{number:02}", op_time=start + timedelta(hours=number // 3), operation="pull" if number % 2 else "create")

    def pages(query: str = "") -> list[str]:
        found = []
        for page in range(1, 20):
            rows = seen(world.api, "sysadmin", f"{EXT}?page={page}&page_size=4{query}")
            found += [item["resource"] for item in rows]
        return found

    everything = [f"r{number:02}" for number in reversed(range(60))]
    assert pages() == everything
    assert pages("&q=operation=pull") == everything[::2]
    assert pages("&sort=resource") == everything[::-1]
    row("new")  # numbers counted from the oldest stay what they were
    assert pages() == ["new", *everything]
    AuditLog.objects.filter(resource__in=["r00", "r01", "r30"]).delete()
    selectors.forget_totals()
    assert pages() == ["new", *(name for name in everything if name not in ("r00", "r01", "r30"))]
    selectors._milestones(AuditLog.objects.all())  # are remembered now
    with django_assert_max_num_queries(1) as captured:
        selectors._far_page(AuditLog.objects.all(), 40, 4, 58)
    (statement,) = [query["sql"] for query in captured.captured_queries]
    assert "OFFSET" not in statement or int(statement.rpartition("OFFSET ")[2]) < selectors.MILESTONE


def test_few_among_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter that leaves few rows shows them as one that leaves many does, in order and with the same totals."""
    monkeypatch.setattr(selectors, "FEW", 5)
    AuditLog.objects.all().delete()
    start = timezone.now() - timedelta(days=9)
    for number in range(12):
        row(f"rare-{number:02}" if number < 5 else f"often-{number:02}", op_time=start + timedelta(hours=-number))

    def names(query: str) -> list[str]:
        return [item["resource"] for item in seen(world.api, "sysadmin", f"{EXT}?{query}")]

    for _ in range(2):  # the second time it is known which are many
        assert names("q=resource=~rare") == [f"rare-{number:02}" for number in range(5)]
        assert names("q=resource=~rare&page_size=2&page=2") == ["rare-02", "rare-03"]
        assert names("q=resource=~rare&sort=-resource&page_size=1") == ["rare-04"]
        assert names("q=resource=~often&page_size=3") == ["often-05", "often-06", "often-07"]
        assert names("q=resource=~nobody") == []
    answer = world.api("sysadmin", "GET", f"{EXT}?q=resource=~rare&page_size=2")
    assert answer.headers["X-Total-Count"] == "5"
    row("rare-05", op_time=timezone.now())
    assert names("q=resource=~rare&page_size=1") == ["rare-05"]


@pytest.mark.postgres
def test_pages_come_from_an_index(world: World) -> None:
    _many(world, 2_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE harbor_core_auditlog")
        for where, index in (
            ("", "audit_time"),
            (f"WHERE project_id = {world.project.pk}", "audit_project_time"),
            ("WHERE username = 'admin'", "audit_user_time"),
        ):
            cursor.execute(
                f"EXPLAIN SELECT * FROM harbor_core_auditlog {where} ORDER BY op_time DESC, id DESC LIMIT 10 OFFSET 50"
            )
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert index in plan
            assert "Sort" not in plan


def test_lists_take_a_constant_number_of_queries(world: World, django_assert_max_num_queries: Any) -> None:
    for persona, path, most in (
        ("sysadmin", EXT, 4),
        ("project_admin", EXT, 5),
        ("project_admin", "projects/team/auditlog-exts", 4),
    ):
        world.api(persona, "GET", path)
        with django_assert_max_num_queries(most):
            world.api(persona, "GET", path)
        _many(world, 50)
        with django_assert_max_num_queries(most):
            world.api(persona, "GET", path)


# ---------------------------------------------------------------------- event types


def test_event_types(api: Api) -> None:
    types = [item["event_type"] for item in seen(api, "sysadmin", f"{EXT}/events")]
    assert len(types) == len(set(types))
    assert {
        "create_artifact",
        "delete_artifact",
        "pull_artifact",
        "create_project",
        "delete_project",
        "delete_repository",
        "create_user",
        "update_user",
        "delete_user",
        "login_user",
        "logout_user",
        "create_robot",
        "delete_robot",
        "update_configuration",
        "create_member",
    } <= set(types)


def _recorded(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(operation, resource type) of every call of audit.record in a module, as far as they stand there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "audit.record":
            operation, resource_type = node.args[1:3]
            assert isinstance(resource_type, ast.Constant), "the resource type of a record is written out"
            if isinstance(operation, ast.Constant):
                yield operation.value, resource_type.value
            else:
                yield "", resource_type.value


def test_everything_recorded_can_be_switched_off() -> None:
    """What is written is in the catalogue, so that an administrator finds it there."""
    folders = ("auth", "harbor_core", "jobservice", "portal", "projects", "replication")
    found = {
        pair
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        for pair in _recorded(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert len(found) > 15
    unknown = {
        (operation, kind)
        for operation, kind in found
        if kind not in audit.OPERATIONS or (operation and operation not in audit.OPERATIONS[kind])
    }
    assert unknown == set()


def test_switched_off(world: World) -> None:
    AuditLog.objects.all().delete()
    configure(disabled_audit_log_event_types="create_project, delete_user,nonsense")
    assert world.api("sysadmin", "POST", "projects", {"project_name": "quiet"}).status_code == 201
    assert world.api("sysadmin", "DELETE", f"users/{world.users['guest'].pk}").status_code == 200
    assert not AuditLog.objects.filter(resource_type__in=("project", "user")).exists()
    assert world.api("sysadmin", "DELETE", "projects/quiet").status_code == 200
    assert AuditLog.objects.get(resource_type="project").operation == "delete"


@pytest.mark.parametrize(
    ("settings", "recorded"),
    [
        ({}, 1),
        ({"pull_audit_log_disable": True}, 0),
        ({"disabled_audit_log_event_types": "pull_artifact"}, 0),
        ({"disabled_audit_log_event_types": "pull"}, 1),
    ],
)
def test_pulls_switched_off(world: World, settings: dict[str, Any], recorded: int) -> None:
    configure(**settings)
    pull(world)
    assert AuditLog.objects.filter(operation="pull").count() == recorded


# ---------------------------------------------------------------------- sign-ins


def _browser() -> tuple[Client, dict[str, str]]:
    client = Client(enforce_csrf_checks=True)
    token = client.post("/c/login", {})["X-Harbor-CSRF-Token"]
    return client, {"X-Harbor-CSRF-Token": token, "X-Real-IP": "192.0.2.7"}


def test_signing_in_and_out_is_recorded(world: World) -> None:
    AuditLog.objects.all().delete()
    client, headers = _browser()
    assert client.post("/c/login", {"principal": "guest", "password": "wrong"}, headers=headers).status_code == 401
    assert client.post("/c/login", {"principal": "no\0body", "password": "x"}, headers=headers).status_code == 401
    assert client.post("/c/login", {"principal": "n" * 3000, "password": "x"}, headers=headers).status_code == 401
    assert client.post("/c/login", {"principal": "guest", "password": PASSWORD}, headers=headers).status_code == 200
    assert client.get("/c/log_out", headers=headers).status_code == 200
    assert client.get("/c/log_out", headers=headers).status_code == 200  # nobody was signed in: nothing happened
    rows = list(AuditLog.objects.order_by("id").values_list("operation", "resource", "operation_result"))
    assert rows == [
        ("login", "guest", False),
        ("login", "no\ufffdbody", False),
        ("login", "n" * 255, False),
        ("login", "guest", True),
        ("logout", "guest", True),
    ]
    assert {item.client_ip for item in AuditLog.objects.all()} == {"192.0.2.7"}
    assert {item.resource_type for item in AuditLog.objects.all()} == {"user"}
    assert PASSWORD not in repr(list(AuditLog.objects.values()))


def test_guessing_does_not_fill_the_log(world: World) -> None:
    client, headers = _browser()
    answers = [
        client.post("/c/login", {"principal": "guest", "password": "wrong"}, headers=headers).status_code
        for _ in range(12)
    ]
    assert 429 in answers
    assert AuditLog.objects.filter(operation="login").count() == answers.count(401)


def test_long_and_strange_names(world: World) -> None:
    configure(audit_log_forward_endpoint="")
    audit.record(world.actor("sysadmin"), "update", "project", "a\0b" + "ü" * 3000)
    assert AuditLog.objects.latest("id").resource == "a\ufffdb" + "ü" * 1021

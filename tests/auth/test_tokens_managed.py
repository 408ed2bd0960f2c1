"""Personal access tokens: made, listed and revoked over the API."""

import time
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from auth import personal_tokens
from auth.models import PersonalToken
from harbor_core.models import AuditLog
from tests.auth.personal import TOKENS, actions, make_token, signed_in
from tests.cast import World, configure, make_project

# ---------------------------------------------------------------------- managing them


def create(world: World, persona: str = "developer", **body: Any) -> Any:
    return world.api(persona, "POST", TOKENS, {"name": "laptop", "scopes": ["pull"]} | body)


def test_create(world: World) -> None:
    answer = create(world, scopes=["push", "pull", "push"], projects=["team"])
    token = PersonalToken.objects.get()
    assert answer.status_code == 201
    assert answer["Location"] == f"/api/v2.0/users/current/tokens/{token.pk}"
    assert answer["Cache-Control"] == "no-store"
    body = answer.json()
    secret = body.pop("secret")
    assert personal_tokens.is_token(secret) and secret.endswith(body["hint"])
    ends = body.pop("expires_at")
    assert abs(ends - time.time() - 90 * 86400) < 60
    body.pop("creation_time")
    assert body == {
        "id": token.pk,
        "name": "laptop",
        "hint": secret[-4:],
        "scopes": ["pull", "push"],
        "projects": [{"project_id": world.project.pk, "name": "team"}],
    }
    assert actions(signed_in(world.users["developer"], secret)) == {"pull", "push"}
    # Never again.
    for path in (TOKENS, f"{TOKENS}/{token.pk}"):
        assert secret.encode() not in world.api("developer", "GET", path).content
    row = AuditLog.objects.get(resource_type="personal-token")
    assert (row.username, row.operation, row.resource) == ("developer", "create", "laptop")
    assert secret not in row.operation_description


BODIES: list[tuple[dict[str, Any], int]] = [
    ({"name": ""}, 400),
    ({"name": "  "}, 400),
    ({"name": "x" * 256}, 422),
    ({"name": "a\nb"}, 400),
    ({"name": None}, 422),
    ({"name": 7}, 422),
    ({"scopes": []}, 400),
    ({"scopes": None}, 422),
    ({"scopes": "pull"}, 422),
    ({"scopes": ["fly"]}, 400),
    ({"scopes": ["Pull"]}, 400),
    ({"scopes": ["admin"]}, 403),
    ({"projects": ["nowhere"]}, 404),
    ({"projects": [424242]}, 404),
    ({"projects": [True]}, 422),
    ({"projects": [0]}, 422),
    ({"projects": [10**30]}, 422),
    ({"projects": "team"}, 422),
    ({"projects": ["team"] * 101}, 400),
    ({"expires_at": 0}, 400),
    ({"expires_at": -2}, 400),
    ({"expires_at": 1_500_000_000}, 400),
    ({"expires_at": 2**62}, 400),
    ({"expires_at": "tomorrow"}, 422),
    ({"expires_at": 1.5}, 422),
]


def test_create_refuses(world: World) -> None:
    for body, status in BODIES:
        answer = create(world, **body)
        assert answer.status_code == status, (body, answer.content)
        assert answer.json()["errors"][0]["message"]
    assert not PersonalToken.objects.exists()


def test_projects_that_are_hidden_look_like_none(world: World) -> None:
    make_project("secret", world.users["sysadmin"])
    hidden, missing = create(world, projects=["secret"]), create(world, projects=["sesame"])
    assert (hidden.status_code, missing.status_code) == (404, 404)
    assert hidden.json() == {"errors": [{"code": "NOT_FOUND", "message": "project secret not found"}]}
    assert create(world, projects=["library", world.project.pk, "team"]).status_code == 201
    assert len(PersonalToken.objects.get().projects) == 2


def test_admin_is_for_administrators(world: World) -> None:
    assert create(world, "sysadmin", scopes=["admin", "api:read"]).status_code == 201
    assert create(world, "sysadmin", name="b", scopes=["admin"], projects=["library"]).status_code == 400


def test_names_are_unique_per_user(world: World) -> None:
    assert create(world).status_code == 201
    assert create(world).status_code == 409
    assert create(world, name=" laptop ").status_code == 409
    assert create(world, "guest").status_code == 201
    assert PersonalToken.objects.count() == 2


def test_ends(world: World) -> None:
    soon = int(time.time()) + 3600
    assert create(world, expires_at=soon).json()["expires_at"] == soon
    assert create(world, name="b", expires_at=-1).json()["expires_at"] == -1
    assert create(world, name="c", expires_at=None).json()["expires_at"] == -1
    configure(personal_token_max_days=30)
    for ends in (-1, None, int(time.time()) + 31 * 86400):
        assert create(world, name="d", expires_at=ends).status_code == 400
    assert create(world, name="d", expires_at=int(time.time()) + 30 * 86400).status_code == 201
    short = create(world, name="e").json()["expires_at"]
    assert abs(short - time.time() - 30 * 86400) < 60


def test_list_and_get(world: World) -> None:
    developer = world.users["developer"]
    for number in range(15):
        make_token(developer, "pull", name=f"t{number:02}", projects=(world.project,))
    make_token(world.users["guest"], "pull", name="t99")
    page = world.api("developer", "GET", f"{TOKENS}?page=2&page_size=10")
    assert page["X-Total-Count"] == "15"
    assert [row["name"] for row in page.json()] == ["t10", "t11", "t12", "t13", "t14"]
    assert page.json()[0]["projects"] == [{"project_id": world.project.pk, "name": "team"}]
    found = world.api("developer", "GET", f"{TOKENS}?q=name=~t1&sort=-name&page_size=2")
    assert [row["name"] for row in found.json()] == ["t14", "t13"]
    one = page.json()[0]
    assert world.api("developer", "GET", f"{TOKENS}/{one['id']}").json() == one
    assert world.api("guest", "GET", f"{TOKENS}/{one['id']}").status_code == 404
    for wrong, status in (("x", 422), ("9" * 40, 422), ("0", 404)):
        assert world.api("developer", "GET", f"{TOKENS}/{wrong}").status_code == status


def test_a_list_costs_the_same_whatever_its_length(world: World) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert world.api("developer", "GET", f"{TOKENS}?page_size=100").status_code == 200
        return len(queries)

    make_token(world.users["developer"], "pull", projects=(world.project,))
    count()  # the password is checked
    few = count()
    for _ in range(30):
        make_token(world.users["developer"], "pull", projects=(world.project,))
    assert count() == few <= 3


def test_revoke(world: World) -> None:
    secret = create(world).json()["secret"]
    token = PersonalToken.objects.get()
    assert world.api("guest", "DELETE", f"{TOKENS}/{token.pk}").status_code == 404
    assert signed_in(world.users["developer"], secret)
    assert world.api("developer", "DELETE", f"{TOKENS}/{token.pk}").status_code == 200
    assert signed_in(world.users["developer"], secret) is None
    assert world.api("developer", "DELETE", f"{TOKENS}/{token.pk}").status_code == 404
    assert AuditLog.objects.filter(resource_type="personal-token", operation="delete").count() == 1


def test_revoked_also_while_nothing_else_may_change(world: World) -> None:
    create(world)
    configure(read_only=True)
    assert create(world, name="b").status_code == 403
    path = f"{TOKENS}/{PersonalToken.objects.get().pk}"
    assert world.api("developer", "DELETE", path).status_code == 200


def test_administrators_see_and_revoke(world: World) -> None:
    developer = world.users["developer"]
    for name in ("a", "b", "c"):
        make_token(developer, "pull", name=name)
    make_token(world.users["guest"], "pull", name="g")
    path = f"users/{developer.pk}/tokens"
    rows = world.api("sysadmin", "GET", path).json()
    assert [row["name"] for row in rows] == ["a", "b", "c"]
    assert world.api("sysadmin", "GET", f"{path}/{rows[0]['id']}").json() == rows[0]
    assert world.api("developer", "GET", path).json() == rows
    assert world.api("guest", "GET", path).status_code == 403
    assert world.api("sysadmin", "DELETE", f"{path}/{rows[0]['id']}").status_code == 200
    assert world.api("sysadmin", "DELETE", f"users/{world.users['guest'].pk}/tokens/{rows[1]['id']}").status_code == 404
    assert world.api("sysadmin", "DELETE", path).status_code == 200
    assert PersonalToken.objects.get().name == "g"
    assert AuditLog.objects.filter(resource_type="personal-token", operation="delete", username="admin").count() == 3
    for verb in ("GET", "DELETE"):
        assert world.api("sysadmin", verb, "users/424242/tokens").status_code == 404

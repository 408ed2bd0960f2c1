"""Labels: made for the system or for a project, put on artifacts, found by."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from harbor_core.models import AuditLog, Event
from projects.models import Artifact, ArtifactLabel, Label
from tests.cast import World, forget_everything, make_project, push_image

ARTIFACTS = "projects/team/repositories/app/artifacts"


def label(world: World, name: str, *, project: bool = True, **more: Any) -> int:
    scope = {"scope": "p", "project_id": world.project.pk} if project else {"scope": "g"}
    made = world.api("maintainer" if project else "sysadmin", "POST", "labels", {"name": name} | scope | more)
    assert (made.status_code, made.content) == (201, b""), made.content
    number = int(made["Location"].rpartition("/")[2])
    assert made["Location"] == f"/api/v2.0/labels/{number}"
    return number


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["name"] for row in response.json()]


def test_global_label(world: World) -> None:
    number = label(world, "prod", project=False, description="in production", color="#0065AB")
    seen = world.api("sysadmin", "GET", f"labels/{number}").json()
    times = {key: seen.pop(key) for key in ("creation_time", "update_time")}
    assert all(value.endswith("Z") for value in times.values())
    wanted = {"id": number, "name": "prod", "description": "in production", "color": "#0065AB", "scope": "g"}
    assert seen == wanted
    assert world.api("sysadmin", "PUT", f"labels/{number}", {"name": "production"}).status_code == 200
    changed = world.api("sysadmin", "GET", f"labels/{number}").json()
    assert (changed["name"], "description" in changed, "color" in changed) == ("production", False, False)
    assert world.api("sysadmin", "DELETE", f"labels/{number}").status_code == 200
    for verb, body in (("GET", None), ("PUT", {"name": "x"}), ("DELETE", None)):
        assert world.api("sysadmin", verb, f"labels/{number}", body).status_code == 404
        assert world.api("guest", verb, f"labels/{number}", body).status_code == 404
        assert world.api("anonymous", verb, f"labels/{number}", body).status_code == 401


def test_lists(world: World) -> None:
    for name in ("beta", "alpha"):
        label(world, name)
        label(world, f"global-{name}", project=False)
    other = make_project("other", world.users["sysadmin"])
    Label.objects.create(name="foreign", project=other)
    everyone = ["global-alpha", "global-beta"]
    for persona in ("sysadmin", "guest", "robot", "outsider", "anonymous"):
        assert names(world.api(persona, "GET", "labels?scope=g")) == everyone
        assert names(world.api(persona, "GET", "labels")) == everyone
    of_team = f"labels?scope=p&project_id={world.project.pk}"
    assert names(world.api("guest", "GET", of_team)) == ["alpha", "beta"]
    assert names(world.api("guest", "GET", f"{of_team}&name=ET")) == ["beta"]
    assert names(world.api("guest", "GET", f"{of_team}&q=name%3Dbeta")) == ["beta"]
    assert names(world.api("guest", "GET", f"{of_team}&sort=-name")) == ["beta", "alpha"]
    page = world.api("guest", "GET", f"{of_team}&page_size=1&page=2")
    assert (names(page), page["X-Total-Count"]) == (["beta"], "2")
    assert world.api("guest", "GET", "labels?scope=p").status_code == 400
    assert world.api("guest", "GET", "labels?scope=x").status_code == 400
    assert world.api("guest", "GET", f"labels?scope=p&project_id={other.pk}").status_code == 403
    assert world.api("anonymous", "GET", f"labels?scope=p&project_id={other.pk}").status_code == 401
    assert world.api("sysadmin", "GET", "labels?scope=p&project_id=424242").status_code == 404


def test_labels_of_a_public_project_are_for_anyone(world: World) -> None:
    number = label(world, "beta")
    world.project.public = True
    world.project.save()
    assert world.api("anonymous", "GET", f"labels/{number}").json()["project_id"] == world.project.pk
    assert names(world.api("anonymous", "GET", f"labels?scope=p&project_id={world.project.pk}")) == ["beta"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"name": "x"}, 400),
        ({"name": "x", "scope": "s"}, 400),
        ({"name": "x", "scope": "p"}, 400),
        ({"name": "x", "scope": "p", "project_id": 424242}, 404),
        ({"name": "", "scope": "g"}, 400),
        ({"name": "  ", "scope": "g"}, 400),
        ({"name": "x" * 129, "scope": "g"}, 400),
        ({"name": "x", "scope": "g", "color": "url(javascript:1)"}, 400),
        ({"name": "x", "scope": "g", "description": "d" * 4097}, 400),
        ({"name": 1, "scope": "g"}, 422),
        ({"name": "é…" * 64, "scope": "g", "color": "#fff"}, 201),
        ({"name": "x", "scope": "g", "color": "rebeccapurple"}, 201),
    ],
)
def test_creation(body: dict[str, Any], status: int, world: World) -> None:
    assert world.api("sysadmin", "POST", "labels", body).status_code == status
    assert Label.objects.count() == (status == 201)


def test_one_name_per_scope(world: World) -> None:
    label(world, "x")
    label(world, "x", project=False)
    other = make_project("other", world.users["sysadmin"])
    Label.objects.create(name="x", project=other)
    again = {"name": "x", "scope": "p", "project_id": world.project.pk}
    refused = world.api("maintainer", "POST", "labels", again)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (409, "CONFLICT")
    assert world.api("sysadmin", "POST", "labels", {"name": "x", "scope": "g"}).status_code == 409
    number = label(world, "y")
    assert world.api("maintainer", "PUT", f"labels/{number}", {"name": "x"}).status_code == 409
    assert world.api("maintainer", "PUT", f"labels/{number}", {"name": "y", "color": "red"}).status_code == 200


def test_on_an_artifact(world: World) -> None:
    first, second = label(world, "beta"), label(world, "global", project=False)
    path = f"{ARTIFACTS}/1.0/labels"
    for number in (second, first):
        assert world.api("developer", "POST", path, {"id": number, "name": "ignored"}).status_code == 200
    again = world.api("developer", "POST", path, {"id": first})
    assert (again.status_code, again.json()["errors"][0]["code"]) == (409, "CONFLICT")
    shown = world.api("guest", "GET", f"{ARTIFACTS}/1.0?with_label=true").json()
    assert [row["name"] for row in shown["labels"]] == ["global", "beta"]
    assert shown["labels"][1] == world.api("guest", "GET", f"labels/{first}").json()
    assert world.api("guest", "GET", f"{ARTIFACTS}?with_label=true").json()[0]["labels"] == shown["labels"]
    assert "labels" not in world.api("guest", "GET", f"{ARTIFACTS}/1.0").json()
    assert world.api("developer", "DELETE", f"{path}/{first}").status_code == 200
    assert world.api("developer", "DELETE", f"{path}/{first}").status_code == 404
    shown = world.api("guest", "GET", f"{ARTIFACTS}/1.0?with_label=true").json()
    assert [row["name"] for row in shown["labels"]] == ["global"]
    assert list(AuditLog.objects.filter(resource_type="artifact-label").order_by("pk").values_list("operation")) == [
        ("create",),
        ("create",),
        ("delete",),
    ]
    assert Event.objects.filter(type="ARTIFACT_LABELED").count() == 2


def test_a_label_of_another_project_is_none_here(world: World) -> None:
    other = make_project("other", world.users["sysadmin"])
    foreign = Label.objects.create(name="foreign", project=other)
    for number in (foreign.pk, 424242, -1, 0):
        assert world.api("sysadmin", "POST", f"{ARTIFACTS}/1.0/labels", {"id": number}).status_code == 404
    assert world.api("developer", "POST", f"{ARTIFACTS}/1.0/labels", {}).status_code == 422
    assert world.api("developer", "POST", f"{ARTIFACTS}/2.0/labels", {"id": foreign.pk}).status_code == 404
    assert not ArtifactLabel.objects.exists()


def test_found_by_labels(world: World) -> None:
    first, second = world.artifact.digest, push_image(world.actor("developer"), "team/app", "2.0")
    one, two = label(world, "one"), label(world, "two", project=False)
    for tag, number in (("1.0", one), ("2.0", one), ("2.0", two)):
        world.api("developer", "POST", f"{ARTIFACTS}/{tag}/labels", {"id": number})

    def found(query: str, path: str = ARTIFACTS) -> tuple[list[str], str]:
        answer = world.api("guest", "GET", f"{path}?page_size=1&q={query}")
        every = world.api("guest", "GET", f"{path}?q={query}")
        return [row["digest"] for row in every.json()], answer["X-Total-Count"]

    for path in (ARTIFACTS, "projects/team/artifacts"):
        assert found(f"labels%3D({one}+{two})", path) == ([second], "1")
        assert found(f"labels%3D({one})", path) == ([second, first], "2")
        assert found(f"labels%3D%7B{one}+{two}%7D", path) == ([second, first], "2")
        assert found(f"labels%3D{two}", path) == ([second], "1")
        assert found(f"labels%3D({one}+424242)", path) == ([], "0")
        assert found(f"labels%3D({one}),tags%3D1.0", path) == ([first], "1")
    for query in ("labels%3D(one)", "labels%3D~1", "labels%3D%5B1~2%5D", f"labels%3D({'9' * 30})"):
        assert world.api("guest", "GET", f"{ARTIFACTS}?q={query}").status_code == 400, query
    # Totals are kept under the repository's revision: what takes a label off changes it.
    world.api("developer", "DELETE", f"{ARTIFACTS}/1.0/labels/{one}")
    assert found(f"labels%3D({one})") == ([second], "1")
    world.api("maintainer", "DELETE", f"labels/{one}")
    assert found(f"labels%3D({one})") == ([], "0")
    assert Artifact.objects.count() == 2


def test_labels_end_with_what_wears_them(world: World) -> None:
    number = label(world, "one")
    world.api("developer", "POST", f"{ARTIFACTS}/1.0/labels", {"id": number})
    world.api("maintainer", "DELETE", f"{ARTIFACTS}/1.0")
    assert not ArtifactLabel.objects.exists()
    assert Label.objects.exists()


def test_a_page_costs_the_same_whatever_it_shows(world: World) -> None:
    """One query more for each kind of thing that is shown beside the artifacts."""
    numbers = [label(world, f"l{number}") for number in range(3)]
    everything = "with_label=true&with_accessory=true&with_immutable_status=true&with_inherited_accessory=true"

    def queries() -> int:
        forget_everything()
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert world.api("guest", "GET", f"{ARTIFACTS}?page_size=50&{everything}").status_code == 200
        return len(captured)

    for number in numbers[:1]:
        world.api("developer", "POST", f"{ARTIFACTS}/1.0/labels", {"id": number})
    before = queries()
    for number in range(8):
        push_image(world.actor("developer"), "team/app", f"t{number}")
        for wanted in numbers:
            world.api("developer", "POST", f"{ARTIFACTS}/t{number}/labels", {"id": wanted})
    assert queries() == before

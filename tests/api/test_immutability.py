"""Immutable tags: the rules, and that nothing moves or removes what they protect."""

from typing import Any

import pytest
from django.db import transaction

from harbor_core.lib.errors import HarborError
from projects.models import Artifact, ImmutableRule, Repository, Tag
from projects.selectors.immutability import rules_of
from projects.services import immutability, tags
from tests.cast import World, image, make_project, push_image, push_manifest

RULES = "projects/team/immutabletagrules"
ARTIFACTS = "projects/team/repositories/app/artifacts"


def rule(tag: str = "**", repository: str = "**", *, excludes: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "action": "immutable",
        "template": "immutable_template",
        "tag_selectors": [{"kind": "doublestar", "decoration": "excludes" if excludes else "matches", "pattern": tag}],
        "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": repository}]},
    } | more


def add(world: World, body: dict[str, Any]) -> int:
    made = world.api("maintainer", "POST", RULES, body)
    assert made.status_code == 201, made.content
    number = int(made["Location"].rpartition("/")[2])
    assert made["Location"] == f"/api/v2.0/{RULES}/{number}"
    return number


def refused(response: Any) -> bool:
    if response.status_code != 412:
        assert response.status_code < 300, response.content
        return False
    assert response.json()["errors"][0]["code"] == "PRECONDITION"
    return True


def push(world: World, tag: str, repository: str = "team/app") -> str:
    return push_image(world.actor("developer"), repository, tag)


# ---------------------------------------------------------------------- rules


def test_rules(world: World) -> None:
    number = add(world, rule("v*"))
    listed = world.api("maintainer", "GET", RULES)
    assert listed["X-Total-Count"] == "1"
    assert listed.json() == [{"id": number} | rule("v*")]  # disabled and priority are zero, so they are left out
    changed = rule("release-*") | {"id": number, "priority": 3}
    assert world.api("maintainer", "PUT", f"{RULES}/{number}", changed).status_code == 200
    assert world.api("maintainer", "GET", RULES).json() == [changed]
    assert world.api("maintainer", "DELETE", f"{RULES}/{number}").status_code == 200
    gone = world.api("maintainer", "GET", RULES)
    assert (gone.json(), gone["X-Total-Count"]) == ([], "0")
    for verb, body in (("PUT", changed), ("DELETE", None)):
        assert world.api("maintainer", verb, f"{RULES}/{number}", body).status_code == 404


def test_a_toggle_changes_nothing_else(world: World) -> None:
    number = add(world, rule("v*"))
    body = rule("other") | {"id": number, "disabled": True}
    assert world.api("maintainer", "PUT", f"{RULES}/{number}", body).status_code == 200
    assert world.api("maintainer", "GET", RULES).json() == [{"id": number, "disabled": True} | rule("v*")]
    assert not refused(world.api("maintainer", "DELETE", f"{ARTIFACTS}/1.0/tags/1.0"))


def test_rules_belong_to_their_project(world: World) -> None:
    number = add(world, rule("v*"))
    make_project("other", world.users["sysadmin"])
    path = f"projects/other/immutabletagrules/{number}"
    assert world.api("sysadmin", "PUT", path, rule("x") | {"id": number}).status_code == 404
    assert world.api("sysadmin", "DELETE", path).status_code == 404
    assert world.api("sysadmin", "GET", "projects/other/immutabletagrules").json() == []
    assert world.api("sysadmin", "PUT", f"{RULES}/{number}", rule("x") | {"id": number + 1}).status_code == 400


def test_two_equal_rules_are_one_too_many(world: World) -> None:
    add(world, rule("v*"))
    assert world.api("maintainer", "POST", RULES, rule("v*")).status_code == 409
    other = add(world, rule("w*"))
    assert world.api("maintainer", "PUT", f"{RULES}/{other}", rule("v*") | {"id": other}).status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        {},
        rule(""),
        rule("[a"),
        rule("{a"),
        rule("*a" * 65),
        rule(template="other"),
        rule(action="retain"),
        rule(tag_selectors=[]),
        rule(scope_selectors={}),
        rule(scope_selectors={"repository": []}),
        rule(scope_selectors={"project": rule()["scope_selectors"]["repository"]}),
        rule(tag_selectors=[{"kind": "regex", "decoration": "matches", "pattern": "a"}]),
        rule(tag_selectors=[{"kind": "doublestar", "decoration": "repoMatches", "pattern": "a"}]),
        rule(tag_selectors=rule()["tag_selectors"] * 11),
    ],
)
def test_rules_that_make_no_sense(body: dict[str, Any], world: World) -> None:
    answer = world.api("maintainer", "POST", RULES, body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "BAD_REQUEST")
    assert not ImmutableRule.objects.exists()


@pytest.mark.parametrize(
    "body", [rule(tag_selectors="x"), rule(tag_selectors=[None]), rule(scope_selectors={"repository": "**"}), rule(1)]
)
def test_rules_of_the_wrong_type(body: dict[str, Any], world: World) -> None:
    assert world.api("maintainer", "POST", RULES, body).status_code == 422


def test_a_project_has_so_many_rules(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(immutability, "MAX_RULES", 2)
    add(world, rule("a"))
    add(world, rule("b"))
    assert world.api("maintainer", "POST", RULES, rule("c")).status_code == 400


# ---------------------------------------------------------------------- what they protect


def test_only_the_first_selectors_count(world: World) -> None:
    both = rule("v*")
    both["tag_selectors"] = [*both["tag_selectors"], *rule("w*")["tag_selectors"]]
    both["scope_selectors"]["repository"].append({"kind": "doublestar", "decoration": "repoExcludes", "pattern": "**"})
    add(world, both)
    assert rules_of(world.project.pk).protected("team/app", ["v1", "w1", "x"]) == {"v1"}


def test_the_name_inside_the_project_counts(world: World) -> None:
    add(world, rule("**", "web/**"))
    add(world, rule("{latest,main}", "app", excludes=True))
    rules = rules_of(world.project.pk)
    assert rules.protected("team/web/a/b", ["1"]) == {"1"}
    assert rules.protected("team/app", ["latest", "main", "1.0"]) == {"1.0"}
    assert rules.protected("team/other", ["1.0"]) == set()


def test_a_pattern_that_is_bad_on_some_name_protects_nothing_there(world: World) -> None:
    add(world, rule("{a/b,c}x"))  # the library behind Harbor's rules gives up on the empty rest of a name
    assert rules_of(world.project.pk).protected("team/app", ["cx", "y"]) == {"cx"}


def test_tags_of_signatures_are_written_again(world: World) -> None:
    """Every further signature moves the tag cosign finds them by."""
    add(world, rule())
    tag = f"{world.artifact.digest.replace(':', '-')}.sig"
    push(world, tag)
    second = push(world, tag)
    assert Tag.objects.get(name=tag).artifact.digest == second


def test_immutable_means_immutable(world: World) -> None:
    api = world.api
    add(world, rule("1.*"))
    old, other = world.artifact.digest, push(world, "2.0")

    with pytest.raises(HarborError, match="PRECONDITION"):
        push(world, "1.0")
    assert refused(api("maintainer", "DELETE", f"{ARTIFACTS}/1.0/tags/1.0"))
    assert refused(api("maintainer", "DELETE", f"{ARTIFACTS}/1.0"))
    assert refused(api("maintainer", "DELETE", f"{ARTIFACTS}/{old}"))
    assert refused(api("maintainer", "DELETE", "projects/team/repositories/app"))
    assert refused(api("sysadmin", "DELETE", f"{ARTIFACTS}/1.0/tags/1.0"))
    assert api("developer", "POST", f"{ARTIFACTS}/2.0/tags", {"name": "1.0"}).status_code == 409
    tag = Tag.objects.get(repository__name="team/app", name="1.0")
    assert tag.artifact.digest == old
    with transaction.atomic(), pytest.raises(HarborError, match="PRECONDITION"):
        tags.put(world.actor("developer"), tag.repository_id, "1.0", Artifact.objects.get(digest=other))

    # What is new, and what no rule names, is free.
    assert not refused(api("developer", "POST", f"{ARTIFACTS}/2.0/tags", {"name": "1.1"}))
    assert not refused(api("maintainer", "DELETE", f"{ARTIFACTS}/2.0/tags/2.0"))
    assert refused(api("maintainer", "DELETE", f"{ARTIFACTS}/1.1"))
    assert Repository.objects.filter(name="team/app").exists()


def test_pushing_the_same_again_moves_nothing(world: World) -> None:
    """A client that did not hear the answer of its push may repeat it."""
    manifest = image("team/app")
    digest = push_manifest(world.actor("developer"), "team/app", "9", manifest)
    add(world, rule())
    assert push_manifest(world.actor("developer"), "team/app", "9", manifest) == digest


def test_an_accessory_with_a_protected_tag_keeps_its_subject(world: World) -> None:
    add(world, rule("keep"))
    subject = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": world.artifact.digest, "size": 1}
    push_manifest(world.actor("developer"), "team/app", "keep", image("team/app", subject=subject))
    assert refused(world.api("maintainer", "DELETE", f"{ARTIFACTS}/1.0"))
    assert not refused(world.api("maintainer", "DELETE", f"{ARTIFACTS}/1.0/tags/1.0"))
    assert refused(world.api("maintainer", "DELETE", f"{ARTIFACTS}/{world.artifact.digest}"))


def test_status_of_tags(world: World) -> None:
    add(world, rule("1.*"))
    world.api("developer", "POST", f"{ARTIFACTS}/1.0/tags", {"name": "latest"})

    def shown(rows: list[Any]) -> dict[str, bool]:
        return {row["name"]: row["immutable"] for row in rows}

    everything = {"1.0": True, "latest": False}
    unasked = {"1.0": False, "latest": False}
    for path in (f"{ARTIFACTS}/1.0", f"{ARTIFACTS}/{world.artifact.digest}"):
        assert shown(world.api("guest", "GET", f"{path}?with_immutable_status=true").json()["tags"]) == everything
        assert shown(world.api("guest", "GET", path).json()["tags"]) == unasked
    for path in (ARTIFACTS, "projects/team/artifacts"):
        assert shown(world.api("guest", "GET", f"{path}?with_immutable_status=true").json()[0]["tags"]) == everything
    assert shown(world.api("guest", "GET", f"{ARTIFACTS}/1.0/tags?with_immutable_status=true").json()) == everything
    assert shown(world.api("guest", "GET", f"{ARTIFACTS}/1.0/tags").json()) == unasked

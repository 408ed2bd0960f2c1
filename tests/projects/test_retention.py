"""Tag retention: the rules against a plain reading of them, and what a run does."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from jobservice.models import Execution, Schedule, Task
from jobservice.selectors import executions
from projects.models import Artifact, ImmutableRule, RetentionPolicy, Tag, TrashedArtifact
from projects.selectors import retention as selectors
from projects.selectors.retention import TEMPLATES, Candidate, judge
from tests.cast import World, push_image
from tests.jobservice.conftest import Worker, worker  # noqa: F401 - a fixture

NOW = timezone.now()
ALL_REPOSITORIES = {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**", "extras": ""}]}


def rule(template: str, number: int | None = None, *tags: tuple[str, str], **more: Any) -> dict[str, Any]:
    selectors_ = [
        {
            "kind": more.get("kind", "doublestar"),
            "decoration": how,
            "pattern": pattern,
            "extras": more.get("extras", ""),
        }
        for how, pattern in (tags or (("matches", "**"),))
    ]
    params = {} if number is None else {template: number}
    return {"template": template, "params": params, "tag_selectors": selectors_, "scope_selectors": ALL_REPOSITORIES}


def body(project_id: int, *rules: dict[str, Any], cron: str = "", **more: Any) -> dict[str, Any]:
    return {
        "algorithm": "or",
        "scope": {"level": "project", "ref": project_id},
        "trigger": {"kind": "Schedule", "settings": {"cron": cron}},
        "rules": list(rules),
    } | more


def candidate(number: int, *tags: str, pushed: float = 0, pulled: float | None = None) -> Candidate:
    when = None if pulled is None else NOW - timedelta(days=pulled)
    return Candidate(number, f"sha256:{number:064x}", tags, NOW - timedelta(days=pushed), when)


def kept(policy: RetentionPolicy, *candidates: Candidate, protected: set[str] = frozenset()) -> set[int]:  # type: ignore[assignment]  # an empty set
    verdicts = judge(policy, "team/app", candidates, protected, NOW)
    assert verdicts is not None
    return {verdict.candidate.artifact_id for verdict in verdicts if verdict.keep}


def test_templates() -> None:
    found = (
        candidate(1, "a", pushed=1, pulled=40),
        candidate(2, "b", pushed=10, pulled=2),
        candidate(3, "c", pushed=50),
        candidate(4, pushed=5, pulled=5),
    )

    def by(*rules: dict[str, Any], **more: Any) -> set[int]:
        return kept(RetentionPolicy(rules=list(rules), **more), *found)

    assert by(rule("latestPushedK", 2)) == {1, 4}
    assert by(rule("latestPulledN", 2)) == {2, 4}
    assert by(rule("latestPulledN", 9)) == {1, 2, 4}  # never pulled is not recently pulled
    assert by(rule("nDaysSinceLastPush", 10)) == {1, 2, 4}
    assert by(rule("nDaysSinceLastPull", 5)) == {2, 4}
    assert by(rule("always")) == {1, 2, 3, 4}
    assert by(rule("nothing")) == set()
    assert by(rule("always", None, ("matches", "{a,b}"))) == {1, 2, 4}  # untagged ones match by default
    assert by(rule("always", None, ("matches", "a"), extras='{"untagged": false}')) == {1}
    assert by(rule("always", None, ("excludes", "a"))) == {2, 3}
    assert by(rule("always", None, ("matches", "[ab]"), kind="regex", extras='{"untagged": false}')) == {1, 2}
    assert by(rule("always", None, ("matches", "a"), extras='{"untagged": false}'), rule("latestPushedK", 1)) == {1}
    assert by(rule("nothing"), keep_newest=1) == {1}
    assert by(rule("latestPushedK", 1), max_delete_percent=50) == {1, 2, 3, 4}
    assert by(rule("latestPushedK", 1), max_delete_percent=75) == {1}
    assert kept(RetentionPolicy(rules=[rule("nothing")]), *found, protected={"c"}) == {3}
    assert judge(RetentionPolicy(rules=[rule("always") | {"disabled": True}]), "team/app", found, set(), NOW) is None


names = st.sampled_from(["a", "b", "ab", "v1", "v2"])
candidates = st.lists(
    st.tuples(st.lists(names, max_size=2, unique=True), st.integers(0, 60), st.none() | st.integers(0, 60)), max_size=8
)
rules = st.lists(
    st.tuples(st.sampled_from(sorted(TEMPLATES)), st.integers(0, 40), st.sampled_from(["**", "a*", "v?", "b"])),
    min_size=1,
    max_size=3,
)


@given(candidates, rules)
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_the_union_of_what_every_rule_keeps(given_: Any, chosen: Any) -> None:
    """Against a plain reading: sort, cut, compare."""
    found = [
        candidate(n, *tags, pushed=pushed + n / 1000, pulled=None if pulled is None else pulled + n / 1000)
        for n, (tags, pushed, pulled) in enumerate(given_)
    ]
    expected: set[int] = set()
    for template, number, pattern in chosen:
        glob = re.compile("^" + pattern.replace("**", ".*").replace("?", ".").replace("a*", "a.*") + "$")
        matched = [c for c in found if not c.tags or any(glob.match(tag) for tag in c.tags)]
        unit = TEMPLATES[template].unit
        value = number if unit else 0
        expected |= {c.artifact_id for c in _plain(template, matched, value)}
    policy = RetentionPolicy(rules=[rule(t, n if TEMPLATES[t].unit else None, ("matches", p)) for t, n, p in chosen])
    assert kept(policy, *found) == expected


def _plain(template: str, found: list[Candidate], number: int) -> list[Candidate]:
    def age(when: Any) -> float:
        return 1e9 if when is None else (NOW - when).total_seconds() / 86400

    def active(c: Candidate) -> float:
        return min(age(c.pushed), age(c.pulled))

    pulled = [c for c in found if c.pulled is not None]
    return {
        "latestPushedK": lambda: sorted(found, key=lambda c: age(c.pushed))[:number],
        "latestPulledN": lambda: sorted(pulled, key=lambda c: age(c.pulled))[:number],
        "nDaysSinceLastPush": lambda: [c for c in found if age(c.pushed) <= number],
        "nDaysSinceLastPull": lambda: [c for c in pulled if age(c.pulled) <= number],
        "always": lambda: found,
        "latestActiveK": lambda: sorted(found, key=active)[:number],
        "lastXDays": lambda: [c for c in found if active(c) <= number],
        "nothing": list,
    }[template]()


# ---------------------------------------------------------------------- through the API
def make(world: World, *rules_: dict[str, Any], **more: Any) -> int:
    response = world.api("project_admin", "POST", "retentions", body(world.project.pk, *rules_, **more))
    assert response.status_code == 201, response.content
    return int(response.headers["Location"].rpartition("/")[2])


def run(world: World, worker_: Worker, policy: int, *, dry_run: bool = False) -> Execution:
    response = world.api("project_admin", "POST", f"retentions/{policy}/executions", {"dry_run": dry_run})
    assert response.status_code == 201, response.content
    while worker_.work():
        pass
    execution = Execution.objects.get(pk=int(response.headers["Location"].rpartition("/")[2]))
    assert execution.status == "Success", [executions.whole_log(task) for task in Task.objects.all()]
    return execution


@pytest.mark.django_db
def test_a_run_deletes_what_no_rule_keeps(world: World, worker: Worker) -> None:  # noqa: F811
    for tag in ("2.0", "3.0"):
        push_image(world.actor("developer"), "team/app", tag)
    policy = make(world, rule("latestPushedK", 1))
    dry = run(world, worker, policy, dry_run=True)
    assert Tag.objects.count() == 3
    execution = run(world, worker, policy)
    assert [tag.name for tag in Tag.objects.all()] == ["3.0"] and TrashedArtifact.objects.count() == 2
    rows = world.api("maintainer", "GET", f"retentions/{policy}/executions").json()
    assert [(row["id"], row.get("dry_run", False), row["trigger"]) for row in rows] == [
        (execution.pk, False, "MANUAL"),
        (dry.pk, True, "MANUAL"),
    ]
    (task,) = world.api("maintainer", "GET", f"retentions/{policy}/executions/{execution.pk}/tasks").json()
    assert (task["repository"], task["total"], task["retained"]) == ("team/app", 3, 1)
    log = world.api("maintainer", "GET", f"retentions/{policy}/executions/{execution.pk}/tasks/{task['id']}")
    assert log.content.count(b"DEL ") == 2 and log.content.count(b"RETAIN ") == 1


@pytest.mark.django_db
def test_immutable_tags_stay(world: World, worker: Worker) -> None:  # noqa: F811
    push_image(world.actor("developer"), "team/app", "2.0")
    selector = {"kind": "doublestar", "pattern": "1.0", "decoration": "matches"}
    ImmutableRule.objects.create(project=world.project, tag_selectors=[selector], scope_selectors=ALL_REPOSITORIES)
    run(world, worker, make(world, rule("nothing")))
    assert [tag.name for tag in Tag.objects.all()] == ["1.0"]


@pytest.mark.django_db
def test_what_was_pushed_meanwhile_stays(world: World) -> None:
    from projects.services.retention_run import _delete_one

    repository = world.artifact.repository
    (judged,) = selectors.candidates_of(repository)
    Tag.objects.update(push_time=timezone.now())
    assert _delete_one(repository, judged) is not None and Artifact.objects.count() == 1
    (judged,) = selectors.candidates_of(repository)
    assert _delete_one(repository, judged) is None and not Artifact.objects.exists()


@pytest.mark.django_db
def test_a_preview_says_why(world: World) -> None:
    push_image(world.actor("developer"), "team/app", "2.0")
    policy = make(world, rule("latestPushedK", 1))
    (found,) = world.api("maintainer", "GET", f"retentions/{policy}/preview").json()
    assert (found["repository"], found["total"], found["retained"]) == ("team/app", 2, 1)
    assert found["deleted"][0]["tags"] == ["1.0"] and found["deleted"][0]["reason"] == "no rule keeps it"
    assert found["kept"][0]["reason"] == "the most recently pushed 1 artifacts"


@pytest.mark.django_db
def test_a_policy_and_its_schedule(world: World) -> None:
    policy = make(world, rule("always"), cron="0 0 3 * * *")
    assert world.api("guest", "GET", "projects/team").json()["metadata"]["retention_id"] == str(policy)
    assert Schedule.objects.get(vendor_type="RETENTION", vendor_id=policy).cron == "0 0 3 * * *"
    found = world.api("maintainer", "GET", f"retentions/{policy}").json()
    assert found["scope"] == {"level": "project", "ref": world.project.pk}
    assert world.api("maintainer", "PUT", f"retentions/{policy}", found | {"keep_newest": 3}).status_code == 200
    assert world.api("maintainer", "GET", f"retentions/{policy}").json()["keep_newest"] == 3
    found["trigger"]["settings"]["cron"] = ""
    assert world.api("maintainer", "PUT", f"retentions/{policy}", found).status_code == 200
    assert not Schedule.objects.filter(vendor_type="RETENTION", vendor_id=policy).exists()
    assert world.api("project_admin", "DELETE", f"retentions/{policy}").status_code == 200
    assert "retention_id" not in world.api("guest", "GET", "projects/team").json()["metadata"]
    assert world.api("sysadmin", "GET", f"retentions/{policy}").status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"rules": [rule("always")] * 2}, 409),
        ({"rules": [rule("latestPushedK", n) for n in range(16)]}, 400),
        ({"rules": [rule("sometimes")]}, 400),
        ({"rules": [rule("latestPushedK", -1)]}, 400),
        ({"rules": [rule("latestPushedK", 40_000)]}, 400),
        ({"rules": [rule("always", None, ("matches", "[a"))]}, 400),
        ({"rules": [rule("always", None, ("matches", "(a"), kind="regex")]}, 400),
        ({"rules": [rule("always", None, ("likes", "a"))]}, 400),
        ({"rules": [rule("always") | {"scope_selectors": {}}]}, 400),
        ({"trigger": {"kind": "Schedule", "settings": {"cron": "every day"}}}, 400),
        ({"algorithm": "and"}, 400),
        ({"max_delete_percent": 101}, 400),
    ],
)
def test_what_cannot_be_a_policy(change: dict[str, Any], status: int, world: World) -> None:
    answer = world.api("project_admin", "POST", "retentions", body(world.project.pk, rule("always")) | change)
    assert answer.status_code == status, answer.content
    assert not RetentionPolicy.objects.exists()


@pytest.mark.django_db
def test_one_policy_per_project(world: World) -> None:
    make(world, rule("always"))
    answer = world.api("project_admin", "POST", "retentions", body(world.project.pk, rule("always")))
    assert answer.status_code == 400

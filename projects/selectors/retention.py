"""Tag retention: what a policy keeps (contract 2.12 and 4.4). Pure rules over candidates, and the candidates."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from harbor_core.lib import patterns
from harbor_core.lib.doublestar import BadPattern
from harbor_core.lib.errors import HarborError
from harbor_core.lib.names import split_repository
from projects.models import Artifact, Repository, RetentionPolicy, Tag
from projects.selectors.immutability import Rules, rules_of

CHUNK = 1000
IMMUTABLE, NEWEST, NO_RULE, TOO_MANY = "immutable", "newest", "no_rule", "too_many"  # causes besides the templates
Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An artifact that may be deleted. ``pushed`` and ``pulled`` are the latest of it and its tags; None: never."""

    artifact_id: int
    digest: str
    tags: tuple[str, ...]
    pushed: datetime
    pulled: datetime | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """``keep``, and why: ``cause`` is the template that keeps it or one of the words below, with its ``number``;
    ``reason`` says it in a few words."""

    candidate: Candidate
    keep: bool
    cause: str
    number: int = 0

    @property
    def immutable(self) -> bool:
        """A tag that no rule kept is protected."""
        return self.cause == IMMUTABLE

    @property
    def reason(self) -> str:
        return _REASONS[self.cause].replace("#", str(self.number))


@dataclass(frozen=True, slots=True)
class Template:
    """``unit`` is COUNT or DAYS, empty for a template without parameter; ``shown`` ones are offered to users."""

    name: str
    text: str
    unit: str
    default: int
    choose: Callable[[list[Candidate], int, datetime], list[Candidate]]
    shown: bool = True


def _newest(key: Callable[[Candidate], Any]) -> Callable[[list[Candidate], int, datetime], list[Candidate]]:
    def choose(found: list[Candidate], number: int, now: datetime) -> list[Candidate]:
        return sorted((item for item in found if key(item) is not None), key=key, reverse=True)[:number]

    return choose


def _within(key: Callable[[Candidate], datetime | None]) -> Callable[[list[Candidate], int, datetime], list[Candidate]]:
    def choose(found: list[Candidate], days: int, now: datetime) -> list[Candidate]:
        since = now - timedelta(days=days)
        return [item for item in found if (when := key(item)) is not None and when >= since]

    return choose


def _active(item: Candidate) -> datetime:
    return max(item.pushed, item.pulled) if item.pulled else item.pushed


TEMPLATES = {
    template.name: template
    for template in (
        Template("latestPushedK", "the most recently pushed # artifacts", "COUNT", 10, _newest(lambda c: c.pushed)),
        Template("latestPulledN", "the most recently pulled # artifacts", "COUNT", 10, _newest(lambda c: c.pulled)),
        Template("nDaysSinceLastPush", "pushed within the last # days", "DAYS", 30, _within(lambda c: c.pushed)),
        Template("nDaysSinceLastPull", "pulled within the last # days", "DAYS", 30, _within(lambda c: c.pulled)),
        Template("always", "always", "", 0, lambda found, number, now: found),
        Template("latestActiveK", "the most recently active # artifacts", "COUNT", 10, _newest(_active), shown=False),
        Template("lastXDays", "active within the last # days", "DAYS", 30, _within(_active), shown=False),
        Template("nothing", "nothing", "", 0, lambda found, number, now: [], shown=False),
    )
}
_REASONS = {template.name: template.text for template in TEMPLATES.values()} | {
    IMMUTABLE: "a tag is immutable",
    NEWEST: "one of the # newest",
    NO_RULE: "no rule keeps it",
    TOO_MANY: "# % would go, more than a run may",
}


def identity(rule: Params) -> str:
    """The same for rules that say the same (16 hexadecimal digits)."""
    said = {key: value for key, value in rule.items() if key not in ("id", "priority", "disabled")}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def parameter(rule: Params) -> int:
    """The number of the rule's template."""
    template = TEMPLATES[rule["template"]]
    value = (rule.get("params") or {}).get(template.name)
    return int(value) if value is not None else template.default


# ---------------------------------------------------------------------- selectors
def takes(selector: Params, name: str) -> bool:
    """Does the selector's pattern match the whole name?"""
    try:
        return patterns.matches(selector.get("kind") or patterns.DOUBLESTAR, selector["pattern"], name)
    except BadPattern:
        return False


def takes_repository(rule: Params, repository: str) -> bool:
    """Every repository selector must agree."""
    name = split_repository(repository)[1]
    return all(
        takes(selector, name) is not (selector["decoration"] == "repoExcludes")
        for selector in rule["scope_selectors"]["repository"]
    )


def takes_artifact(selector: Params, candidate: Candidate) -> bool:
    """By any tag; one without a tag by the selector's ``extras``, which by default include it where it matches and
    leave it out where it excludes."""
    if not candidate.tags:
        return takes_untagged(selector)
    excludes = selector["decoration"] == "excludes"
    return any(takes(selector, tag) is not excludes for tag in candidate.tags)


def takes_untagged(selector: Params) -> bool:
    """Does the selector include artifacts without a tag?"""
    extras, default = selector.get("extras") or "", selector["decoration"] != "excludes"
    try:
        value = json.loads(extras).get("untagged", default) if extras else default
    except (ValueError, AttributeError):
        return default
    return bool(value)


# ---------------------------------------------------------------------- the verdict
def judge(
    policy: RetentionPolicy, repository: str, candidates: Sequence[Candidate], protected: set[str], now: datetime
) -> list[Verdict] | None:
    """What happens to each; None when no rule selects the repository, which is then left alone.

    The union of what the rules keep is kept, then what is immutable; everything else goes, also what no tag selector
    matched.
    """
    rules = [rule for rule in policy.rules if not rule.get("disabled") and takes_repository(rule, repository)]
    if not rules:
        return None
    causes: dict[int, tuple[str, int]] = {}
    for rule in rules:
        template, number = TEMPLATES[rule["template"]], parameter(rule)
        matched = [c for c in candidates if all(takes_artifact(item, c) for item in rule["tag_selectors"])]
        for kept in template.choose(matched, number, now):
            causes.setdefault(kept.artifact_id, (template.name, number))
    for newest in sorted(candidates, key=lambda c: c.pushed, reverse=True)[: policy.keep_newest]:
        causes.setdefault(newest.artifact_id, (NEWEST, policy.keep_newest))
    for candidate in candidates:
        if candidate.artifact_id not in causes and not protected.isdisjoint(candidate.tags):
            causes[candidate.artifact_id] = (IMMUTABLE, 0)
    deleted = len(candidates) - len(causes)
    if policy.max_delete_percent and deleted * 100 > policy.max_delete_percent * len(candidates):
        return [Verdict(candidate, True, TOO_MANY, deleted * 100 // len(candidates)) for candidate in candidates]
    return [
        Verdict(candidate, candidate.artifact_id in causes, *causes.get(candidate.artifact_id, (NO_RULE, 0)))
        for candidate in candidates
    ]


def candidates_of(repository: Repository) -> list[Candidate]:
    """Everything that is listed: tagged artifacts, and untagged ones that belong to nothing else."""
    tags: dict[int, list[tuple[str, datetime, datetime | None]]] = {}
    rows = (
        Tag.objects.filter(repository=repository)
        .order_by("pk")
        .values_list("artifact_id", "name", "push_time", "pull_time")
    )
    for artifact_id, name, pushed, pulled in rows.iterator(chunk_size=CHUNK):
        tags.setdefault(artifact_id, []).append((name, pushed, pulled))
    listed = Artifact.objects.filter(repository=repository, listed=True).order_by("pk")
    return [
        _candidate(pk, digest, pushed, pulled, tags.get(pk, []))
        for pk, digest, pushed, pulled in listed.values_list("pk", "digest", "push_time", "pull_time").iterator(
            chunk_size=CHUNK
        )
    ]


def _candidate(
    pk: int, digest: str, pushed: datetime, pulled: datetime | None, tags: list[tuple[str, datetime, datetime | None]]
) -> Candidate:
    pulls = [when for when in (pulled, *(tag[2] for tag in tags)) if when is not None]
    return Candidate(
        pk, digest, tuple(tag[0] for tag in tags), max([pushed, *(tag[1] for tag in tags)]), max(pulls, default=None)
    )


def verdicts_of(
    policy: RetentionPolicy, repository: Repository, now: datetime, immutable: Rules | None = None
) -> list[Verdict] | None:
    """Of one repository as it is now. ``immutable`` are the project's rules, for who asks about several of it."""
    candidates = candidates_of(repository)
    names = [tag for candidate in candidates for tag in candidate.tags]
    protected = (immutable or rules_of(repository.project_id)).protected(repository.name, names)
    return judge(policy, repository.name, candidates, protected, now)


def repositories_of(policy: RetentionPolicy) -> Iterator[Repository]:
    """Those at least one enabled rule selects."""
    rules = [rule for rule in policy.rules if not rule.get("disabled")]
    rows: QuerySet[Repository] = Repository.objects.filter(project_id=policy.project_id).order_by("name")
    for repository in rows.iterator(chunk_size=CHUNK):
        if any(takes_repository(rule, repository.name) for rule in rules):
            yield repository


def policy_get(policy_id: int) -> RetentionPolicy:
    """Raises NOT_FOUND."""
    policy = RetentionPolicy.objects.filter(pk=policy_id, project__deleted=False).select_related("project").first()
    if policy is None:
        raise HarborError("NOT_FOUND", f"retention policy {policy_id} not found")
    return policy


def policy_of(project_id: int) -> RetentionPolicy | None:
    return RetentionPolicy.objects.filter(project_id=project_id).select_related("project").first()


def counted(verdicts: Iterable[Verdict]) -> tuple[int, int]:
    """How many there are and how many are kept."""
    rows = list(verdicts)
    return len(rows), sum(verdict.keep for verdict in rows)

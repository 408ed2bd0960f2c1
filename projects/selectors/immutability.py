"""Immutable tags: which tags the rules of a project protect (contract 1.9 and 2.12)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harbor_core.lib.doublestar import BadPattern, match
from harbor_core.lib.errors import HarborError
from harbor_core.lib.filtering import Field, apply_filter, apply_sort, flag, whole
from harbor_core.lib.names import split_repository
from harbor_core.lib.pagination import Listing, Page, paginate
from projects.models import ImmutableRule, Repository, Tag

FIELDS = {
    "id": Field("id", whole),
    "priority": Field("priority", whole),
    "disabled": Field("disabled", flag),
}
EXCLUDING = ("excludes", "repoExcludes")
_REFERRER_TAG = re.compile(r"sha256-[a-f0-9]{64}(\.[a-z]+)?")


def is_referrer_tag(tag: str) -> bool:
    """Is it one by which signing tools and the referrers fallback find what belongs to an artifact? Every further
    signature writes it again, so no rule holds it (distribution spec, referrers tag schema)."""
    return _REFERRER_TAG.fullmatch(tag) is not None


@dataclass(frozen=True, slots=True)
class Selector:
    pattern: str
    excludes: bool

    def takes(self, name: str) -> bool:
        try:
            return match(self.pattern, name) is not self.excludes
        except BadPattern:  # on this name; the pattern as a whole was checked when the rule was made
            return False


@dataclass(frozen=True, slots=True)
class Rules:
    """The enabled rules of a project, each a selector of repositories and one of tags."""

    pairs: tuple[tuple[Selector, Selector], ...]

    def protected(self, repository: str, tags: Iterable[str]) -> set[str]:
        """Those of the tags of a repository (its full name) that are immutable."""
        name = split_repository(repository)[1]
        selectors = [tag for repositories, tag in self.pairs if repositories.takes(name)]
        if not selectors:
            return set()
        return {tag for tag in tags if not is_referrer_tag(tag) and any(item.takes(tag) for item in selectors)}


def selectors_of(tag_selectors: list[Any], scope_selectors: Mapping[str, Any]) -> tuple[Selector, Selector]:
    """The two of a rule that count: the first for repositories and the first for tags."""
    first = (scope_selectors["repository"][0], tag_selectors[0])
    repositories, tags = (Selector(item["pattern"], item["decoration"] in EXCLUDING) for item in first)
    return repositories, tags


def rules_of(project_id: int) -> Rules:
    """As they are now. One query."""
    rows = ImmutableRule.objects.filter(project_id=project_id, disabled=False).order_by("pk")
    return Rules(tuple(selectors_of(*row) for row in rows.values_list("tag_selectors", "scope_selectors")))


def rule_list(project_id: int, listing: Listing) -> Page[ImmutableRule]:
    rules = apply_filter(ImmutableRule.objects.filter(project_id=project_id), listing.query, FIELDS)
    return paginate(apply_sort(rules, listing.sort, FIELDS, ["pk"]), listing)


def rule_get(project_id: int, rule_id: int) -> ImmutableRule:
    """Raises NOT_FOUND, also for a rule of another project."""
    rule = ImmutableRule.objects.filter(pk=rule_id, project_id=project_id).first()
    if rule is None:
        raise HarborError("NOT_FOUND", f"immutable tag rule {rule_id} not found")
    return rule


def rules_in(project_id: int) -> list[ImmutableRule]:
    """All of them, oldest first; there are never many (services.immutability)."""
    return list(ImmutableRule.objects.filter(project_id=project_id).order_by("pk"))


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule would protect. ``repositories`` and ``tags`` count among the newest ``looked`` of them; ``names`` are
    some of the tags as ``repository:tag``; with ``more`` there are repositories or tags that were not looked at."""

    repositories: int
    tags: int
    names: tuple[str, ...]
    more: bool


PREVIEW_REPOSITORIES, PREVIEW_TAGS, PREVIEW_NAMES = 500, 2_000, 12


def preview(project_id: int, repositories: Selector, tags: Selector) -> Preview:
    """Three queries at most, whatever there is."""
    newest = Repository.objects.filter(project_id=project_id).order_by("-update_time", "-pk")
    rows = list(newest.values_list("pk", "name")[: PREVIEW_REPOSITORIES + 1])
    taken = {pk: name for pk, name in rows[:PREVIEW_REPOSITORIES] if repositories.takes(split_repository(name)[1])}
    found = Tag.objects.filter(repository_id__in=list(taken)).order_by("-push_time", "-pk")
    looked = list(found.values_list("repository_id", "name")[: PREVIEW_TAGS + 1])
    kept = [
        f"{split_repository(taken[pk])[1]}:{name}"
        for pk, name in looked[:PREVIEW_TAGS]
        if not is_referrer_tag(name) and tags.takes(name)
    ]
    more = len(rows) > PREVIEW_REPOSITORIES or len(looked) > PREVIEW_TAGS
    return Preview(len(taken), len(kept), tuple(kept[:PREVIEW_NAMES]), more)

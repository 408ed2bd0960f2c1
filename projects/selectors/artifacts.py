"""Artifacts, tags and accessories as the REST API shows them.

A page costs a constant number of queries. The number of artifacts in a repository is kept in the cache under the
repository's revision, so that a page of a big repository costs what one of a small repository costs.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from django.core.cache import cache
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery, Sum

from harbor_core.lib import names
from harbor_core.lib.errors import HarborError
from harbor_core.lib.filtering import Field, apply_filter, apply_sort, time, whole
from harbor_core.lib.pagination import Listing, Page, paginate
from harbor_core.lib.query import AllOf, AnyOf, Condition, Exact, Fuzzy
from projects.models import Accessory, Artifact, ArtifactLabel, ArtifactReference, Label, Repository, Tag
from projects.selectors.browsing import COUNT_CACHE_SECONDS, artifact_counts
from projects.selectors.immutability import rules_of
from projects.selectors.labels import labels_of

ORDER = ["-push_time", "-pk"]
FIELDS = {
    "id": Field("id", whole),
    "digest": Field("digest"),
    "type": Field("type"),
    "media_type": Field("media_type"),
    "manifest_media_type": Field("manifest_media_type"),
    "artifact_type": Field("artifact_type"),
    "size": Field("size", whole),
    "repository_id": Field("repository_id", whole),
    "repository_name": Field("repository__name"),
    "push_time": Field("push_time", time),
    "pull_time": Field("pull_time", time, nullable=True),
}
_KINDS = ("type", "media_type", "artifact_type")
TAG_FIELDS = {
    "id": Field("id", whole),
    "name": Field("name"),
    "artifact_id": Field("artifact_id", whole),
    "repository_id": Field("repository_id", whole),
    "push_time": Field("push_time", time),
    "pull_time": Field("pull_time", time, nullable=True),
}
ACCESSORY_FIELDS = {
    "id": Field("id", whole),
    "artifact_id": Field("artifact_id", whole),
    "subject_artifact_id": Field("subject_id", whole),
    "subject_artifact_digest": Field("subject_digest"),
    "type": Field("type"),
    "digest": Field("artifact__digest"),
    "size": Field("artifact__size", whole),
    "creation_time": Field("creation_time", time),
}
EVERY_KIND = "base"  # base=*: also children of an index and accessories
_OWN_KEYS = {"tags", "labels", EVERY_KIND}
# Signatures of an index speak for its children too.
_INHERITED = ("signature.cosign", "signature.notation")


@dataclass(frozen=True, slots=True)
class Shown:
    """What to read beside artifacts; their references always are."""

    tags: bool = True
    immutable: bool = False  # which of the tags are
    labels: bool = False
    accessories: bool = False
    inherited: bool = False  # signatures of the indexes an artifact is part of


@dataclass(frozen=True, slots=True)
class Details:
    """What hangs on the artifacts of one page, by artifact id; ``immutable`` are ids of tags."""

    tags: dict[int, list[Tag]] = field(default_factory=lambda: defaultdict(list))
    immutable: set[int] = field(default_factory=set)
    references: dict[int, list[ArtifactReference]] = field(default_factory=lambda: defaultdict(list))
    labels: dict[int, list[Label]] = field(default_factory=dict)
    accessories: dict[int, list[Accessory]] = field(default_factory=lambda: defaultdict(list))
    inherited: dict[int, list[Accessory]] = field(default_factory=lambda: defaultdict(list))


def artifact_list(repository: Repository, listing: Listing) -> Page[Artifact]:
    """Tagged artifacts and untagged ones that belong to nothing else, unless the query asks for all."""
    artifacts = _ordered(Artifact.objects.filter(repository=repository).defer("manifest"), listing)
    query = {key: listing.query[key] for key in sorted(listing.query) if key in FIELDS or key in _OWN_KEYS}

    def count() -> int:
        if not query:
            return artifact_counts([repository])[repository.pk]
        if "pull_time" in query:  # changes without a new revision
            return artifacts.count()
        condition = hashlib.sha256(repr(query).encode()).hexdigest()
        return _kept(f"artifacts:{repository.pk}:{repository.revision}:{condition}", artifacts)

    page = paginate(artifacts, listing, count)
    for artifact in page.items:
        artifact.repository = repository
    return page


def project_artifact_list(project_id: int, listing: Listing, *, latest: bool = False) -> Page[Artifact]:
    """Of all repositories of a project; ``latest`` leaves one per repository, the last one of the kind asked for."""
    artifacts = Artifact.objects.filter(project_id=project_id).defer("manifest").select_related("repository")
    if latest:
        kinds = {key: listing.query[key] for key in _KINDS if key in listing.query}
        candidates = apply_filter(Artifact.objects.filter(repository=OuterRef("pk"), listed=True), kinds, FIELDS)
        newest = candidates.order_by(*ORDER).values("pk")[:1]
        repositories = Repository.objects.filter(project_id=project_id)
        artifacts = artifacts.filter(pk__in=repositories.annotate(newest=Subquery(newest)).values("newest"))
    artifacts = _ordered(artifacts, listing)
    narrowed = latest or any(key in FIELDS or key in _OWN_KEYS for key in listing.query)
    return paginate(artifacts, listing, None if narrowed else lambda: _project_count(project_id))


def _project_count(project_id: int) -> int:
    """Listed artifacts of a project. The key changes with any change of any repository: revisions only grow, and a
    repository that comes has a higher id than any before it."""
    state = Repository.objects.filter(project_id=project_id).aggregate(Count("pk"), Max("pk"), Sum("revision"))
    key = f"artifacts:project:{project_id}:" + ":".join(str(state[name]) for name in sorted(state))
    return _kept(key, Artifact.objects.filter(project_id=project_id, listed=True))


def _kept(key: str, artifacts: QuerySet[Artifact]) -> int:
    """Their number, counted once per key."""
    count = cache.get(key)
    if count is None:
        count = artifacts.count()
        cache.set(key, count, COUNT_CACHE_SECONDS)
    return int(count)


def _ordered(artifacts: QuerySet[Artifact], listing: Listing) -> QuerySet[Artifact]:
    query = listing.query
    if EVERY_KIND not in query:
        artifacts = artifacts.filter(listed=True)
    if "tags" in query:
        artifacts = artifacts.filter(_tagged(query["tags"]))
    if "labels" in query:
        artifacts = artifacts.filter(_labelled(query["labels"]))
    return apply_sort(apply_filter(artifacts, query, FIELDS), listing.sort, FIELDS, ORDER)


def _tagged(condition: Condition) -> Q:
    """``*`` any tag, ``nil`` none, else names (contract 2.3)."""
    match condition:
        case Exact("*"):
            return _with_tag()
        case Exact("nil"):
            return ~_with_tag()
        case Exact(name):
            return _with_tag(name=name)
        case Fuzzy(part):
            return _with_tag(name__icontains=part)
        case AnyOf(values):
            return _with_tag(name__in=values)
        case AllOf(values):
            return Q(*(_with_tag(name=name) for name in values))
    raise HarborError("BAD_REQUEST", "invalid query: tags have no range")


def _with_tag(**lookup: object) -> Q:
    return Q(Exists(Tag.objects.filter(artifact=OuterRef("pk"), repository=OuterRef("repository"), **lookup)))


def _labelled(condition: Condition) -> Q:
    """Ids of labels: ``(1 2)`` all of them, ``{1 2}`` any, ``1`` that one."""
    match condition:
        case Exact(value):
            return _with_label(label_id=whole(value))
        case AnyOf(values):
            return _with_label(label_id__in=[whole(value) for value in values])
        case AllOf(values):
            return Q(*(_with_label(label_id=whole(value)) for value in values))
    raise HarborError("BAD_REQUEST", "invalid query: labels are given by their ids, as in labels=(1 2)")


def _with_label(**lookup: object) -> Q:
    return Q(Exists(ArtifactLabel.objects.filter(artifact=OuterRef("pk"), **lookup)))


def artifact_get(repository: Repository, reference: str) -> Artifact:
    """By digest or tag, whatever its kind. Raises NOT_FOUND."""
    artifacts = Artifact.objects.filter(repository=repository).defer("manifest")
    if names.is_digest(reference):
        artifact = artifacts.filter(digest=reference).first()
    else:
        artifact = artifacts.filter(tags__name=reference, tags__repository=repository).first()
    if artifact is None:
        raise HarborError("NOT_FOUND", f"artifact {repository.name}:{reference[:200]} not found")
    artifact.repository = repository
    return artifact


def artifact_details(artifacts: Iterable[Artifact], shown: Shown) -> Details:
    """A constant number of queries per kind, whatever the number of artifacts. All are of one project."""
    found = {artifact.pk: artifact for artifact in artifacts}
    details = Details()
    if not found:
        return details
    for reference in ArtifactReference.objects.filter(parent_id__in=found).order_by("parent_id", "position"):
        details.references[reference.parent_id].append(reference)
    if shown.tags:
        for tag in Tag.objects.filter(artifact_id__in=found).order_by("artifact_id", *ORDER):
            details.tags[tag.artifact_id].append(tag)
        if shown.immutable:
            details.immutable.update(_immutable(found, details.tags))
    if shown.labels:
        details.labels.update(labels_of(found))
    if shown.accessories:
        for accessory in _accessories(subject_id__in=found).order_by("subject_id", "-pk"):
            if accessory.subject_id is not None:
                details.accessories[accessory.subject_id].append(accessory)
    if shown.inherited:
        _inherit(found, details.inherited)
    return details


def _immutable(artifacts: Mapping[int, Artifact], tags: Mapping[int, list[Tag]]) -> Iterator[int]:
    rules = rules_of(next(iter(artifacts.values())).project_id)
    names: dict[str, list[Tag]] = defaultdict(list)
    for artifact_id, rows in tags.items():
        names[artifacts[artifact_id].repository.name] += rows
    for repository, rows in names.items():
        protected = rules.protected(repository, (tag.name for tag in rows))
        yield from (tag.pk for tag in rows if tag.name in protected)


def _inherit(artifacts: Iterable[int], inherited: dict[int, list[Accessory]]) -> None:
    parents = ArtifactReference.objects.filter(child_id__in=artifacts).values_list("parent_id", "child_id").distinct()
    children: dict[int, list[int]] = defaultdict(list)
    for parent_id, child_id in parents.order_by("parent_id"):
        if child_id is not None:
            children[parent_id].append(child_id)
    for accessory in _accessories(subject_id__in=children, type__in=_INHERITED).order_by("subject_id", "-pk"):
        for child_id in children[accessory.subject_id or 0]:
            inherited[child_id].append(accessory)


def tag_list(artifact: Artifact, listing: Listing) -> Page[Tag]:
    tags = apply_filter(Tag.objects.filter(artifact=artifact), listing.query, TAG_FIELDS)
    return paginate(apply_sort(tags, listing.sort, TAG_FIELDS, ORDER), listing)


def immutable_tags(artifact: Artifact, tags: Iterable[Tag]) -> set[int]:
    """Ids of those of the artifact's tags that are immutable. One query."""
    return set(_immutable({artifact.pk: artifact}, {artifact.pk: list(tags)}))


def accessory_list(artifact: Artifact, listing: Listing) -> Page[Accessory]:
    accessories = apply_filter(_accessories(subject=artifact), listing.query, ACCESSORY_FIELDS)
    return paginate(apply_sort(accessories, listing.sort, ACCESSORY_FIELDS, ["-pk"]), listing)


def _accessories(**lookup: object) -> QuerySet[Accessory]:
    rows = Accessory.objects.filter(**lookup).select_related("artifact", "repository")
    return rows.defer("artifact__manifest", "artifact__extra_attrs", "artifact__annotations")

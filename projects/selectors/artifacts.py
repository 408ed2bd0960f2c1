"""Artifacts, tags and accessories as the REST API shows them.

A page costs a constant number of queries. The number of artifacts in a repository is kept in the cache under the
repository's revision, so that a page of a big repository costs what one of a small repository costs.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.core.cache import cache
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery, Sum

from harbor_core.lib import names
from harbor_core.lib.errors import HarborError
from harbor_core.lib.filtering import Field, apply_filter, apply_sort, time, whole
from harbor_core.lib.pagination import Listing, Page, paginate
from harbor_core.lib.query import AllOf, AnyOf, Condition, Exact, Fuzzy
from projects.models import Accessory, Artifact, ArtifactReference, Repository, Tag
from projects.selectors.browsing import COUNT_CACHE_SECONDS, artifact_counts

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
    "type": Field("type"),
    "digest": Field("artifact__digest"),
    "size": Field("artifact__size", whole),
    "creation_time": Field("creation_time", time),
}
EVERY_KIND = "base"  # base=*: also children of an index and accessories
_OWN_KEYS = {"tags", EVERY_KIND}


@dataclass(frozen=True, slots=True)
class Details:
    """What hangs on the artifacts of one page, by artifact id."""

    tags: dict[int, list[Tag]] = field(default_factory=dict)
    references: dict[int, list[ArtifactReference]] = field(default_factory=dict)
    accessories: dict[int, list[Accessory]] = field(default_factory=dict)


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
    """Of all repositories of a project; ``latest`` leaves one per repository, the last one pushed."""
    artifacts = Artifact.objects.filter(project_id=project_id).defer("manifest").select_related("repository")
    if latest:
        newest = Artifact.objects.filter(repository=OuterRef("pk"), listed=True).order_by(*ORDER).values("pk")[:1]
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
    return apply_sort(apply_filter(artifacts, query, FIELDS), listing.sort, FIELDS, ORDER)


def _tagged(condition: Condition) -> Q:
    """``*`` any tag, ``nil`` none, else names (contract 2.3)."""
    tags = Tag.objects.filter(artifact=OuterRef("pk"))
    match condition:
        case Exact("*"):
            return Q(Exists(tags))
        case Exact("nil"):
            return ~Q(Exists(tags))
        case Exact(name):
            return Q(Exists(tags.filter(name=name)))
        case Fuzzy(part):
            return Q(Exists(tags.filter(name__icontains=part)))
        case AnyOf(values):
            return Q(Exists(tags.filter(name__in=values)))
        case AllOf(values):
            every = Q()
            for name in values:
                every &= Q(Exists(tags.filter(name=name)))
            return every
    raise HarborError("BAD_REQUEST", "invalid query: tags have no range")


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


def artifact_details(artifacts: Iterable[Artifact], *, tags: bool = True, accessories: bool = False) -> Details:
    """One query per kind, whatever the number of artifacts; references are always there."""
    ids = [artifact.pk for artifact in artifacts]
    details = Details(defaultdict(list), defaultdict(list), defaultdict(list))
    if not ids:
        return details
    for reference in ArtifactReference.objects.filter(parent_id__in=ids).order_by("parent_id", "position"):
        details.references[reference.parent_id].append(reference)
    if tags:
        for tag in Tag.objects.filter(artifact_id__in=ids).order_by("artifact_id", *ORDER):
            details.tags[tag.artifact_id].append(tag)
    if accessories:
        for accessory in _accessories(subject_id__in=ids).order_by("subject_id", "-pk"):
            if accessory.subject_id is not None:
                details.accessories[accessory.subject_id].append(accessory)
    return details


def tag_list(artifact: Artifact, listing: Listing) -> Page[Tag]:
    tags = apply_filter(Tag.objects.filter(artifact=artifact), listing.query, TAG_FIELDS)
    return paginate(apply_sort(tags, listing.sort, TAG_FIELDS, ORDER), listing)


def accessory_list(artifact: Artifact, listing: Listing) -> Page[Accessory]:
    accessories = apply_filter(_accessories(subject=artifact), listing.query, ACCESSORY_FIELDS)
    return paginate(apply_sort(accessories, listing.sort, ACCESSORY_FIELDS, ["-pk"]), listing)


def _accessories(**lookup: object) -> QuerySet[Accessory]:
    rows = Accessory.objects.filter(**lookup).select_related("artifact", "repository")
    return rows.defer("artifact__manifest", "artifact__extra_attrs", "artifact__annotations")

"""Numbers of projects, what is in them and what they use, for monitoring. A constant number of queries."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet, Sum

from projects.models import Artifact, Member, Project, Quota, Repository
from projects.selectors import collection
from projects.selectors.quotas import with_usage


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: a value per combination of label values."""

    name: str
    about: str
    labels: tuple[str, ...]
    values: list[tuple[tuple[str, ...], float]]


def _grouped(rows: QuerySet[Any], of: Any) -> list[tuple[int, Any]]:
    """project id -> number."""
    return list(rows.order_by().values_list("project_id").annotate(number=of))


def content() -> list[Family]:
    """Per project and in all."""
    projects = {
        pk: (name, str(public).lower())
        for pk, name, public in Project.objects.filter(deleted=False).values_list("pk", "name", "public")
    }
    quotas: list[tuple[int, int, int]] = [
        (quota.project_id, quota.hard, quota.total)  # type: ignore[attr-defined]  # annotated
        for quota in with_usage().filter(project__deleted=False)
    ]
    repositories = [row for row in _grouped(Repository.objects.all(), Count("pk")) if row[0] in projects]
    pulled = _grouped(Repository.objects.all(), Sum("pull_count"))
    checked = list(
        Quota.objects.filter(project__deleted=False)
        .values_list("project_id", "drift", "miscounted", "checked_at")
    )  # fmt: skip
    members = _grouped(Member.objects.all(), Count("pk"))
    artifacts = (
        Artifact.objects.filter(listed=True).order_by().values_list("project_id", "type").annotate(number=Count("pk"))
    )
    public = {pk for pk, (_, flag) in projects.items() if flag == "true"}

    def named(rows: list[tuple[int, Any]]) -> list[tuple[tuple[str, ...], float]]:
        return [((projects[pk][0],), value) for pk, value in rows if pk in projects]

    in_public = sum(number for pk, number in repositories if pk in public)
    in_all = sum(number for _, number in repositories)
    return [
        Family("harbor_project_total", "Projects", ("public",),
               [(("true",), len(public)), (("false",), len(projects) - len(public))]),
        Family("harbor_project_quota_usage_byte", "Bytes a project uses", ("project_name",),
               named([(pk, total) for pk, _, total in quotas])),
        Family("harbor_project_quota_byte", "Bytes a project may use, -1 for any number", ("project_name",),
               named([(pk, hard) for pk, hard, _ in quotas])),
        Family("harbor_project_quota_drift_byte", "Bytes accounted beyond what is there, when last checked",
               ("project_name",), named([(pk, drift) for pk, drift, _, _ in checked if drift is not None])),
        Family("harbor_project_quota_miscounted_blobs", "Blobs whose references are counted wrong, when last checked",
               ("project_name",), named([(pk, blobs) for pk, _, blobs, _ in checked if blobs is not None])),
        Family("harbor_project_quota_checked_timestamp_seconds", "When the accounts were checked", ("project_name",),
               named([(pk, at.timestamp()) for pk, _, _, at in checked if at is not None])),
        Family("harbor_project_repo_total", "Repositories of a project", ("project_name", "public"),
               [(projects[pk], number) for pk, number in repositories]),
        Family("harbor_project_member_total", "Members of a project", ("project_name",), named(members)),
        Family("harbor_project_artifact_total", "Artifacts of a project", ("project_name", "public", "artifact_type"),
               [((*projects[pk], kind), number) for pk, kind, number in artifacts if pk in projects]),
        Family("harbor_artifact_pulled", "Pulls of a project's artifacts", ("project_name",), named(pulled)),
        *_amounts("project", len(projects), len(public)),
        *_amounts("repo", in_all, in_public),
        Family("harbor_statistics_total_storage_consumption", "Bytes all projects use", (),
               [((), sum(total for _, _, total in quotas))]),
    ]  # fmt: skip


def _amounts(what: str, all_of_them: int, public: int) -> list[Family]:
    numbers = {"total": all_of_them, "public": public, "private": all_of_them - public}
    return [
        Family(f"harbor_statistics_{kind}_{what}_amount", f"Number ({kind}): {what}", (), [((), number)])
        for kind, number in numbers.items()
    ]


def backlog() -> list[Family]:
    """What garbage collection has before it. Looks at every blob: not for every few seconds."""
    state = collection.state()
    amounts = {name: getattr(state, name) for name in ("due", "waiting", "condemned", "parked", "trash")}
    return [
        Family("harbor_gc_blobs", "Blobs that no artifact names, by what becomes of them", ("state",),
               [((name,), amount.number) for name, amount in amounts.items()]),
        Family("harbor_gc_bytes", "Bytes of these blobs", ("state",),
               [((name,), amount.size) for name, amount in amounts.items()]),
    ]  # fmt: skip

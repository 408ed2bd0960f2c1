"""Which layers an artifact has for itself, and which others of its project have too."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from harbor_core.models import AuditLog
from projects.models import Artifact, ProjectBlob, Repository, RepositoryBlob

_LINKS_READ = 200  # enough for a few names beside each layer, however many repositories have it
NAMED = 3
_PULLS_LOOKED_AT = 2000


@dataclass(slots=True)
class Shared:
    """``artifacts``: how many others of the project name the blob; ``repositories``: a few that hold it besides this
    one, full names."""

    artifacts: int = 0
    repositories: list[str] = field(default_factory=list)


def shared_blobs(artifact: Artifact, repository: Repository) -> dict[str, Shared]:
    """Digest -> who else in the project has it. Two queries that read a bounded number of rows."""
    mine = ProjectBlob.objects.filter(project_id=artifact.project_id, blob__artifacts__artifact=artifact)
    found = {}
    digests = {}
    for pk, digest, refs in mine.values_list("blob_id", "blob__digest", "refs"):
        found[digest], digests[pk] = Shared(max(0, refs - 1)), digest
    wanted = [pk for pk, digest in digests.items() if found[digest].artifacts]
    prefix = repository.name.partition("/")[0] + "/"
    links = RepositoryBlob.objects.filter(blob_id__in=wanted, repository_name__startswith=prefix)
    links = links.exclude(repository_name=repository.name)
    for blob_id, name in links.order_by().values_list("blob_id", "repository_name")[:_LINKS_READ]:
        names = found[digests[blob_id]].repositories
        if len(names) < NAMED:
            names.append(name)
    return found


def recent_pulls(artifact: Artifact, repository: Repository, tags: Iterable[str], limit: int = 10) -> list[AuditLog]:
    """The last pulls by its digest or by these tags, among the newest entries of the project's log."""
    names = {f"{repository.name}@{artifact.digest}", *(f"{repository.name}:{tag}" for tag in tags)}
    newest = AuditLog.objects.filter(project_id=artifact.project_id).order_by("-op_time", "-pk")
    rows = newest.values_list("pk", "operation", "resource")[:_PULLS_LOOKED_AT]
    ids = [pk for pk, operation, resource in rows if operation == "pull" and resource in names][:limit]
    return list(AuditLog.objects.filter(pk__in=ids).order_by("-op_time", "-pk"))

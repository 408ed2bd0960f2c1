"""Where at the target a blob may be already, under another name: there it is linked instead of sent again."""

from harbor_core.lib.errors import HarborError
from projects.models import Blob, RepositoryBlob
from replication.models import ReplicationPolicy
from replication.services.choosing import Choice, target_name

LOOKED_AT = 20


def neighbour(policy: ReplicationPolicy, digest: str, own: str) -> str:
    """Another repository at the target than ``own`` that may have the blob; empty when none is known. For a remote
    target it is a guess: one that this policy copies too, from a repository here that has the blob. A wrong one costs
    nothing, the receiver then opens an upload as it would have done."""
    links = RepositoryBlob.objects.filter(blob__digest=digest, is_manifest=False)
    names = (
        links.exclude(blob__state=Blob.State.DELETING)
        .order_by("repository_name")
        .values_list("repository_name", flat=True)
    )
    if policy.target is None:
        return names.exclude(repository_name=own).first() or ""
    choice = Choice(policy.filters)
    for name in names[:LOOKED_AT]:
        called = _called(policy, name) if choice.takes_repository(name) else ""
        if called not in ("", own):
            return called
    return ""


def _called(policy: ReplicationPolicy, name: str) -> str:
    """Empty for what the policy could not copy."""
    try:
        return target_name(name, policy.dest_namespace, policy.replace_count)
    except HarborError:
        return ""

"""Take away at a remote registry what was deleted here."""

from collections.abc import Sequence

from harbor_core.lib import names
from jobservice.worker.context import Context
from replication.adapters.harbor import Harbor
from replication.client import Client, referrers_tag


def remove(context: Context, target: Client, name: str, tags: Sequence[str], deleted: str) -> None:
    """The tags (or digests of what had none). ``deleted`` is the artifact they were deleted with, empty where only the
    tags went: it goes as well, once no other tag there needs it, with its signatures. Raises RemoteError.

    Only Harbor can take a tag away and leave other tags of the same manifest alone; elsewhere a manifest goes by its
    digest, once no other tag of it is known there.
    """
    for tag in tags:
        context.check_stop()
        digest = target.digest(name, tag)
        if not digest:
            context.log.info("%s:%s is not there", name, tag)
        elif isinstance(target.adapter, Harbor):
            _at_harbor(context, target, name, tag, digest, deleted)
        else:
            _elsewhere(context, target, name, tag, digest, tags)


def _at_harbor(context: Context, target: Client, name: str, tag: str, digest: str, deleted: str) -> None:
    assert isinstance(target.adapter, Harbor)
    if not names.is_digest(tag):
        target.delete_manifest(name, tag)
        context.log.info("%s:%s is deleted", name, tag)
    if digest != deleted:
        return
    if left := target.adapter.tags_of(name, digest):
        context.log.warning("%s@%s stays, it has the tag %s", name, digest, left[0])
    elif target.delete_manifest(name, digest):
        context.log.info("%s@%s is deleted", name, digest)


def _elsewhere(context: Context, target: Client, name: str, tag: str, digest: str, tags: Sequence[str]) -> None:
    shared = [other for other in target.tags(name) if other not in tags and target.digest(name, other) == digest]
    if shared:
        context.log.warning("%s:%s stays, %s is the same manifest", name, tag, shared[0])
        return
    about = set(target.referrers(name, digest))
    for known in (*target.referrer_tags(name, digest), referrers_tag(digest)):
        about.add(target.digest(name, known))
    target.delete_manifest(name, digest)
    context.log.info("%s:%s is deleted", name, tag)
    for accessory in sorted(about - {""}):
        target.delete_manifest(name, accessory)

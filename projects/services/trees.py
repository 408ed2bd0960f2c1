"""Empty trees of repositories in storage. Object storage has none."""

from collections.abc import Iterable
from contextlib import suppress

from django.db import OperationalError, connection, transaction

from harbor_core.lib import sql, storage
from harbor_core.lib.batches import batched

_ATTEMPTS, _PATIENCE = 5, "100ms"
_USED = """
    SELECT repository_name FROM harbor_projects_upload WHERE repository_name IN ({marks})
    UNION SELECT repository_name FROM harbor_projects_repositoryblob WHERE repository_name IN ({marks})
"""
_HOLD = "LOCK TABLE harbor_projects_upload, harbor_projects_repositoryblob IN SHARE MODE"


def unused(names: Iterable[str]) -> list[str]:
    """Those of the repositories that own no blob and take no upload."""
    found: list[str] = []
    for batch in batched(sorted(set(names))):
        used = {name for (name,) in sql.fetch_all(_USED.format(marks=sql.marks(batch)), [*batch, *batch])}
        found += [name for name in batch if name not in used]
    return found


def prune(names: Iterable[str]) -> list[str]:
    """Remove the folders of repositories that are not in use. Returns the names of those.

    The registry makes the folders of a path one by one and gives up when one goes away meanwhile. Whoever lets it write
    into a tree has recorded an upload or a link first; so nobody records one while we look and remove, which takes a
    moment. Where pushes leave no gap for that the folders stay: they harm nobody, and the storage audit finds them.
    """
    removed: list[str] = []
    if not storage.has_folders():
        return removed
    for batch in batched(unused(names)):
        for _ in range(_ATTEMPTS):
            with suppress(OperationalError):
                removed += _prune(batch)
                break
    return removed


def _prune(names: list[str]) -> list[str]:
    with transaction.atomic():
        if connection.vendor == "postgresql":
            sql.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'", [])
            sql.execute(_HOLD, [])
        free = unused(names)
        for name in free:
            storage.prune_tree(name)
    return free

"""Fetch what nobody asked for: a client that has a layer already does not pull it, and the copy would not be whole."""

import logging
from datetime import timedelta

from django.utils import timezone

from harbor_core.lib.errors import HarborError
from projects.manifests.parse import parse
from projects.models import Project
from replication.models import PendingManifest
from replication.services.proxy import blobs, storing
from replication.services.proxy.upstreams import Upstream, upstream_of

logger = logging.getLogger(__name__)
AT_ONCE, FAILURES_MAX = 20, 8
CLAIM = timedelta(minutes=15)


def complete_due() -> int:
    """Manifests that have waited for their blobs long enough. Returns how many need nothing more."""
    if not storing.is_possible():
        return 0
    now = timezone.now()
    rows = PendingManifest.objects.filter(next_try__lte=now).order_by("next_try")[:AT_ONCE]
    return sum(_complete(row) for row in list(rows) if _claim(row))


def _claim(row: PendingManifest) -> bool:
    same = PendingManifest.objects.filter(pk=row.pk, next_try=row.next_try)
    return same.update(next_try=timezone.now() + CLAIM) == 1


def _complete(row: PendingManifest) -> bool:
    if not Project.objects.filter(pk=row.project_id, deleted=False).exists():
        row.delete()
        return True
    try:
        upstream = upstream_of(row.project_id)
        for blob in parse(bytes(row.content), row.media_type).blobs:
            if not blobs.is_here(row.repository_name, blob.digest):
                _fetch(upstream, row.repository_name, blob.digest)
        if storing.settle(upstream, row):
            return True
        reason = "its blobs are not kept"
    except (HarborError, blobs.CutOffError) as error:
        reason = str(error)
    return _failed(row, reason)


def _fetch(upstream: Upstream, repository: str, digest: str) -> None:
    arriving = blobs.fetch(upstream, repository, digest)
    if arriving is not None:
        try:
            for _ in arriving.pieces:
                pass
        finally:
            arriving.pieces.close()


def _failed(row: PendingManifest, reason: str) -> bool:
    logger.warning("%s@%s stays incomplete: %s", row.repository_name, row.digest, reason)
    failures = row.failures + 1
    if failures >= FAILURES_MAX:
        row.delete()
        return True
    pause = timedelta(minutes=2**failures)
    PendingManifest.objects.filter(pk=row.pk).update(failures=failures, next_try=timezone.now() + pause)
    return False

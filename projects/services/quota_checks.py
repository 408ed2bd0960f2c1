"""Are the accounts of storage right? Each project is counted once a day, for monitoring; nothing is changed."""

import logging
import time
from datetime import datetime, timedelta

from django.db.models import F, Q
from django.utils import timezone

from projects.models import Quota
from projects.services import quota

logger = logging.getLogger(__name__)
EVERY = timedelta(days=1)
SECONDS = 60.0
BATCH = 1000


def run(seconds: float = SECONDS) -> int:
    """Count projects that nobody has looked at for so long, the longest first, for so many seconds (the last one may
    take longer). Returns how many are wrong.

    A project is marked before it is counted: of two who come at once one counts it.
    """
    deadline, wrong = time.monotonic() + seconds, 0
    due = Quota.objects.filter(Q(checked_at=None) | Q(checked_at__lt=timezone.now() - EVERY), project__deleted=False)
    oldest_first = due.order_by(F("checked_at").asc(nulls_first=True), "pk")
    for pk, project_id, checked_at in list(oldest_first.values_list("pk", "project_id", "checked_at")[:BATCH]):
        if time.monotonic() > deadline:
            break
        now = timezone.now()
        if Quota.objects.filter(pk=pk, checked_at=checked_at).update(checked_at=now):
            wrong += not _is_right(pk, project_id, now)
    return wrong


def _is_right(pk: int, project_id: int, marked: datetime) -> bool:
    accounts = quota.check_accounts(project_id)
    drift = (accounts.used or 0) - accounts.counted
    # Unless it was set right meanwhile.
    found = Quota.objects.filter(pk=pk, checked_at=marked)
    if found.update(drift=drift, miscounted=accounts.miscounted) and not accounts.right:
        message = "the storage usage of project %d is wrong by %d bytes, %d of its blobs are miscounted"
        logger.error(message, project_id, drift, accounts.miscounted)
        return False
    return True

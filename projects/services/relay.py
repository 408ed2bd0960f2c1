"""The relay: hands what is in the outbox (harbor_core.models.Event) to whoever does something about it.

An event and what its consumers make of it (executions of jobs) are one transaction, so an event is handed over once,
whatever is killed in between, and however many relays run. The database is all it needs: a broker that is down or
forgets delays the jobs, and loses none. Events go in the order of their ids; one whose consumer fails waits
RETRY_SECONDS and lets the others pass.
"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from django.db import DatabaseError, transaction
from django.utils import timezone

from harbor_core.lib import tracing
from harbor_core.models import Event
from projects.services import webhook_events

logger = logging.getLogger(__name__)
Consumer = Callable[[Event], None]
# Each is called with every event, inside a transaction; it writes rows only and calls nobody.
CONSUMERS: list[Consumer] = [webhook_events.submit]
BATCH = 200
RETRY_SECONDS = 60.0
KEEP_DAYS = 7  # an event that was handed over is kept for so long
PURGE_SECONDS = 3600.0
PURGE_BATCH = 2000
_waiting: dict[int, float] = {}  # event id -> when to try again (monotonic)
_purged = float("-inf")


def run() -> int:
    """Hand over what waits, at most BATCH events. Returns how many."""
    global _purged
    now = time.monotonic()
    for event_id in [key for key, until in _waiting.items() if until <= now]:
        del _waiting[event_id]
    pending = Event.objects.filter(delivered_at=None).exclude(pk__in=list(_waiting))
    handed = sum(_hand_over(pk) for pk in list(pending.order_by("pk").values_list("pk", flat=True)[:BATCH]))
    if now - _purged > PURGE_SECONDS:
        _purged = now
        purge()
    return handed


def _hand_over(event_id: int) -> bool:
    try:
        with transaction.atomic():
            # The mark comes first: another relay waits here for this one's commit, and then finds nothing to do.
            if not Event.objects.filter(pk=event_id, delivered_at=None).update(delivered_at=timezone.now()):
                return False
            event = Event.objects.get(pk=event_id)
            with tracing.continued(event.traceparent):
                for consumer in CONSUMERS:
                    consumer(event)
    except DatabaseError:
        raise  # the database's trouble, not the event's: the next run begins with it
    except Exception:  # of a consumer, whatever it is: the events behind this one go on
        logger.exception("event %d cannot be handed over, it is tried again in %g s", event_id, RETRY_SECONDS)
        _waiting[event_id] = time.monotonic() + RETRY_SECONDS
        return False
    return True


def purge() -> int:
    """Delete events that were handed over more than KEEP_DAYS ago. Returns how many."""
    until, deleted = timezone.now() - timedelta(days=KEEP_DAYS), 0
    while True:
        # The oldest by id, which needs no index of its own.
        oldest = list(Event.objects.order_by("pk").values_list("pk", flat=True)[:PURGE_BATCH])
        count, _ = Event.objects.filter(pk__in=oldest, delivered_at__lt=until).delete()
        deleted += count
        if count < PURGE_BATCH:
            return deleted

"""Ring for tasks whose bell was lost: the broker was down at dispatch, or forgot everything."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from harbor_core.celery import app
from jobservice import dispatch
from jobservice.jobs import JOB_TYPES, queue_name
from jobservice.services import leases


def ring_forgotten() -> set[str]:
    """Ring each queue whose first task could start but has waited for a while, unless a bell lies there already.
    Returns the job types that were rung for."""
    old = timezone.now() - timedelta(seconds=min(settings.JOB_SWEEP_SECONDS, 5))
    forgotten = {head.job_type for head in leases.waiting(JOB_TYPES) if head.queued_at < old}
    silent = {job_type for job_type in forgotten if not bells(job_type)}
    return silent if silent and dispatch.ring_now(silent) else set()


def bells(job_type: str) -> int:
    """How many bells lie in the broker for the type; 0 when it cannot be asked."""
    try:
        with app.connection_for_write(connect_timeout=2) as broker:
            return int(broker.default_channel._size(queue_name(job_type)))
    except (OperationalError, RedisError, OSError):
        return 0

"""One row per project and day with the storage it used: what charts over time are drawn from."""

from datetime import UTC, timedelta

from django.utils import timezone

from projects.models import StorageDay
from projects.selectors.quotas import with_usage

KEPT_DAYS = 400
_BATCH = 1000


def keep() -> int:
    """Write down what every project uses, once a day, and forget what is older than KEPT_DAYS. Returns the number of
    projects, 0 where today is there already: that costs one query, so it may be called as often as one likes. Two
    callers at once do no harm."""
    today = timezone.now().astimezone(UTC).date()
    if StorageDay.objects.filter(day=today).exists():
        return 0
    used = with_usage().filter(project__deleted=False).order_by("project_id").values_list("project_id", "total")  # type: ignore[misc]  # total is annotated
    rows = [StorageDay(project_id=project_id, day=today, used=total) for project_id, total in used]
    StorageDay.objects.bulk_create(rows, batch_size=_BATCH, ignore_conflicts=True)
    StorageDay.objects.filter(day__lt=today - timedelta(days=KEPT_DAYS)).delete()
    return len(rows)

"""Charts over time that several pages show: what was pulled and pushed, how much is stored."""

from collections.abc import Sequence
from datetime import date

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from harbor_core.selectors.activity import Day
from portal.charts import ColumnChart, Series, nice_size
from portal.templatetags.portal import count, size
from projects.models import CollectionDay
from projects.selectors.storage import History

_KINDS = ("accent", "second", "warning")


def _written(days: Sequence[date]) -> list[str]:
    return [date_format(day, "MONTH_DAY_FORMAT") for day in days]


def activity_chart(days: Sequence[Day]) -> ColumnChart:
    return ColumnChart(
        _("Pulls and pushes per day"),
        [
            Series(_("pulls"), [day.pulls for day in days]),
            Series(_("pushes"), [day.pushes for day in days], "second"),
        ],
        _written([day.day for day in days]),
        count,
    )


def storage_chart(history: History) -> ColumnChart:
    """The fullest projects, and the others together where there are any."""
    shown = zip(history.projects, _KINDS, strict=False)
    series = [Series(name or _("stored"), values, kind) for (name, values), kind in shown]
    if any(history.others):
        series.append(Series(_("others"), history.others, "neutral"))
    return ColumnChart(_("Storage over time"), series, _written(history.days), size, nice_size)


def collection_chart(days: Sequence[CollectionDay]) -> ColumnChart:
    freed = Series(_("freed"), [day.freed for day in days], "success")
    return ColumnChart(_("Freed per day"), [freed], _written([day.day for day in days]), size, nice_size)


def collection_rate(days: Sequence[CollectionDay]) -> int:
    """Blobs per second on the last day that had any, 0 where none had."""
    last = next((day for day in reversed(days) if day.blobs and day.seconds), None)
    return round(last.blobs / last.seconds) if last else 0

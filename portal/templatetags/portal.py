"""Tags and filters of every template (settings.TEMPLATES builtins)."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from math import ceil
from typing import Any

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext as _
from lucide.templatetags.lucide import lucide

from auth.rbac import Role
from portal import charts, isolation, navigation, preferences, reasons
from projects.models import Repository

register = template.Library()
register.filter(isolation.isolated)
# Symbols of units, the same in every language: seconds of each, and the unit below.
_SPANS = {"d": (86_400, "h"), "h": (3_600, "min"), "min": (60, "s"), "s": (1, "")}
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_SHORT_DIGEST = 12
_KIND_ICONS = {"IMAGE": "container", "CHART": "ship-wheel", "SBOM": "scroll-text", "WASM": "cpu", "CNAB": "package"}


@register.simple_tag
@cache
def icon(name: str, size: int = 16) -> SafeString:
    """An icon beside text that says the same: hidden from screen readers."""
    return mark_safe(lucide(name, size=size, aria_hidden="true", focusable="false", **{"class": f"icon icon-{name}"}))


@register.simple_tag
def kind_icon(kind: str) -> SafeString:
    return icon(_KIND_ICONS.get(kind, "file-box"))


@register.filter
def size(value: int | None) -> str:
    """Bytes in binary units with three significant digits: ``900 B``, ``1.46 MiB``; a dash for unknown."""
    if value is None:
        return "–"
    number, unit = float(value), 0
    while abs(number) >= 1023.5 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    decimals = 0 if unit == 0 or number >= 99.95 else 1 if number >= 9.995 else 2
    return f"{number_format(round(number, decimals), decimal_pos=decimals)} {_UNITS[unit]}"


@register.filter
def reason(text: str) -> str:
    """What a service or a job said (portal.reasons), in the reader's language."""
    return reasons.said(text)


@register.filter
def count(value: int) -> str:
    """A whole number with the language's digit grouping."""
    return number_format(value, decimal_pos=0, use_l10n=True, force_grouping=True)


@register.filter
def duration(seconds: float) -> str:
    """A span in its two largest units: ``0 s``, ``1 min 5 s``, ``2 h 10 min``, ``3 d 4 h``."""
    whole = max(int(seconds), 0)
    for unit, (size_, below) in _SPANS.items():
        if whole >= size_:
            first, rest = divmod(whole, size_)
            rest //= _SPANS[below][0] if below else 1
            return f"{first} {unit} {rest} {below}" if below and rest else f"{first} {unit}"
    return "0 s"


def written(value: datetime) -> str:
    """As the page's reader wants times written: how long ago, or a date and the time of day (UTC)."""
    form = preferences.DATE_FORMATS.get(preferences.dates.get())
    if form:
        return f"{value.astimezone(UTC):{form}}"
    now = timezone.now()
    if (now - value).total_seconds() < 60:
        return _("just now")
    # "2 hours" in any language; one unit is enough at a glance
    return _("%(time)s ago") % {"time": timesince(value, now, depth=1)}


@register.simple_tag
def ago(value: datetime | None, never: str = "–") -> str:
    """A time as its reader wants it, the exact one on hover (in the browser's zone where scripts run). ``never`` stands
    for None."""
    if value is None:
        return format_html('<span class="muted">{}</span>', never)
    return format_html(
        '<time datetime="{}" title="{}" data-controller="local-time">{}</time>',
        value.isoformat(),
        exact(value),
        written(value),
    )


@register.simple_tag
def due(value: datetime | None, never: str = "–") -> str:
    """A time to come, as an expiry: in how long, or the date; how long ago where it is past. ``never`` stands for
    None."""
    now = timezone.now()
    if value is None or value <= now or preferences.dates.get() in preferences.DATE_FORMATS:
        return ago(value, never)
    html = '<time datetime="{}" title="{}" data-controller="local-time">{}</time>'
    days = ceil((value - now).total_seconds() / 86_400)
    # Months are too coarse for an expiry, hours say more than "in 1 days".
    text = _("in %(days)s days") % {"days": days} if 2 <= days <= 400 else ""
    text = text or _("in %(time)s") % {"time": timeuntil(value, now, depth=1)}
    return format_html(html, value.isoformat(), exact(value), text)


@register.filter
def raw(words: Any, name: str) -> Any:
    """Words, with what the API calls it on hover."""
    return words if str(words) == name else format_html('<span title="{}">{}</span>', name, words)


@register.filter
def exact(value: datetime) -> str:
    """Date and time of day to the second, UTC."""
    return f"{date_format(value, 'DATE_FORMAT')} {value:%H:%M:%S} UTC"


@register.filter
def short_digest(value: str) -> str:
    algorithm, _colon, hexadecimal = value.partition(":")
    return f"{algorithm}:{hexadecimal[:_SHORT_DIGEST]}"


@register.filter
def first_line(value: str) -> str:
    """The first line of a Markdown text that says something, without the marks of a heading."""
    lines = (line.strip().lstrip("#").strip() for line in value[:2000].splitlines())
    return next((line for line in lines if line), "")[:160]


@register.filter
def platform(value: Any) -> str:
    """``linux/arm/v7`` of a platform object or an image config; empty when it says nothing."""
    if not isinstance(value, dict):
        return ""
    parts = (value.get("os"), value.get("architecture"), value.get("variant"))
    return "/".join(part for part in parts if isinstance(part, str) and part)


@register.filter
def platforms(values: Iterable[Any]) -> list[str]:
    """Platforms of an index in its order, each once. ``unknown/unknown`` are attestations, not something to run."""
    found = dict.fromkeys(platform(value) for value in values)
    return [name for name in found if name and name != "unknown/unknown"]


@register.filter
def role_name(role: int) -> str:
    names_of_roles = {
        Role.PROJECT_ADMIN: _("Project admin"),
        Role.MAINTAINER: _("Maintainer"),
        Role.DEVELOPER: _("Developer"),
        Role.GUEST: _("Guest"),
        Role.LIMITED_GUEST: _("Limited guest"),
    }
    return names_of_roles.get(Role(role), "") if role else ""


@register.inclusion_tag("portal/components/_copy.html")
def copy(text: str, label: str = "") -> dict[str, str]:
    """A button that copies ``text``; ``label`` says what for screen readers."""
    return {"text": text, "label": label or _("Copy")}


@register.inclusion_tag("portal/components/_digest.html")
def digest(value: str, url: str = "") -> dict[str, str]:
    """A short digest, linked if ``url`` is given, with a button that copies the whole one."""
    return {"value": value, "url": url}


@register.inclusion_tag("portal/components/_command.html")
def command(text: str, label: str = "") -> dict[str, str]:
    """A command line to read, select or copy."""
    return {"text": text, "label": label or _("Copy command")}


@register.simple_tag
def badge(text: str, kind: str = "neutral", picture: str = "") -> SafeString:
    """``kind``: neutral, accent, success, warning, danger. No space around it, which a link would underline."""
    shown = icon(picture, 12) if picture else ""
    return format_html('<span class="badge badge-{}">{}<span title="{}">{}</span></span>', kind, shown, text, text)


@register.inclusion_tag("portal/components/_sort_header.html")
def sort_header(listing: Any, key: str, label: str, order: str = "ascending", kind: str = "") -> dict[str, Any]:
    """A column head that sorts; ``order`` is what its first click gives, ``kind`` a class of the column."""
    return {
        "url": listing.sort_url(key, descending_first=order == "descending"),
        "direction": listing.direction(key),
        "label": label,
        "kind": kind,
    }


@register.simple_tag
def repository_url(repository: Repository, digest: str = "") -> str:
    """The page of a repository, or of an artifact in it."""
    name = repository.name.partition("/")[2]
    if digest:
        return reverse("portal:artifact", args=[repository.project_id, name, digest])
    return reverse("portal:repository", args=[repository.project_id, name])


@register.inclusion_tag("portal/components/_tabs.html", takes_context=True)
def project_tabs(context: Any) -> dict[str, Any]:
    """Pages of the project that the request is about (shortcuts.project_or_404), as far as the reader may see them."""
    request = context["request"]
    page = request.portal_project
    tabs = navigation.project_tabs(page.project.pk, page.access.permissions, request.path)
    return {"tabs": tabs, "label": page.project.name}


@register.inclusion_tag("portal/components/_progress.html")
def progress(percent: int, label: str, text: str = "", kind: str = "accent") -> dict[str, Any]:
    """0 to 100. ``label`` says what of; ``kind``: accent, success, warning, danger."""
    return {"percent": max(0, min(100, int(percent))), "label": label, "text": text, "kind": kind}


@register.inclusion_tag("portal/components/_progress.html")
def quota(used: int, hard: int, label: str = "") -> dict[str, Any]:
    """Bytes in use of a limit; -1 is none. Yellow from 85 per cent, red when full."""
    label = label or _("Storage in use")
    if hard < 0:
        text = _("%(used)s, no limit") % {"used": size(used)}
        return {"percent": 0, "label": label, "text": text, "kind": "accent"}
    share = charts.percent(used, hard)
    kind = "danger" if used >= hard else "warning" if share >= 85 else "accent"
    text = _("%(used)s of %(hard)s") % {"used": size(used), "hard": size(hard)}
    return {"percent": share, "label": label, "text": text, "kind": kind}


@register.inclusion_tag("portal/components/_chart_columns.html")
def column_chart(chart: charts.ColumnChart) -> dict[str, Any]:
    return {"chart": chart}


@register.inclusion_tag("portal/components/_chart_bars.html")
def bar_chart(chart: charts.BarChart) -> dict[str, Any]:
    return {"chart": chart}


@register.inclusion_tag("portal/components/_pick_head.html")
def pick_head() -> dict[str, Any]:
    """Head of the column of checkboxes (_bulk.html)."""
    return {}


@register.inclusion_tag("portal/components/_pick.html")
def pick(pk: int, name: str) -> dict[str, Any]:
    """A row's checkbox; ``name`` tells it apart for screen readers."""
    return {"pk": pk, "name": name}

"""Tags and filters of every template (settings.TEMPLATES builtins)."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from lucide.templatetags.lucide import lucide

from auth.rbac import Role

register = template.Library()
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
def count(value: int) -> str:
    """A whole number with the language's digit grouping."""
    return number_format(value, decimal_pos=0, use_l10n=True, force_grouping=True)


@register.simple_tag
def ago(value: datetime | None, never: str = "–") -> str:
    """Relative time, the exact one on hover (in the browser's zone where scripts run). ``never`` stands for None."""
    if value is None:
        return format_html('<span class="muted">{}</span>', never)
    now = timezone.now()
    seconds = (now - value).total_seconds()
    if seconds < 60:
        text = _("just now")
    else:
        # "2 hours" in any language; one unit is enough at a glance
        text = _("%(time)s ago") % {"time": timesince(value, now, depth=1)}
    return format_html(
        '<time datetime="{}" title="{}" data-controller="local-time">{}</time>', value.isoformat(), exact(value), text
    )


@register.filter
def exact(value: datetime) -> str:
    """Date and time of day to the second, UTC."""
    return f"{date_format(value, 'DATE_FORMAT')} {value:%H:%M:%S} UTC"


@register.filter
def short_digest(value: str) -> str:
    algorithm, _colon, hexadecimal = value.partition(":")
    return f"{algorithm}:{hexadecimal[:_SHORT_DIGEST]}"


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


@register.inclusion_tag("portal/components/_badge.html")
def badge(text: str, kind: str = "neutral", icon: str = "") -> dict[str, str]:
    """``kind``: neutral, accent, success, warning, danger."""
    return {"text": text, "kind": kind, "icon": icon}


@register.inclusion_tag("portal/components/_sort_header.html")
def sort_header(listing: Any, key: str, label: str, order: str = "ascending", kind: str = "") -> dict[str, Any]:
    """A column head that sorts; ``order`` is what its first click gives, ``kind`` a class of the column."""
    return {
        "url": listing.sort_url(key, descending_first=order == "descending"),
        "direction": listing.direction(key),
        "label": label,
        "kind": kind,
    }

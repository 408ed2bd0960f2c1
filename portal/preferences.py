"""What a person chose for the portal. Kept in cookies, so that it holds before signing in and is known when the page is
rendered, and with the account, so that it holds on every device: no flash of the other theme or language."""

import json
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from auth.services import preferences as accounts

COOKIE_SECONDS = 365 * 24 * 3600
THEME_COOKIE = "harbor_theme"
RUNTIME_COOKIE = "harbor_runtime"
DATES_COOKIE = "harbor_dates"
COLUMNS_COOKIE = "harbor_columns"
THEMES = {"auto": _("Like the system"), "light": _("Light"), "dark": _("Dark")}
RUNTIMES = ("docker", "podman", "nerdctl", "ctr", "crictl")
DATES = {
    "relative": _("2 hours ago"),
    "iso": "2026-03-31 14:05",
    "dots": "31.03.2026 14:05",
    "slashes": "03/31/2026 14:05",
}
# Python's strftime of each absolute form.
DATE_FORMATS = {"iso": "%Y-%m-%d %H:%M", "dots": "%d.%m.%Y %H:%M", "slashes": "%m/%d/%Y %H:%M"}
TABLES_MAX, COLUMNS_MAX, KEY_MAX = 40, 30, 40
_COOKIES = {
    "theme": THEME_COOKIE,
    "runtime": RUNTIME_COOKIE,
    "dates": DATES_COOKIE,
    "language": settings.LANGUAGE_COOKIE_NAME,
}
# For tags, which get no request: how times are written on the page being rendered.
dates: ContextVar[str] = ContextVar("dates", default="relative")


@dataclass(frozen=True, slots=True)
class Preferences:
    """``columns`` are the chosen ones by table; a table that is not there shows its usual ones. ``language`` is empty
    until one was chosen."""

    theme: str = "auto"
    runtime: str = "docker"
    dates: str = "relative"
    language: str = ""
    columns: dict[str, list[str]] = field(default_factory=dict)


def read(request: HttpRequest) -> Preferences:
    """Of the account where somebody is signed in and chose something, else of the cookies. Anything unknown counts as
    not chosen. Read once per request; no query."""
    if not hasattr(request, "portal_preferences"):
        user = getattr(request, "session_user", None)
        stored = getattr(user, "preferences", None) or {}
        cookies = {name: request.COOKIES.get(cookie, "") for name, cookie in _COOKIES.items()}
        cookies["columns"] = _json(request.COOKIES.get(COLUMNS_COOKIE, ""))
        request.portal_preferences = _known(cookies | stored)  # type: ignore[attr-defined]  # ours
    return request.portal_preferences  # type: ignore[attr-defined]  # ours


def apply(request: HttpRequest) -> None:
    """Render this request's page in the account's language, and its times as chosen."""
    chosen = read(request)
    dates.set(chosen.dates)
    if chosen.language and chosen.language != translation.get_language():
        translation.activate(chosen.language)
        request.LANGUAGE_CODE = chosen.language


def store(request: HttpRequest, response: HttpResponse, given: dict[str, Any]) -> None:
    """Remember those of ``theme``, ``runtime``, ``dates``, ``language`` and ``columns`` that are given and known."""
    before = asdict(read(request))
    asked = _known(before | given | {"columns": before["columns"] | (given.get("columns") or {})})
    chosen = {name: value for name, value in asdict(asked).items() if value}
    user = getattr(request, "session_user", None)
    if user is not None:
        accounts.store(user.pk, chosen)
    for name, value in chosen.items():
        if name in given and (name == "columns" or value == given[name]):
            _set(response, name, value)


def _set(response: HttpResponse, name: str, value: Any) -> None:
    response.set_cookie(
        COLUMNS_COOKIE if name == "columns" else _COOKIES[name],
        json.dumps(value, separators=(",", ":")) if name == "columns" else value,
        max_age=COOKIE_SECONDS,
        secure=settings.EXTERNAL_URL.startswith("https://"),
        httponly=True,
        samesite="Lax",
    )


def _known(values: dict[str, Any]) -> Preferences:
    usual = Preferences()
    languages = dict(settings.LANGUAGES)
    return Preferences(
        theme=_one_of(values.get("theme"), THEMES, usual.theme),
        runtime=_one_of(values.get("runtime"), RUNTIMES, usual.runtime),
        dates=_one_of(values.get("dates"), DATES, usual.dates),
        language=_one_of(values.get("language"), languages, ""),
        columns=_columns(values.get("columns")),
    )


def _one_of(value: Any, allowed: Any, otherwise: str) -> str:
    return value if isinstance(value, str) and value in allowed else otherwise


def _columns(value: Any) -> dict[str, list[str]]:
    """Names of tables and columns are ours: short words. Anything else is left out."""
    if not isinstance(value, dict):
        return {}
    found = {}
    for table, columns in list(value.items())[-TABLES_MAX:]:
        if _is_key(table) and isinstance(columns, list):
            found[table] = [column for column in columns[:COLUMNS_MAX] if _is_key(column)]
    return found


def _is_key(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and 0 < len(value) <= KEY_MAX and value.replace("-", "").isalnum()


def _json(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None

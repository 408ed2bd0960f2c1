"""What a person chose for the portal. Kept in cookies, so that it holds before signing in and is known when the page is
rendered: no flash of the other theme or language."""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

COOKIE_SECONDS = 365 * 24 * 3600
THEME_COOKIE = "harbor_theme"
RUNTIME_COOKIE = "harbor_runtime"
THEMES = {"auto": _("Like the system"), "light": _("Light"), "dark": _("Dark")}
RUNTIMES = ("docker", "podman", "nerdctl", "ctr", "crictl")


@dataclass(frozen=True, slots=True)
class Preferences:
    theme: str = "auto"
    runtime: str = "docker"


def read(request: HttpRequest) -> Preferences:
    """A cookie with anything unknown in it counts as none."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    runtime = request.COOKIES.get(RUNTIME_COOKIE, "")
    return Preferences(theme if theme in THEMES else "auto", runtime if runtime in RUNTIMES else "docker")


def store(response: HttpResponse, chosen: dict[str, str]) -> None:
    """Remember those of ``theme``, ``runtime`` and ``language`` that are given and known."""
    known = {
        "theme": (THEME_COOKIE, THEMES),
        "runtime": (RUNTIME_COOKIE, RUNTIMES),
        "language": (settings.LANGUAGE_COOKIE_NAME, dict(settings.LANGUAGES)),
    }
    for name, (cookie, values) in known.items():
        value = chosen.get(name, "")
        if value in values:
            response.set_cookie(
                cookie,
                value,
                max_age=COOKIE_SECONDS,
                secure=settings.EXTERNAL_URL.startswith("https://"),
                httponly=True,
                samesite="Lax",
            )

"""What every template knows (settings.TEMPLATES)."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language

from auth.selectors.default_password import admin_has_default_password
from harbor_core.services import space
from harbor_core.services.config import config_get
from portal import banner, navigation, preferences
from portal.shortcuts import actor_of, registry_for

PRODUCT = "Harbor"


def portal(request: HttpRequest) -> dict[str, Any]:
    """``actor``, ``preferences``, ``registry`` (host as clients name it) and what base.html shows on every page."""
    actor = actor_of(request)
    return {
        "product": PRODUCT,
        "version": settings.VERSION,
        "actor": actor,
        "preferences": preferences.read(request),
        "themes": preferences.THEMES,
        "runtimes": preferences.RUNTIMES,
        "date_choices": preferences.DATES,
        "languages": settings.LANGUAGES,
        "language": get_language(),
        "registry": registry_for(request),
        "portal_title": settings.PORTAL_TITLE or PRODUCT,
        "portal_background": bool(settings.PORTAL_BACKGROUND),
        "may_sign_up": config_get("self_registration") and config_get("auth_mode") == "db_auth",
        "offers_ca": bool(settings.CA_FILE),
        "banner": banner.current(str(config_get("banner_message"))),
        "read_only": config_get("read_only"),
        "low_space": actor.is_authenticated and space.is_low(),
        "layout": _layout(request),
        **navigation.context(actor, request.path),
        # Only who can act on it is told: for anyone else it would be an invitation.
        "default_password": actor.is_sysadmin and admin_has_default_password(),
    }


def _layout(request: HttpRequest) -> str:
    """What pages that may also stand in the dialog extend."""
    htmx = getattr(request, "htmx", None)
    return "portal/_dialog.html" if htmx and htmx.target == "dialog" else "portal/base.html"

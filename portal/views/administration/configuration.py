"""Settings of the system: how people sign in, general ones, the banner, vulnerabilities that do not count."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from harbor_core.services import configurations
from harbor_core.services.config import config_get, forget, is_pinned
from portal import banner
from portal.administration import administrator, form_page, page
from portal.forms.settings import AllowlistForm, BannerForm, SettingsForm, banner_fields
from portal.forms.submit import submit
from portal.navigation import Link
from portal.settings_words import GENERAL, SIGN_IN
from projects.services import allowlist

_CHANGE = "configuration:update"


def _framed(request: HttpRequest, **more: Any) -> dict[str, Any]:
    """Tabs of the configuration."""
    pages = [
        (_("Authentication"), "portal:configuration", "log-in"),
        (_("System settings"), "portal:configuration-general", "settings"),
        (_("Banner"), "portal:configuration-banner", "megaphone"),
        (_("Security"), "portal:configuration-security", "shield-alert"),
    ]
    found = [(label, reverse(route), icon) for label, route, icon in pages]
    tabs = [Link(label, url, icon, "page" if url == request.path else "") for label, url, icon in found]
    return {"tabs": tabs, "submit": _("Save"), **more}


def _save(request: HttpRequest, form: SettingsForm) -> bool:
    actor = administrator(request, _CHANGE)
    if not submit(form, lambda: configurations.update(actor, form.changes())):
        return False
    messages.success(request, _("The settings were saved."))
    return True


@page("GET", "POST", works_read_only=True)
def authentication(request: HttpRequest) -> HttpResponse:
    """Settings of the chosen mode are stored; those of the others stay as they are."""
    administrator(request, "configuration:read")
    forget()
    data = request.POST if request.method == "POST" else None
    current = config_get("auth_mode")
    mode = data.get("auth_mode", current) if data is not None else current
    shown = SIGN_IN if data is None else {mode: SIGN_IN.get(mode, ())}
    keys = dict.fromkeys(["auth_mode", *(key for names in shown.values() for key in names)])
    form = SettingsForm(keys, data)
    if data is not None and _save(request, form):
        return redirect("portal:configuration")
    parts = [(name.removesuffix("_auth"), [form[key] for key in names]) for name, names in shown.items()]
    context = _framed(request, title=_("Authentication"), first=form["auth_mode"], parts=parts, only=data is not None)
    return form_page(
        request, form, context | {"locked_mode": form.fields["auth_mode"].disabled, "mode": mode}, "sign_in"
    )


@page("GET", "POST", works_read_only=True)
def general(request: HttpRequest) -> HttpResponse:
    administrator(request, "configuration:read")
    forget()
    form = SettingsForm(
        [key for _title, keys in GENERAL for key in keys], request.POST if request.method == "POST" else None
    )
    if request.method == "POST" and _save(request, form):
        return redirect("portal:configuration-general")
    parts = [(title, [form[key] for key in keys]) for title, keys in GENERAL]
    return form_page(request, form, _framed(request, title=_("System settings"), parts=parts), "settings")


@page("GET", "POST", works_read_only=True)
def announcement(request: HttpRequest) -> HttpResponse:
    """With ``preview`` in the form it is shown and not stored."""
    administrator(request, "configuration:read")
    forget()
    data = request.POST if request.method == "POST" else None
    form = BannerForm(data, initial=banner_fields(str(config_get("banner_message"))))
    locked = is_pinned("banner_message")
    preview = None
    if data is not None and not locked and form.is_valid():
        if "preview" in data:
            preview = banner.Banner(form.cleaned_data["message"], form.cleaned_data["type"])
        elif submit(form, lambda: _store_banner(request, form)):
            messages.success(request, _("The banner was saved."))
            return redirect("portal:configuration-banner")
    if locked:
        for field in form.fields.values():
            field.disabled = True
    context = _framed(request, title=_("Banner"), preview=preview, locked=locked)
    return form_page(request, form, context, "banner")


def _store_banner(request: HttpRequest, form: BannerForm) -> None:
    configurations.update(administrator(request, _CHANGE), {"banner_message": form.stored})


@page("GET", "POST")
def security(request: HttpRequest) -> HttpResponse:
    administrator(request, "configuration:read")
    stored = allowlist.get(None)
    until = datetime.fromtimestamp(stored.expires_at, UTC) if stored.expires_at is not None else None
    initial = {"items": "\n".join(stored.items), "expires": until.date() if until else None}
    form = AllowlistForm(request.POST if request.method == "POST" else None, initial=initial)

    def act() -> None:
        allowlist.set(administrator(request, _CHANGE), None, form.cleaned_data["items"], form.expires_at)

    if request.method == "POST" and submit(form, act):
        messages.success(request, _("The allowlist was saved."))
        return redirect("portal:configuration-security")
    expired = until is not None and until < datetime.now(UTC)
    return form_page(request, form, _framed(request, title=_("Security"), expired=expired), "security")

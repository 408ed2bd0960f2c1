"""Forms of system settings, made from the settings there are."""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from harbor_core.lib.config_keys import SECRETS, SETTINGS
from harbor_core.lib.errors import HarborError
from harbor_core.lib.wire import Flag, Whole
from harbor_core.services import configurations
from harbor_core.services.config import config_all, is_pinned
from portal.banner import KINDS
from portal.reasons import said
from portal.settings_words import CHOICES, LONG, WORDS
from portal.system_log import event_choices
from projects.services.allowlist import MAX_ITEMS, is_identifier

EVENTS = "disabled_audit_log_event_types"
_CODE = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off"}
_KINDS = {"info": _("Information"), "success": _("Good news"), "warning": _("Warning"), "danger": _("Danger")}


class SettingsForm(forms.Form):
    """Of these keys, as they are now. What cannot be changed is shown with the reason; of a secret it is told only
    whether there is one, and an empty field keeps it."""

    def __init__(self, keys: Iterable[str], data: Any = None) -> None:
        self.keys = tuple(keys)
        values, editable = config_all(), configurations.editable()
        super().__init__(data, initial={key: _shown(key, values[key]) for key in self.keys})
        for key in self.keys:
            field = self.fields[key] = _field(key, bool(values[key]))
            if is_pinned(key):
                field.help_text = _("Set by CONFIG_OVERWRITE_JSON: it cannot be changed here.")
            elif key not in editable:
                field.help_text = _("It cannot be changed any more: there are users besides admin.")
            field.disabled = is_pinned(key) or key not in editable

    def clean(self) -> dict[str, Any]:
        """Each by its own rule."""
        cleaned = super().clean() or {}
        for key, value in self.changes(cleaned).items():
            try:
                SETTINGS[key].checked(key, value)
            except HarborError as error:
                reason = said(error.message.removeprefix(f"{key} "))
                self.add_error(key, _("This value is refused: %(reason)s.") % {"reason": reason})
        return cleaned

    def changes(self, cleaned: dict[str, Any] | None = None) -> dict[str, Any]:
        """What differs from what is stored, for harbor_core.services.configurations."""
        chosen = self.cleaned_data if cleaned is None else cleaned
        found: dict[str, Any] = {}
        for key in self.keys:
            if key not in chosen or self.fields[key].disabled:
                continue
            value = ",".join(chosen[key]) if key == EVENTS else chosen[key]
            if value if key in SECRETS else value != config_all()[key]:
                found[key] = value
        return found


def _shown(key: str, value: Any) -> Any:
    if key in SECRETS:
        return ""
    return [name.strip() for name in value.split(",") if name.strip()] if key == EVENTS else value


def _field(key: str, is_set: bool) -> forms.Field:
    label: Any
    about: Any
    label, about = WORDS[key]
    reader = SETTINGS[key].reader
    needed = {"required": _("Enter a value."), "invalid": _("Enter a whole number.")}
    if key == EVENTS:
        known = event_choices()
        boxes = forms.CheckboxSelectMultiple
        return forms.MultipleChoiceField(label=label, help_text=about, required=False, choices=known, widget=boxes)
    if key in CHOICES:
        kind = int if isinstance(reader, Whole) else str
        return forms.TypedChoiceField(label=label, help_text=about, choices=list(CHOICES[key].items()), coerce=kind)
    if isinstance(reader, Flag):
        return forms.BooleanField(label=label, help_text=about, required=False)
    if isinstance(reader, Whole):
        return forms.IntegerField(label=label, help_text=about, error_messages=needed)
    if key in SECRETS:
        about = _("A secret is stored. Empty keeps it; it is never shown.") if is_set else _("None is stored.")
        hidden = forms.PasswordInput(attrs={"autocomplete": "new-password"})
        return forms.CharField(label=label, help_text=about, required=False, strip=False, widget=hidden)
    plain = forms.Textarea(attrs=_CODE | {"rows": 4, "class": "code"}) if key in LONG else forms.TextInput(attrs=_CODE)
    return forms.CharField(label=label, help_text=about, required=False, widget=plain)


class BannerForm(forms.Form):
    """The announcement on every page, as portal.banner reads it."""

    message = forms.CharField(
        label=_("Text"),
        required=False,
        max_length=2000,
        help_text=_("Empty to show nothing."),
        widget=forms.Textarea(attrs={"rows": 3, "autofocus": True}),
    )
    type = forms.ChoiceField(label=_("Kind"), choices=[(kind, _KINDS[kind]) for kind in KINDS])
    begin = forms.DateField(
        label=_("From"),
        required=False,
        help_text=_("Empty: at once. Days are those of UTC."),
        error_messages={"invalid": _("Enter a date.")},
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    end = forms.DateField(
        label=_("Through"),
        required=False,
        help_text=_("Empty: until it is taken away."),
        error_messages={"invalid": _("Enter a date.")},
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        begin, end = cleaned.get("begin"), cleaned.get("end")
        if begin and end and end < begin:
            self.add_error("end", _("This lies before the first day."))
        return cleaned

    @property
    def stored(self) -> str:
        """The setting ``banner_message``."""
        chosen = self.cleaned_data
        if not chosen["message"].strip():
            return ""
        document = {"message": chosen["message"], "type": chosen["type"], "closable": False}
        if chosen["begin"]:
            document["fromDate"] = datetime.combine(chosen["begin"], time.min, UTC).isoformat()
        if chosen["end"]:
            document["toDate"] = datetime.combine(chosen["end"], time(23, 59, 59), UTC).isoformat()
        return json.dumps(document, ensure_ascii=False)


def banner_fields(stored: str) -> dict[str, Any]:
    """Initial values from the setting, in whatever form it was written."""
    try:
        document: Any = json.loads(stored)
    except ValueError:
        document = stored
    if not isinstance(document, dict):
        return {"message": stored, "type": "info"}
    kind = document.get("type")
    days = {"begin": _day(document.get("fromDate")), "end": _day(document.get("toDate"))}
    return {"message": document.get("message", ""), "type": kind if kind in KINDS else "info"} | days


def _day(value: Any) -> date | None:
    try:
        return datetime.fromisoformat(value).date() if isinstance(value, str) else None
    except ValueError:
        return None


class AllowlistForm(forms.Form):
    """Vulnerabilities that count nowhere."""

    items = forms.CharField(
        label=_("CVE IDs"),
        required=False,
        max_length=MAX_ITEMS * 130,
        help_text=_("One per line or separated by commas, such as CVE-2024-3094."),
        widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false", "class": "code"}),
    )
    expires = forms.DateField(
        label=_("Allowlist expires on"),
        required=False,
        help_text=_("Through the end of this day (UTC); empty for never."),
        error_messages={"invalid": _("Enter a date.")},
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def clean_items(self) -> list[str]:
        items = self.cleaned_data["items"].replace(",", "\n").split()
        wrong = [item for item in items if not is_identifier(item)]
        if wrong:
            raise forms.ValidationError(
                _("%(item)s is not the ID of a vulnerability."), params={"item": wrong[0][:100]}
            )
        return list(dict.fromkeys(items))

    @property
    def expires_at(self) -> int | None:
        """Seconds since 1970."""
        day = self.cleaned_data["expires"]
        return int(datetime.combine(day, time(23, 59, 59), UTC).timestamp()) if day else None

"""A new personal token."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from auth.actor import Actor
from auth.scopes import Scope
from auth.services import tokens
from harbor_core.services.config import config_get
from projects import access

SCOPE_TEXTS = {
    Scope.PULL: _("pull: read images and other artifacts"),
    Scope.PUSH: _("push: write them, and read them"),
    Scope.DELETE: _("delete: delete them with a registry client"),
    Scope.API_READ: _("api:read: look at everything through the API"),
    Scope.API_WRITE: _("api:write: look and change through the API"),
    Scope.ADMIN: _("admin: with your rights as system administrator"),
}
DAYS = (7, 30, 90, 180, 365)
NEVER, DAY_CHOSEN = "never", "day"


class TokenForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=tokens.NAME_MAX,
        help_text=_("What it is for, such as the machine that uses it."),
        error_messages={"required": _("Enter a name.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one.")},
        help_text=_("Never more than you may do yourself. No token manages accounts, passwords or tokens."),
    )
    projects = forms.CharField(
        label=_("Only in these projects"),
        required=False,
        help_text=_("Names, separated by commas or spaces. Empty: in every project."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    expires = forms.ChoiceField(label=_("Expires"))
    day = forms.DateField(
        label=_("Last day"),
        required=False,
        error_messages={"invalid": _("Enter a date such as 2026-03-31.")},
        help_text=_("Only for a day of your choice."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, actor: Actor, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actor = actor
        most = int(config_get("personal_token_max_days"))
        self.fields["scopes"].choices = [  # type: ignore[attr-defined]  # a choice field  # the plugin sees plain fields
            (scope.value, text) for scope, text in SCOPE_TEXTS.items() if scope != Scope.ADMIN or actor.is_sysadmin
        ]
        days = [days for days in DAYS if not most or days <= most] or [most]
        self.fields["expires"].choices = [  # type: ignore[attr-defined]  # a choice field
            *((str(number), _("in %(days)s days") % {"days": number}) for number in days),
            (DAY_CHOSEN, _("on a day I choose")),
            *([] if most else [(NEVER, _("never"))]),
        ]
        default = min(tokens.DEFAULT_DAYS, most) if most else tokens.DEFAULT_DAYS
        self.fields["expires"].initial = str(default) if default in days else str(days[-1])

    def clean_projects(self) -> list[str]:
        names = list(dict.fromkeys(self.cleaned_data["projects"].replace(",", " ").split()))
        if len(names) > tokens.PROJECTS_MAX:
            raise forms.ValidationError(_("A token can be limited to 100 projects at most."))
        seen = set(access.visible_projects(self.actor).filter(name__in=names).values_list("name", flat=True))
        missing = [name for name in names if name not in seen]
        if missing:
            raise forms.ValidationError(_("There is no project %(name)s."), params={"name": missing[0][:100]})
        return names

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("expires") == DAY_CHOSEN and not cleaned.get("day") and "day" not in self.errors:
            self.add_error("day", _("Choose a day."))
        elif cleaned.get("expires") == DAY_CHOSEN and cleaned.get("day"):
            self._check_day(cleaned)
        if cleaned.get("projects") and Scope.ADMIN in cleaned.get("scopes", ()):
            self.add_error("projects", _("A token with the scope admin cannot be limited to projects."))
        return cleaned

    def _check_day(self, cleaned: dict[str, Any]) -> None:
        today, most = timezone.now().date(), int(config_get("personal_token_max_days"))
        if cleaned["day"] < today:
            self.add_error("day", _("This day is past."))
        elif most and cleaned["day"] > today + timedelta(days=most - 1):
            self.add_error("day", _("Tokens live %(days)s days at most.") % {"days": most})

    @property
    def expires_at(self) -> int:
        """Epoch seconds, or what stands for never. A chosen day counts to its end."""
        expires = self.cleaned_data["expires"]
        if expires == NEVER:
            return tokens.NEVER
        if expires == DAY_CHOSEN:
            day = self.cleaned_data["day"] + timedelta(days=1)
            return int(datetime(day.year, day.month, day.day, tzinfo=timezone.get_default_timezone()).timestamp())
        return int((timezone.now() + timedelta(days=int(expires))).timestamp())

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from auth.services import users
from harbor_core.lib.errors import HarborError


class SignInForm(forms.Form):
    username = forms.CharField(
        label=_("User name"),
        max_length=300,
        error_messages={"required": _("Enter your user name.")},
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false", "autofocus": True}
        ),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=1024,
        strip=False,
        error_messages={"required": _("Enter your password.")},
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class PasswordForm(forms.Form):
    old = forms.CharField(
        label=_("Current password"),
        max_length=1024,
        strip=False,
        error_messages={"required": _("Enter your current password.")},
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )
    new = forms.CharField(
        label=_("New password"),
        max_length=1024,
        strip=False,
        help_text=_("8 to 128 characters with an upper-case letter, a lower-case letter and a digit."),
        error_messages={"required": _("Enter a new password.")},
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=_("New password again"),
        max_length=1024,
        strip=False,
        error_messages={"required": _("Enter the new password again.")},
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_new(self) -> str:
        new = self.cleaned_data["new"]
        try:
            users.check_password_rules(new)
        except HarborError as error:
            raise forms.ValidationError(_("This password is too weak.")) from error
        return new

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("new") and cleaned.get("again") and cleaned["new"] != cleaned["again"]:
            self.add_error("again", _("The two passwords differ."))
        if cleaned.get("new") and cleaned.get("new") == cleaned.get("old"):
            self.add_error("new", _("The new password is the old one."))
        return cleaned

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.forms.accounts import PASSWORD_RULE, checked_password, compare, password_field


class SignInForm(forms.Form):
    username = forms.CharField(
        label=_("User name"),
        max_length=300,
        error_messages={"required": _("Enter your user name.")},
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false", "autofocus": True}
        ),
    )
    password = password_field(_("Password"), _("Enter your password."), autocomplete="current-password")


class PasswordForm(forms.Form):
    old = password_field(
        _("Current password"), _("Enter your current password."), autocomplete="current-password", autofocus=True
    )
    new = password_field(_("New password"), _("Enter a new password."), help_text=PASSWORD_RULE)
    again = password_field(_("New password again"), _("Enter the new password again."))

    def clean_new(self) -> str:
        return checked_password(self.cleaned_data["new"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        compare(self, cleaned, "new")
        if cleaned.get("new") and cleaned.get("new") == cleaned.get("old"):
            self.add_error("new", _("The new password is the old one."))
        return cleaned

"""Signing up and one's own profile."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from auth.selectors import users as selectors
from auth.services import users
from portal.forms.accounts import NAME_RULE, NewPasswordForm, check, checked_name


class ProfileForm(forms.Form):
    realname = forms.CharField(
        label=_("Full name"),
        max_length=255,
        help_text=NAME_RULE,
        error_messages={"required": _("Enter your full name.")},
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = forms.CharField(
        label=_("E-mail address"),
        max_length=255,
        required=False,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    comment = forms.CharField(label=_("Comment"), max_length=users.COMMENT_MAX, required=False)

    def clean_realname(self) -> str:
        return checked_name("realname", self.cleaned_data["realname"])

    def clean_email(self) -> str:
        email = self.cleaned_data["email"]
        check(lambda: users.check_profile(email, "x", ""), _("This is no e-mail address."))
        return email


class SignUpForm(NewPasswordForm, ProfileForm):
    username = forms.CharField(
        label=_("User name"),
        max_length=users.NAME_MAX,
        help_text=NAME_RULE,
        error_messages={"required": _("Enter a user name.")},
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )
    field_order = ["username", "realname", "email", "password", "again"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["comment"]

    def clean_username(self) -> str:
        name = checked_name("username", self.cleaned_data["username"])
        if selectors.is_taken("username", name):
            raise forms.ValidationError(_("Somebody has this name already."))
        return name

    def clean_email(self) -> str:
        email = super().clean_email()
        if email and selectors.is_taken("email", email):
            raise forms.ValidationError(_("Another account has this address."))
        return email

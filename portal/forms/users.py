"""Forms of user accounts, as administrators fill them in."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from auth.services import users
from portal.forms.accounts import NewPasswordForm, checked_name

_PLAIN = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}


def _name(label: Any, **attributes: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=users.NAME_MAX,
        error_messages={"required": _("Enter a name.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", **attributes}),
    )


class ProfileForm(forms.Form):
    realname = _name(_("First and last name"))
    email = forms.EmailField(
        label=_("E-mail"),
        required=False,
        max_length=users.NAME_MAX,
        error_messages={"invalid": _("Enter an e-mail address.")},
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    comment = forms.CharField(label=_("Comment"), required=False, max_length=users.COMMENT_MAX)

    def clean_realname(self) -> str:
        return checked_name("realname", self.cleaned_data["realname"])


class PasswordForm(NewPasswordForm):
    """A new password for somebody else."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].label = _("New password")
        self.fields["again"].label = _("New password again")


class NewUserForm(NewPasswordForm, ProfileForm):
    username = _name(_("User name"), **_PLAIN, autofocus=True)
    field_order = ("username", "realname", "email", "comment", "password", "again")

    def clean_username(self) -> str:
        return checked_name("username", self.cleaned_data["username"])

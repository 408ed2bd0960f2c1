"""What forms of accounts have in common: names, and a new password typed twice. What both may be is the service's rule;
here it is said beside the field."""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from auth.services import users
from harbor_core.lib.errors import HarborError

NAME_RULE = _('1 to 255 characters, none of , " ~ # % $')
PASSWORD_RULE = _("8 to 128 characters with an upper-case letter, a lower-case letter and a digit.")


def check(rule: Callable[[], None], message: Any) -> None:
    """Run a rule of the service; what it refuses is wrong with the field, which ``message`` says in the reader's
    language."""
    try:
        rule()
    except HarborError as error:
        raise forms.ValidationError(message) from error


def checked_name(kind: str, name: str) -> str:
    """``kind``: what the service calls it."""
    check(lambda: users.check_name(kind, name), _("This name holds a character that is not allowed."))
    return name


def checked_password(password: str) -> str:
    check(lambda: users.check_password_rules(password), _("This password is too weak."))
    return password


def password_field(label: Any, required: Any, *, help_text: Any = "", **attributes: Any) -> forms.CharField:
    """``required`` is what is said where it is empty."""
    return forms.CharField(
        label=label,
        max_length=1024,
        strip=False,
        help_text=help_text,
        error_messages={"required": required},
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", **attributes}),
    )


def compare(form: forms.Form, cleaned: Mapping[str, Any], new: str) -> None:
    """The field ``again`` has to repeat the field ``new``."""
    if cleaned.get(new) and cleaned.get("again") and cleaned[new] != cleaned["again"]:
        form.add_error("again", _("The two passwords differ."))


class NewPasswordForm(forms.Form):
    password = password_field(_("Password"), _("Enter a password."), help_text=PASSWORD_RULE)
    again = password_field(_("Password again"), _("Enter the password again."))

    def clean_password(self) -> str:
        return checked_password(self.cleaned_data["password"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        compare(self, cleaned, "password")
        return cleaned

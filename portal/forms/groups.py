from django import forms
from django.utils.translation import gettext_lazy as _

from auth.services import groups

_PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class GroupForm(forms.Form):
    """``name`` is the provider's name of the group."""

    name = forms.CharField(
        label=_("Name"),
        max_length=groups.NAME_MAX,
        error_messages={"required": _("Enter a name.")},
        widget=forms.TextInput(attrs=_PLAIN | {"autofocus": True}),
    )


class DirectoryGroupForm(forms.Form):
    """A group of LDAP is known by its distinguished name."""

    dn = forms.CharField(
        label=_("Distinguished name"),
        max_length=groups.DN_MAX,
        help_text=_("As it stands in the directory, such as cn=developers,ou=groups,dc=example,dc=com."),
        error_messages={"required": _("Enter the distinguished name.")},
        widget=forms.TextInput(attrs=_PLAIN | {"autofocus": True, "class": "code"}),
    )
    name = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=groups.NAME_MAX,
        help_text=_("How it is called here; empty for the first part of the distinguished name."),
        widget=forms.TextInput(attrs=_PLAIN),
    )

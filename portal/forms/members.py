from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from auth.rbac import ROLE_ORDER, Role
from portal.roles import ROLES

_KINDS = (("user", _("User")), ("group", _("Group")))


class RoleForm(forms.Form):
    role = forms.TypedChoiceField(
        label=_("Role"),
        coerce=int,
        initial=Role.DEVELOPER.value,
        error_messages={"required": _("Choose a role."), "invalid_choice": _("Choose a role.")},
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [  # type: ignore[attr-defined]  # of a field with choices
            (role.value, _("%(role)s – %(about)s") % {"role": ROLES[role][0], "about": ROLES[role][1]})
            for role in ROLE_ORDER
        ]


class NewMemberForm(RoleForm):
    """``search`` is where names are looked up while they are typed; ``groups``: is there such a thing as a group?"""

    kind = forms.ChoiceField(label=_("Who"), choices=_KINDS, initial="user", widget=forms.RadioSelect)
    name = forms.CharField(
        label=_("Name"),
        max_length=512,
        error_messages={"required": _("Enter the name of a user or group.")},
        help_text=_("Type a few letters to see names that hold them."),
    )
    field_order = ("kind", "name", "role")

    def __init__(self, *args: Any, search: str, groups: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].widget = forms.TextInput(
            attrs={
                "list": "candidates",
                "autocomplete": "off",
                "spellcheck": "false",
                "autofocus": True,
                "hx-get": search,
                "hx-trigger": "input changed delay:200ms",
                "hx-target": "#candidates",
                "hx-swap": "innerHTML",
                "hx-include": "[name=kind]",
                "hx-push-url": "false",
            }
        )
        if not groups:
            del self.fields["kind"]
            self.fields["name"].label = _("User name")
            self.fields["name"].help_text = _("Type a few letters to see users whose names hold them.")
            self.fields["name"].error_messages["required"] = _("Enter the name of a user.")

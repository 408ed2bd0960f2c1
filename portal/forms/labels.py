from django import forms
from django.utils.translation import gettext_lazy as _

from projects.services.labels import DESCRIPTION_MAX, NAME_MAX

# Colours that stand apart from each other, dark and light ones.
COLOURS = (
    "#C92100", "#DD5A12", "#B8860B", "#5A7D1A", "#266900", "#0A7E7E", "#0065AB", "#343DAC", "#781DA0", "#9B0D54",
    "#000000", "#61717D", "#F57600", "#FFDC0B", "#85C81A", "#7FDBDA", "#89CBDF", "#C3B5F5", "#F8A5C2", "#FFFFFF",
)  # fmt: skip


class LabelForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=NAME_MAX,
        error_messages={"required": _("Enter a name.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    description = forms.CharField(
        label=_("Description"), max_length=DESCRIPTION_MAX, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    color = forms.RegexField(
        label=_("Colour"),
        regex=r"^#[0-9A-Fa-f]{6}$",
        initial="#0065AB",
        help_text=_("Shown as a dot beside the name, so that the name can always be read."),
        error_messages={"required": _("Choose a colour."), "invalid": _("A colour is written like #0065AB.")},
        widget=forms.TextInput(attrs={"type": "color", "list": "colours"}),
    )

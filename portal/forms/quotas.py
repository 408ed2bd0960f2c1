from decimal import Decimal

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.forms.project import UNITS
from projects.models.quota import UNLIMITED


class QuotaForm(forms.Form):
    """A storage limit."""

    limit = forms.DecimalField(
        label=_("Storage limit"),
        min_value=0,
        max_digits=12,
        decimal_places=2,
        help_text=_("0 for no limit. A limit below what is used refuses pushes and deletes nothing."),
        error_messages={"required": _("Enter a number."), "invalid": _("Enter a number.")},
        widget=forms.NumberInput(attrs={"inputmode": "decimal", "step": "any", "autofocus": True}),
    )
    unit = forms.ChoiceField(label=_("Unit"), choices=[(unit, unit) for unit in UNITS], initial="GiB")

    @property
    def bytes(self) -> int:
        """-1 for no limit."""
        return int(self.cleaned_data["limit"] * UNITS[self.cleaned_data["unit"]]) or UNLIMITED


def limit_fields(hard: int) -> dict[str, object]:
    """Initial values: the largest unit that tells the number exactly, with two digits at most."""
    if hard == UNLIMITED:
        return {"limit": 0, "unit": "GiB"}
    for unit, factor in reversed(UNITS.items()):
        value = Decimal(hard) / factor
        if value == round(value, 2) and value >= 1:
            return {"limit": value.normalize().__format__("f"), "unit": unit}
    return {"limit": round(Decimal(hard) / UNITS["MiB"], 2), "unit": "MiB"}

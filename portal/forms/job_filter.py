"""What executions and tasks are looked for by. Unknown values count as none."""

from django import forms
from django.utils.translation import gettext_lazy as _

from jobservice.jobs import JOB_TYPES
from portal.job_words import STATES, TRIGGERS, name_of

_ANY = ("", _("All"))


class _Filter(forms.Form):
    columns_of: dict[str, str] = {}

    @property
    def chosen(self) -> dict[str, str]:
        """The fields that say something, for links."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}

    @property
    def columns(self) -> dict[str, str]:
        """column -> value."""
        return {self.columns_of[name]: value for name, value in self.chosen.items()}


class TaskFilter(_Filter):
    columns_of = {"state": "status"}
    state = forms.ChoiceField(label=_("State"), required=False)

    def __init__(self, data: dict[str, str]) -> None:
        super().__init__(data, auto_id="filter-%s")
        self.fields["state"].choices = [_ANY, *STATES.items()]  # type: ignore[attr-defined]  # a choice field


class ExecutionFilter(_Filter):
    columns_of = {"type": "vendor_type", "state": "status", "trigger": "trigger"}
    type = forms.ChoiceField(label=_("Type"), required=False)
    state = forms.ChoiceField(label=_("State"), required=False)
    trigger = forms.ChoiceField(label=_("Trigger"), required=False)

    def __init__(self, data: dict[str, str]) -> None:
        super().__init__(data, auto_id="filter-%s")
        types = sorted(((name, name_of(name)) for name in JOB_TYPES), key=lambda item: item[1])
        states = [(name, STATES[name]) for name in ("Running", "Success", "Error", "Stopped")]
        for name, choices in (("type", types), ("state", states), ("trigger", TRIGGERS.items())):
            self.fields[name].choices = [_ANY, *choices]  # type: ignore[attr-defined]  # a choice field

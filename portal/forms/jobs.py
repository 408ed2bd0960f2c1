"""Jobs that administrators start and schedule."""

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.system_log import event_choices

NONE = "None"


class ScheduleForm(forms.Form):
    """When it runs. The job's own fields come from the form it is combined with."""

    type = forms.ChoiceField(
        label=_("Schedule"),
        choices=[
            (NONE, _("None")),
            ("Hourly", _("Hourly")),
            ("Daily", _("Daily")),
            ("Weekly", _("Weekly")),
            ("Custom", _("Custom")),
        ],
    )
    cron = forms.CharField(
        label=_("Cron expression"),
        required=False,
        max_length=255,
        help_text=_("For a custom schedule: second (0), minute, hour, day, month, weekday, in UTC. 0 0 3 * * * is 3 "
                    "o'clock every day."),
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("type") == "Custom" and not values.get("cron"):
            self.add_error("cron", _("Enter a cron expression."))
        return values


class NoParameters(forms.Form):
    """Of a job that has none."""

    def values(self) -> dict[str, Any]:
        return {}


class CollectionForm(forms.Form):
    """What a run of the garbage collection removes."""

    parameters: ClassVar[tuple[str, ...]] = ("delete_untagged", "empty_trash", "workers")

    delete_untagged = forms.BooleanField(
        label=_("Untagged artifacts too"),
        required=False,
        help_text=_("Artifacts without a tag that belong to nothing else and are older than the window."),
    )
    empty_trash = forms.BooleanField(
        label=_("What is in the trash too"),
        required=False,
        help_text=_("Deleted artifacts can then not be restored any more, in no project."),
    )
    workers = forms.IntegerField(
        label=_("Workers"),
        min_value=1,
        max_value=10,
        initial=1,
        help_text=_("How many deletions are under way in storage at once, 1 to 10."),
    )

    def values(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.parameters}


class PurgeForm(forms.Form):
    """Which rows of the audit log are removed."""

    audit_retention_hour = forms.IntegerField(
        label=_("Keep for hours"), min_value=0, max_value=240_000, initial=90 * 24,
        help_text=_("Older rows are removed."),
    )  # fmt: skip
    include_event_types = forms.MultipleChoiceField(
        label=_("Events"), choices=[], widget=forms.CheckboxSelectMultiple, help_text=_("Other rows stay.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Everything is ticked until something else was chosen."""
        super().__init__(*args, **kwargs)
        choices = event_choices()
        self.fields["include_event_types"].choices = choices  # type: ignore[attr-defined]  # a choice field
        self.initial.setdefault("include_event_types", [name for name, _words in choices])

    def values(self) -> dict[str, Any]:
        return {
            "audit_retention_hour": self.cleaned_data["audit_retention_hour"],
            "include_event_types": ",".join(self.cleaned_data["include_event_types"]),
        }

"""Forms about repositories and artifacts. What a value must be is the services' business."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from projects.models import Label

DESCRIPTION_MAX = 100_000
_NAME_MAX = 255


class DescriptionForm(forms.Form):
    description = forms.CharField(
        label=_("Description"),
        required=False,
        max_length=DESCRIPTION_MAX,
        strip=False,
        help_text=_("Markdown. HTML is shown as text, pictures become links."),
        widget=forms.Textarea(attrs={"rows": 16, "spellcheck": "true"}),
    )


class TagForm(forms.Form):
    name = forms.CharField(
        label=_("Tag"),
        max_length=128,
        help_text=_("Letters, digits, “_”, “.” and “-”, at most 128; the first is no “.” or “-”."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autofocus": True}),
    )


class LabelsForm(forms.Form):
    labels = forms.MultipleChoiceField(label=_("Labels"), required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, usable: Iterable[Label], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["labels"].choices = [(str(label.pk), label.name) for label in usable]  # type: ignore[attr-defined]  # a choice field

    @property
    def chosen(self) -> set[int]:
        return {int(pk) for pk in self.cleaned_data["labels"]}


class CopyForm(forms.Form):
    project = forms.CharField(
        label=_("Project"),
        max_length=_NAME_MAX,
        widget=forms.TextInput(attrs={"list": "copy-projects", "autocomplete": "off", "spellcheck": "false"}),
    )
    repository = forms.CharField(
        label=_("Repository"),
        max_length=_NAME_MAX,
        help_text=_("Its name inside the project; it is made if it is not there yet."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_project(self) -> str:
        return str(self.cleaned_data["project"]).strip()

    def clean_repository(self) -> str:
        return str(self.cleaned_data["repository"]).strip().strip("/")

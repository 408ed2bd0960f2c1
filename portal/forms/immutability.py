from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from harbor_core.lib.doublestar import BadPattern, validate
from projects.selectors.immutability import Selector, selectors_of

_REPOSITORIES = (("repoMatches", _("matching")), ("repoExcludes", _("except those matching")))
_TAGS = (("matches", _("matching")), ("excludes", _("except those matching")))
_PATTERN = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off", "class": "code"}


def _pattern(label: Any, help_text: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        initial="**",
        max_length=1024,
        error_messages={"required": _("Enter a pattern; ** matches everything.")},
        widget=forms.TextInput(attrs=_PATTERN),
    )


class RuleForm(forms.Form):
    """An immutable tag rule: which tags of which repositories stay as they are."""

    repository_decoration = forms.ChoiceField(label=_("For the repositories"), choices=_REPOSITORIES)
    repository_pattern = _pattern(
        _("Repositories"), _("The name without the project: ** for all of them, app, team/**, {app,api}.")
    )
    tag_decoration = forms.ChoiceField(label=_("The tags"), choices=_TAGS)
    tag_pattern = _pattern(_("Tags"), _("** for all of them, v*, *-release, {latest,stable}."))

    def _checked(self, name: str) -> str:
        pattern = str(self.cleaned_data[name])
        try:
            validate(pattern)
        except BadPattern as error:
            raise forms.ValidationError(_("This is no pattern: a bracket or brace is not closed.")) from error
        return pattern

    def clean_repository_pattern(self) -> str:
        return self._checked("repository_pattern")

    def clean_tag_pattern(self) -> str:
        return self._checked("tag_pattern")

    @property
    def values(self) -> dict[str, Any]:
        """As the service takes them, without ``disabled``."""
        chosen = self.cleaned_data

        def selector(kind: str) -> list[dict[str, str]]:
            return [
                {
                    "kind": "doublestar",
                    "decoration": chosen[f"{kind}_decoration"],
                    "pattern": chosen[f"{kind}_pattern"],
                }
            ]

        return {
            "action": "immutable",
            "template": "immutable_template",
            "priority": 0,
            "tag_selectors": selector("tag"),
            "scope_selectors": {"repository": selector("repository")},
        }

    @property
    def selectors(self) -> tuple[Selector, Selector]:
        values = self.values
        return selectors_of(values["tag_selectors"], values["scope_selectors"])

"""Rules of tag retention, and when they run."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from harbor_core.lib import patterns
from harbor_core.lib.doublestar import BadPattern
from portal.forms.immutability import RuleForm
from portal.forms.jobs import ScheduleForm
from projects.selectors.retention import TEMPLATES
from projects.services.retention import LIMITS

TEMPLATE_NAMES = {
    "latestPushedK": _("the most recently pushed ones, as many as"),
    "latestPulledN": _("the most recently pulled ones, as many as"),
    "latestActiveK": _("the most recently pushed or pulled ones, as many as"),
    "nDaysSinceLastPush": _("pushed within days"),
    "nDaysSinceLastPull": _("pulled within days"),
    "lastXDays": _("pushed or pulled within days"),
    "always": _("all of them"),
}
_KINDS = (("doublestar", _("Wildcards (*, **, ?)")), ("regex", _("Regular expression")), ("semver", _("Versions")))


class RetentionRuleForm(RuleForm):
    """What a rule keeps of which repositories: one selector of repositories and one of tags."""

    field_order = (
        "repository_decoration",
        "repository_pattern",
        "template",
        "number",
        "tag_decoration",
        "tag_kind",
        "tag_pattern",
        "untagged",
    )

    template = forms.ChoiceField(label=_("Keep"), choices=list(TEMPLATE_NAMES.items()))
    number = forms.IntegerField(
        label=_("Number"), required=False, min_value=0, help_text=_("Of artifacts or days; not for all of them.")
    )
    tag_kind = forms.ChoiceField(
        label=_("Kind of pattern"),
        choices=_KINDS,
        required=False,
        help_text=_("Versions are ranges such as ^1.4 || 2.x; tags that are no versions do not match."),
    )
    untagged = forms.BooleanField(label=_("Artifacts without a tag too"), required=False, initial=True)

    def clean_tag_kind(self) -> str:
        return self.cleaned_data["tag_kind"] or patterns.DOUBLESTAR

    def clean_tag_pattern(self) -> str:
        pattern, kind = str(self.cleaned_data["tag_pattern"]), self.cleaned_data.get("tag_kind", patterns.DOUBLESTAR)
        try:
            patterns.check(kind, pattern)
        except BadPattern as error:
            raise forms.ValidationError(_("This cannot be read as a pattern of this kind.")) from error
        return pattern

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        template = TEMPLATES.get(values.get("template", ""))
        if template is None or not template.unit or "number" not in values:
            return values
        if values["number"] is None:
            self.add_error("number", _("Enter a number."))
        elif values["number"] > LIMITS[template.unit]:
            self.add_error("number", _("At most %(limit)d.") % {"limit": LIMITS[template.unit]})
        return values

    @property
    def values(self) -> dict[str, Any]:
        """A rule as the service takes it, without ``disabled``."""
        chosen, rule = self.cleaned_data, super().values
        rule["tag_selectors"][0] |= {
            "kind": chosen["tag_kind"],
            "extras": json.dumps({"untagged": chosen["untagged"]}),
        }
        unit = TEMPLATES[chosen["template"]].unit
        return rule | {
            "action": "retain",
            "template": chosen["template"],
            "params": {chosen["template"]: chosen["number"]} if unit else {},
        }


def initial(rule: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the form shows of a rule; None for one that says more than it can."""
    repositories, tags = rule["scope_selectors"]["repository"], rule["tag_selectors"]
    if len(repositories) != 1 or len(tags) != 1 or repositories[0]["kind"] != patterns.DOUBLESTAR:
        return None
    if rule["template"] not in TEMPLATE_NAMES:
        return None
    return {
        "repository_decoration": repositories[0]["decoration"],
        "repository_pattern": repositories[0]["pattern"],
        "template": rule["template"],
        "number": next(iter(rule["params"].values()), None),
        "tag_decoration": tags[0]["decoration"],
        "tag_kind": tags[0]["kind"],
        "tag_pattern": tags[0]["pattern"],
    }


class RetentionSettingsForm(ScheduleForm):
    """When the rules run, and what holds whatever they say."""

    keep_newest = forms.IntegerField(
        label=_("Always keep the newest"),
        min_value=0,
        max_value=LIMITS["COUNT"],
        help_text=_("So many artifacts of every repository stay, whatever the rules say; 0 for none."),
    )
    max_delete_percent = forms.IntegerField(
        label=_("Never delete more than, in percent"),
        min_value=0,
        max_value=100,
        help_text=_("A repository that would lose more at once is left alone; 0 for no limit."),
    )

"""Tag retention in words: what rules say, and why an artifact stays or goes."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from projects.selectors import retention
from projects.selectors.retention import TEMPLATES, Verdict

_ALWAYS = {
    "always": gettext_lazy("everything"),
    "nothing": gettext_lazy("nothing"),
    retention.IMMUTABLE: gettext_lazy("a tag is immutable"),
    retention.NO_RULE: gettext_lazy("no rule keeps it"),
}


def said(cause: str, number: int) -> str:
    """A template or another cause with its number."""
    if cause in _ALWAYS:
        return str(_ALWAYS[cause])
    text = {
        "latestPushedK": ngettext("the most recently pushed one", "the %(n)d most recently pushed", number),
        "latestPulledN": ngettext("the most recently pulled one", "the %(n)d most recently pulled", number),
        "latestActiveK": ngettext("the most recently active one", "the %(n)d most recently active", number),
        "nDaysSinceLastPush": ngettext("pushed within a day", "pushed within %(n)d days", number),
        "nDaysSinceLastPull": ngettext("pulled within a day", "pulled within %(n)d days", number),
        "lastXDays": ngettext("active within a day", "active within %(n)d days", number),
        retention.NEWEST: ngettext("the newest one", "one of the %(n)d newest", number),
        retention.TOO_MANY: _("%(n)d %% would go, more than may"),
    }[cause]
    return text % {"n": number}


def why(verdict: Verdict) -> str:
    return said(verdict.cause, verdict.number)


def rule_words(rule: Mapping[str, Any]) -> dict[str, Any]:
    """What a row shows of a rule."""
    repositories = rule["scope_selectors"]["repository"]
    return {
        "keeps": said(TEMPLATES[rule["template"]].name, retention.parameter(rule)),
        "repositories": [(item["decoration"] == "repoExcludes", item) for item in repositories],
        "tags": [(item["decoration"] == "excludes", item) for item in rule["tag_selectors"]],
        "untagged": all(retention.takes_untagged(item) for item in rule["tag_selectors"]),
    }

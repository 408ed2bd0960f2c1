"""Form of a replication rule."""

import re
from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from harbor_core.lib import doublestar, names
from harbor_core.lib.errors import HarborError
from jobservice.services.schedules import check
from portal.forms.folding import Folding
from portal.forms.registries import NAMES
from projects.manifests import platforms
from replication.models import Registry, ReplicationPolicy
from replication.selectors.registries import LOCAL
from replication.services import windows
from replication.services.choosing import LABELS_MAX
from replication.services.policies import NAME_MAX, NAMESPACE_MAX

PUSH, PULL = "push", "pull"
TRIGGERS = {"manual": _("By hand"), "scheduled": _("Schedule"), "event_based": _("Event")}
_CODE = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off"}
_DECORATIONS = (("matches", _("take these")), ("excludes", _("take all others")))
_REPLACED = {
    -1: _("Keep the last part only (a/b/c becomes namespace/c)"),
    0: _("Keep all parts (namespace/a/b/c)"),
    1: _("Drop the first part (namespace/b/c)"),
    2: _("Drop the first two parts (namespace/c)"),
}


class ReplicationForm(Folding):
    """``registries`` are those that can be the other end."""

    name = forms.CharField(
        label=_("Name"),
        max_length=NAME_MAX,
        error_messages={"required": _("Enter a name.")},
        widget=forms.TextInput(attrs=_CODE),
    )
    description = forms.CharField(label=_("Description"), required=False, widget=forms.Textarea(attrs={"rows": 2}))
    mode = forms.ChoiceField(
        label=_("Direction"),
        choices=[(PUSH, _("From here to another registry")), (PULL, _("From another registry to here"))],
        widget=forms.RadioSelect,
        initial=PUSH,
    )
    registry = forms.TypedChoiceField(
        label=_("The other registry"), coerce=int, error_messages={"required": _("Choose a registry.")}
    )
    repositories = forms.CharField(
        label=_("Repositories"),
        required=False,
        max_length=1024,
        help_text=_("A pattern such as library/** or team/{app,web}; empty for all."),
        widget=forms.TextInput(attrs=_CODE),
    )
    tags = forms.CharField(
        label=_("Tags"),
        required=False,
        max_length=1024,
        help_text=_("A pattern such as v* or {1.*,stable}; empty for all."),
        widget=forms.TextInput(attrs=_CODE),
    )
    tags_decoration = forms.ChoiceField(label=_("With tags that match"), choices=_DECORATIONS)
    labels = forms.CharField(
        label=_("Labels"),
        required=False,
        help_text=_("One in a line; artifacts must have all of them. Only this registry and Harbor know labels."),
        widget=forms.Textarea(attrs=_CODE | {"rows": 2}),
    )
    labels_decoration = forms.ChoiceField(label=_("With labels that match"), choices=_DECORATIONS)
    resource = forms.ChoiceField(
        label=_("What"),
        choices=[("", _("All artifacts")), ("image", _("Images only")), ("artifact", _("Everything but images"))],
        required=False,
    )
    dest_namespace = forms.CharField(
        label=_("Namespace at the destination"),
        required=False,
        max_length=NAMESPACE_MAX,
        help_text=_("A project, or a project and more such as mirror/eu; empty leaves names as they are."),
        widget=forms.TextInput(attrs=_CODE),
    )
    replace_count = forms.TypedChoiceField(label=_("Names below the namespace"), coerce=int, initial=-1)
    trigger = forms.ChoiceField(label=_("Trigger"), choices=list(TRIGGERS.items()))
    cron = forms.CharField(
        label=_("Cron expression"),
        required=False,
        max_length=255,
        help_text=_("For a schedule: second (0), minute, hour, day, month, weekday, in UTC. 0 0 3 * * * is 3 o'clock "
                    "every day."),
        widget=forms.TextInput(attrs=_CODE),
    )  # fmt: skip
    replicate_deletion = forms.BooleanField(
        label=_("Delete there what is deleted here"), required=False, help_text=_("For rules that run on events.")
    )
    override = forms.BooleanField(
        label=_("Replace tags that are different there"),
        required=False,
        initial=True,
        help_text=_("Otherwise a tag that exists at the destination stays as it is."),
    )
    single_active = forms.BooleanField(
        label=_("One run at a time"), required=False, help_text=_("A run that begins while another goes on is skipped.")
    )
    copy_by_chunk = forms.BooleanField(
        label=_("Copy in chunks"), required=False, help_text=_("For gateways in between that end long uploads.")
    )
    speed = forms.IntegerField(
        label=_("At most, in KB per second"),
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text=_("For each task; empty for no limit."),
    )
    platforms = forms.CharField(
        label=_("Platforms"),
        required=False,
        max_length=platforms.PLATFORMS_MAX * 100,
        help_text=_("Of images for several platforms only these, such as linux/amd64, linux/arm/v7; empty for all. The "
                    "image keeps its digest; some registries refuse one that is not complete."),
        widget=forms.TextInput(attrs=_CODE),
    )  # fmt: skip
    window = forms.CharField(
        label=_("Hours"),
        required=False,
        max_length=11,
        help_text=_("In UTC, such as 22:00-06:00. Outside of them runs wait; empty for always."),
        widget=forms.TextInput(attrs=_CODE),
    )
    enabled = forms.BooleanField(label=_("Enabled"), required=False, initial=True)

    FOLDED = ("copy_by_chunk", "speed", "platforms", "window")

    def __init__(self, *args: Any, registries: Iterable[Registry], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(row.pk, f"{row.name} ({NAMES.get(row.type, row.type)})") for row in registries]
        self.fields["registry"].choices = choices  # type: ignore[attr-defined]  # a choice field
        replaced = dict(_REPLACED)
        if (count := self.initial.get("replace_count", -1)) not in replaced:
            replaced[count] = _("Drop the first %(number)d parts") % {"number": count}  # type: ignore[assignment]  # a text
        self.fields["replace_count"].choices = list(replaced.items())  # type: ignore[attr-defined]  # a choice field

    def clean_platforms(self) -> list[str]:
        found = [name for name in re.split(r"[\s,]+", self.cleaned_data["platforms"]) if name]
        try:
            return platforms.checked(found)
        except HarborError as error:
            raise forms.ValidationError(_("These are no platforms such as linux/amd64.")) from error

    def clean_window(self) -> str:
        try:
            return windows.checked(self.cleaned_data["window"].strip())
        except HarborError as error:
            raise forms.ValidationError(_("This is no window such as 22:00-06:00.")) from error

    def clean_repositories(self) -> str:
        return self._pattern("repositories")

    def clean_tags(self) -> str:
        return self._pattern("tags")

    def _pattern(self, name: str) -> str:
        pattern = str(self.cleaned_data[name])
        try:
            if pattern:
                doublestar.validate(pattern)
        except doublestar.BadPattern as error:
            raise forms.ValidationError(_("This cannot be read as a pattern.")) from error
        return pattern

    def clean_labels(self) -> list[str]:
        found = [line.strip() for line in self.cleaned_data["labels"].splitlines()]
        found = [line for line in found if line]
        if len(found) > LABELS_MAX:
            raise forms.ValidationError(_("At most %(limit)d.") % {"limit": LABELS_MAX})
        return found

    def clean_dest_namespace(self) -> str:
        namespace = str(self.cleaned_data["dest_namespace"]).strip("/")
        if namespace and not names.is_repository(f"{namespace}/name"):
            raise forms.ValidationError(_("This cannot be the beginning of a repository's name."))
        return namespace

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("trigger") == "event_based" and values.get("mode") == PULL:
            self.add_error("trigger", _("Only what happens in this registry can be an event."))
        if values.get("trigger") == "scheduled" and "cron" in values:
            self._check_cron(values["cron"])
        return values

    def _check_cron(self, cron: str) -> None:
        try:
            check("Custom", cron)
        except HarborError:
            self.add_error("cron", _("This is not a cron expression that can be a schedule."))
            return
        if cron.split()[1] == "*":
            self.add_error("cron", _("A rule cannot run every minute: name the minutes."))

    @property
    def values(self) -> dict[str, Any]:
        """For replication.services.policies."""
        chosen = self.cleaned_data
        direct = (
            "name", "description", "dest_namespace", "replace_count", "trigger", "cron", "replicate_deletion",
            "override", "single_active", "copy_by_chunk", "enabled", "platforms", "window",
        )  # fmt: skip
        pushes = chosen["mode"] == PUSH
        filters = [
            {"type": "name", "value": chosen["repositories"], "decoration": ""},
            {"type": "tag", "value": chosen["tags"], "decoration": chosen["tags_decoration"]},
            {"type": "label", "value": chosen["labels"], "decoration": chosen["labels_decoration"]},
            {"type": "resource", "value": chosen["resource"], "decoration": ""},
        ]
        return {name: chosen[name] for name in direct} | {
            "source": LOCAL if pushes else chosen["registry"],
            "target": chosen["registry"] if pushes else LOCAL,
            "filters": [item for item in filters if item["value"]],
            "speed": chosen["speed"] or -1,
        }


def initial(policy: ReplicationPolicy) -> dict[str, Any]:
    """What the form shows of a policy."""
    names_ = (
        "name", "description", "dest_namespace", "replace_count", "trigger", "cron", "replicate_deletion", "override",
        "single_active", "copy_by_chunk", "enabled", "window",
    )  # fmt: skip
    filters = {item["type"]: item for item in policy.filters}
    other = policy.source or policy.target
    return {name: getattr(policy, name) for name in names_} | {
        "mode": PUSH if policy.source is None else PULL,
        "registry": other.pk if other else None,
        "repositories": filters.get("name", {}).get("value", ""),
        "tags": filters.get("tag", {}).get("value", ""),
        "tags_decoration": filters.get("tag", {}).get("decoration") or "matches",
        "labels": "\n".join(filters.get("label", {}).get("value", [])),
        "labels_decoration": filters.get("label", {}).get("decoration") or "matches",
        "resource": filters.get("resource", {}).get("value", ""),
        "speed": policy.speed if policy.speed > 0 else None,
        "platforms": ", ".join(policy.platform_list),
    }

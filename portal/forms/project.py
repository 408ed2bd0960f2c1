"""Forms of a project itself: making it, and its settings."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from harbor_core.lib import names
from projects.models import Project
from projects.models.quota import UNLIMITED
from projects.services import metadata
from projects.services.allowlist import MAX_ITEMS, is_identifier
from replication.models import Registry

UNITS = {"MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}
_ACCESS = (
    ("private", _("Private: members only")),
    ("public", _("Public: anyone may pull")),
)
_SEVERITIES = (
    ("none", _("Any severity")),
    ("low", _("Low")),
    ("medium", _("Medium")),
    ("high", _("High")),
    ("critical", _("Critical")),
)
# May be emptied.
PATTERNS = ("proxy_cache_filter_pattern", "proxy_cache_deny_pattern", metadata.MIRROR)
_FILTERS = (("doublestar", _("Wildcards (*, **, ?)")), ("regex", _("Regular expression")))
_FRESHNESS = (
    ("always", _("Ask every time")),
    ("60", _("For a minute")),
    ("3600", _("For an hour")),
    ("86400", _("For a day")),
    ("never", _("Never ask again")),
)
_LISTS = (("true", _("The system's allowlist")), ("false", _("This project's own allowlist")))


def _number(label: Any, *, low: int, help_text: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        help_text=help_text,
        min_value=low,
        max_value=metadata.INT32,
        required=False,
        error_messages={"invalid": _("Enter a whole number.")},
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )


class NewProjectForm(forms.Form):
    """``administers``: quota and proxy cache are for who administers the system."""

    name = forms.CharField(
        label=_("Name"),
        max_length=255,
        help_text=_("Lower-case letters, digits, and . _ - between them. It becomes part of every image name."),
        error_messages={"required": _("Enter a name.")},
        widget=forms.TextInput(
            attrs={"autocapitalize": "none", "autocomplete": "off", "spellcheck": "false", "autofocus": True}
        ),
    )
    access = forms.ChoiceField(
        label=_("Access"), choices=_ACCESS, initial="private", widget=forms.RadioSelect(attrs={"class": "choices"})
    )
    quota = forms.DecimalField(
        label=_("Storage limit"),
        required=False,
        min_value=0,
        max_digits=12,
        decimal_places=2,
        help_text=_("Empty for the default of the system, 0 for no limit."),
        error_messages={"invalid": _("Enter a number.")},
        widget=forms.NumberInput(attrs={"inputmode": "decimal", "step": "any"}),
    )
    unit = forms.ChoiceField(label=_("Unit"), choices=[(unit, unit) for unit in UNITS], initial="GiB", required=False)
    registry = forms.ModelChoiceField(
        queryset=Registry.objects.none(),
        label=_("Proxy cache of"),
        required=False,
        empty_label=_("No proxy cache: people push here"),
        help_text=_("A proxy cache fetches what is pulled from another registry and keeps it. Nobody pushes into it."),
        error_messages={"invalid_choice": _("This registry does not exist any more.")},
    )

    def __init__(self, *args: Any, administers: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if administers:
            field = self.fields["registry"]
            field.queryset = Registry.objects.filter(type__in=settings.PROXY_REGISTRY_TYPES).order_by("name")  # type: ignore[attr-defined]  # of this kind of field
            field.label_from_instance = lambda row: f"{row.name} ({row.url})"  # type: ignore[attr-defined]  # a model choice
        else:
            for name in ("quota", "unit", "registry"):
                del self.fields[name]

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        if not names.is_project(name):
            raise forms.ValidationError(
                _("A name holds lower-case letters, digits, and . _ - between them, and begins with a letter or digit.")
            )
        return name

    @property
    def storage_limit(self) -> int | None:
        """Bytes, -1 for none; None for the default."""
        quota = self.cleaned_data.get("quota")
        if quota is None:
            return None
        return int(quota * UNITS[self.cleaned_data.get("unit") or "GiB"]) or UNLIMITED


class SettingsForm(forms.Form):
    """Metadata and allowlist of a project, without what projects of its kind do not know."""

    public = forms.BooleanField(
        label=_("Public"), required=False, help_text=_("Anyone may pull, without signing in. Pushing takes a role.")
    )
    enable_content_trust_cosign = forms.BooleanField(
        label=_("Cosign signatures"), required=False, help_text=_("Only images signed with Cosign can be pulled.")
    )
    enable_content_trust = forms.BooleanField(
        label=_("Notation signatures"), required=False, help_text=_("Only images signed with Notation can be pulled.")
    )
    prevent_vul = forms.BooleanField(
        label=_("Prevent vulnerable images from running"),
        required=False,
        help_text=_("Images with vulnerabilities of this severity or worse cannot be pulled."),
    )
    severity = forms.ChoiceField(label=_("From this severity on"), choices=_SEVERITIES, required=False)
    auto_scan = forms.BooleanField(
        label=_("Scan on push"), required=False, help_text=_("Images are scanned for vulnerabilities as they arrive.")
    )
    auto_sbom_generation = forms.BooleanField(
        label=_("SBOM on push"), required=False, help_text=_("A bill of materials is made for images as they arrive.")
    )
    reuse_sys_cve_allowlist = forms.ChoiceField(
        label=_("Vulnerabilities that do not count"),
        choices=_LISTS,
        required=False,
        widget=forms.RadioSelect(attrs={"class": "choices"}),
    )
    allowlist = forms.CharField(
        label=_("CVE IDs"),
        required=False,
        max_length=MAX_ITEMS * 130,
        help_text=_("One per line or separated by commas, such as CVE-2024-3094."),
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "class": "code"}),
    )
    expires = forms.DateField(
        label=_("Allowlist expires on"),
        required=False,
        help_text=_("Through the end of this day (UTC); empty for never."),
        error_messages={"invalid": _("Enter a date.")},
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    sparse_indexes = forms.BooleanField(
        label=_("Images without some of their platforms"),
        required=False,
        help_text=_(
            "Replication from another instance of this registry may bring only the platforms it chose. Everybody else "
            "pushes images whole."
        ),
    )
    proxy_speed_kb = _number(
        _("Bandwidth (KB/s)"), low=-1, help_text=_("For fetching from the other registry; -1 for no limit.")
    )
    max_upstream_conn = _number(
        _("Connections"), low=-1, help_text=_("At once to the other registry; -1 for no limit.")
    )
    proxy_cache_local_on_not_found = forms.BooleanField(
        label=_("Keep what is gone elsewhere"),
        required=False,
        help_text=_("What was cached is served even when the other registry has deleted it."),
    )
    proxy_cache_freshness = forms.ChoiceField(
        label=_("A tag counts as fresh"),
        choices=_FRESHNESS,
        required=False,
        help_text=_("After that the other registry is asked whether the tag has moved. Digests are never asked about."),
    )
    proxy_cache_offline = forms.BooleanField(
        label=_("Offline"),
        required=False,
        help_text=_("The other registry is not asked for anything; only what is cached is served."),
    )
    proxy_referrer_api = forms.BooleanField(
        label=_("Referrers"),
        required=False,
        help_text=_("Signatures and SBOMs are fetched from the other registry, too."),
    )
    proxy_cache_filter_kind = forms.ChoiceField(label=_("Kind of filter"), choices=_FILTERS, required=False)
    proxy_cache_filter_pattern = forms.CharField(
        label=_("Only repositories that match"),
        required=False,
        max_length=1024,
        strip=False,
        help_text=_("Empty for every repository of the other registry."),
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "none", "class": "code"}),
    )
    proxy_cache_deny_pattern = forms.CharField(
        label=_("But none that match"),
        required=False,
        max_length=1024,
        strip=False,
        help_text=_("These are never fetched, whatever the other pattern says."),
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "none", "class": "code"}),
    )

    proxy_mirror_names = forms.CharField(
        label=_("Mirror under these names"),
        required=False,
        max_length=4000,
        help_text=_(
            "Separated by commas: the other registry's name as containerd sends it (docker.io), and host names that "
            "lead to this registry for the project alone (mirror.example.com)."
        ),
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "none", "class": "code"}),
    )

    def __init__(self, *args: Any, project: Project, administers: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not administers:
            self.fields[metadata.MIRROR].disabled = True
        other = project.metadata.get("proxy_cache_freshness", "")
        if other and other not in dict(_FRESHNESS):  # set over the API
            shown = _("For %(seconds)s seconds") % {"seconds": other}
            self.fields["proxy_cache_freshness"].choices = [*_FRESHNESS, (other, shown)]  # type: ignore[attr-defined]  # of this kind of field
        for name in metadata.foreign(project) & self.fields.keys():
            del self.fields[name]

    def clean_allowlist(self) -> list[str]:
        items = self.cleaned_data["allowlist"].replace(",", "\n").split()
        wrong = [item for item in items if not is_identifier(item)]
        if wrong:
            raise forms.ValidationError(
                _("%(item)s is not the ID of a vulnerability."), params={"item": wrong[0][:100]}
            )
        return list(dict.fromkeys(items))

    @property
    def metadata(self) -> dict[str, str]:
        """The values as the service takes them; what was left empty stays as it is, except patterns."""
        found: dict[str, str] = {}
        for name in metadata.KEYS.keys() & self.fields.keys():
            value = self.cleaned_data[name]
            if isinstance(value, bool):
                found[name] = "true" if value else "false"
            elif value not in (None, "") or name in PATTERNS:
                found[name] = str(value)
        return found

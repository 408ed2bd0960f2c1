"""Forms of robot accounts of a project; the parts that are the same for those of the system are in RobotForm."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from auth.services import robots, trusts
from auth.services.users import check_password_rules
from harbor_core.lib.errors import HarborError
from portal import robot_grants

DAYS = {"30": _("30 days"), "90": _("90 days"), "365": _("One year"), "-1": _("Never"), "other": _("Other")}
OVERLAP_HOURS = {"0": _("At once"), "1": _("1 hour"), "24": _("1 day"), "72": _("3 days"), "168": _("7 days")}
_CODE = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off"}


class RobotForm(forms.Form):
    """Name, description and expiry. ``known``: the robot exists, its name cannot change."""

    name = forms.CharField(
        label=_("Name"),
        max_length=robots.NAME_MAX,
        help_text=_("Lower-case letters, digits, and . _ - between them. The prefix and the project are added."),
        error_messages={"required": _("Enter a name.")},
        widget=forms.TextInput(attrs=_CODE | {"autofocus": True}),
    )
    description = forms.CharField(
        label=_("Description"),
        required=False,
        max_length=1024,
        help_text=_("What it is for and who looks after it."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    expires = forms.ChoiceField(label=_("Expires"), choices=list(DAYS.items()), initial="30")
    days = forms.IntegerField(
        label=_("Days"),
        required=False,
        min_value=1,
        max_value=robots.DURATION_MAX,
        help_text=_("Counted from its creation; for “Other”."),
        error_messages={"invalid": _("Enter a whole number.")},
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )

    def __init__(self, *args: Any, known: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if known:
            del self.fields["name"]

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        try:
            robots.check_short_name(name)
        except HarborError as error:
            raise forms.ValidationError(
                _("A name holds lower-case letters, digits, and single . _ - between them.")
            ) from error
        return name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("expires") == "other" and not cleaned.get("days") and "days" not in self.errors:
            self.add_error("days", _("Enter the number of days."))
        return cleaned

    @property
    def duration(self) -> int:
        """Days, -1 for ever."""
        chosen = self.cleaned_data
        return int(chosen["days"] if chosen["expires"] == "other" else chosen["expires"])


def expiry_fields(duration: int) -> dict[str, Any]:
    """Initial values for a robot's duration."""
    known = str(duration) in DAYS
    return {"expires": str(duration) if known else "other", "days": None if known else duration}


class ProjectRobotForm(RobotForm):
    """With what it may do: a preset, or the boxes of a matrix."""

    preset = forms.ChoiceField(label=_("What it may do"), initial="push", widget=forms.RadioSelect)
    permissions = forms.MultipleChoiceField(
        label=_("Permissions"), required=False, error_messages={"invalid_choice": _("This cannot be granted.")}
    )

    def __init__(self, *args: Any, grantable: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.grantable = grantable
        self.presets = robot_grants.presets(grantable)
        choices = [(preset.key, preset.label) for preset in self.presets]
        self.fields["preset"].choices = [*choices, (robot_grants.CUSTOM, _("Choose one by one"))]  # type: ignore[attr-defined]  # of a field with choices
        self.fields["permissions"].choices = [(name, name) for name in grantable]  # type: ignore[attr-defined]  # of choices

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("preset") == robot_grants.CUSTOM and not cleaned.get("permissions"):
            self.add_error("preset", _("Choose at least one permission."))
        return cleaned

    @property
    def granted(self) -> frozenset[str]:
        chosen = self.cleaned_data
        for preset in self.presets:
            if preset.key == chosen["preset"]:
                return preset.permissions
        return frozenset(chosen["permissions"])

    @property
    def matrix(self) -> robot_grants.Matrix:
        """As it is filled in; a preset's own boxes while one is chosen."""
        preset = self["preset"].value()
        picked = next((item.permissions for item in self.presets if item.key == preset), None)
        return robot_grants.matrix(self.grantable, picked or self["permissions"].value() or ())


class SecretForm(forms.Form):
    """A new secret: generated, or one's own."""

    overlap = forms.TypedChoiceField(
        label=_("The old secret ends"),
        coerce=int,
        choices=list(OVERLAP_HOURS.items()),
        initial="24",
        help_text=_("Until then both work, so that clients can be moved one by one."),
    )
    secret = forms.CharField(
        label=_("Secret of your own"),
        required=False,
        strip=False,
        max_length=128,
        help_text=_("Empty for a generated one, which is better. 8 to 128 characters with an upper-case letter, a "
                    "lower-case letter and a digit."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip

    def clean_secret(self) -> str:
        secret = str(self.cleaned_data["secret"])
        if secret:
            try:
                check_password_rules(secret)
            except HarborError as error:
                raise forms.ValidationError(_("This secret is too weak.")) from error
        return secret


class OptionalJSON(forms.JSONField):
    """Empty where there is nothing, instead of ``null``."""

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else super().prepare_value(value)


class TrustForm(forms.Form):
    """Whose tokens stand for a robot."""

    name = forms.CharField(
        label=_("Name"),
        max_length=trusts.NAME_MAX,
        error_messages={"required": _("Enter a name.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    issuer = forms.CharField(
        label=_("Issuer"),
        max_length=trusts.TEXT_MAX,
        help_text=_("Exactly the claim iss of the tokens."),
        error_messages={"required": _("Enter the issuer.")},
        widget=forms.TextInput(attrs=_CODE),
    )
    audience = forms.CharField(
        label=_("Audience"),
        max_length=trusts.TEXT_MAX,
        help_text=_("Exactly the claim aud, or one of its values."),
        error_messages={"required": _("Enter the audience.")},
        widget=forms.TextInput(attrs=_CODE),
    )
    claims = forms.CharField(
        label=_("Claims"),
        help_text=_("One per line: name = pattern. * stands for any characters, ? for one; all lines must match."),
        error_messages={"required": _("Say at least whose tokens are trusted, such as sub = …")},
        widget=forms.Textarea(attrs=_CODE | {"rows": 4, "class": "code"}),
    )
    jwks_uri = forms.CharField(
        label=_("Address of the keys"),
        required=False,
        max_length=trusts.TEXT_MAX,
        help_text=_("Empty: looked up at the issuer."),
        widget=forms.TextInput(attrs=_CODE),
    )
    jwks = OptionalJSON(
        label=_("Keys (JWKS)"),
        required=False,
        help_text=_("For an issuer that cannot be reached from here, such as a cluster: its public keys."),
        error_messages={"invalid": _("This is no JSON.")},
        widget=forms.Textarea(attrs=_CODE | {"rows": 4, "class": "code"}),
    )
    ca_certificate = forms.CharField(
        label=_("CA certificate (PEM)"),
        required=False,
        help_text=_("Trusted instead of the system's authorities when keys are fetched."),
        widget=forms.Textarea(attrs=_CODE | {"rows": 4, "class": "code"}),
    )

    def clean_claims(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in self.cleaned_data["claims"].splitlines():
            name, equals, pattern = (part.strip() for part in line.partition("="))
            if not line.strip():
                continue
            if not (name and equals and pattern) or name in found:
                raise forms.ValidationError(
                    _("%(line)s is not of the form name = pattern, or is there twice."), params={"line": line[:100]}
                )
            found[name] = pattern
        return found

    def clean_jwks(self) -> dict[str, Any] | None:
        value = self.cleaned_data["jwks"]
        if not value:
            return None
        keys = value.get("keys") if isinstance(value, dict) else None
        if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
            raise forms.ValidationError(_("This holds no list of keys."))
        return {"keys": keys}

    @property
    def wanted(self) -> trusts.Wanted:
        return trusts.Wanted(**self.cleaned_data)

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from harbor_core.lib.address import http_address
from projects.services.webhooks import EVENT_TYPES, FORMATS, HEADER_MAX, NAME_MAX

EVENTS = {
    "PUSH_ARTIFACT": _("Artifact pushed"),
    "PULL_ARTIFACT": _("Artifact pulled"),
    "DELETE_ARTIFACT": _("Artifact deleted"),
    "QUOTA_EXCEED": _("Quota exceeded"),
    "QUOTA_WARNING": _("Quota nearly reached"),
    "SCANNING_FAILED": _("Scan failed"),
    "SCANNING_STOPPED": _("Scan stopped"),
    "SCANNING_COMPLETED": _("Scan finished"),
    "REPLICATION": _("Replication finished"),
    "TAG_RETENTION": _("Tag retention finished"),
}


def event_name(name: str) -> str:
    """What an event is called, also one that cannot be chosen."""
    return str(_("Ping")) if name == "PING" else str(EVENTS.get(name, name))


_FORMAT_WORDS = {"Default": _("Default (JSON)"), "CloudEvents": _("CloudEvents")}


class WebhookForm(forms.Form):
    """A policy with one target, as the portal makes them. ``has_header``: one is stored, and stays unless a new one is
    typed or its removal is asked for."""

    name = forms.CharField(
        label=_("Name"),
        max_length=NAME_MAX,
        error_messages={"required": _("Enter a name.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    description = forms.CharField(
        label=_("Description"), required=False, max_length=1024, widget=forms.Textarea(attrs={"rows": 2})
    )
    event_types = forms.MultipleChoiceField(
        label=_("Events"),
        choices=[(name, EVENTS[name]) for name in EVENT_TYPES],
        error_messages={"required": _("Choose at least one event.")},
        widget=forms.CheckboxSelectMultiple,
    )
    type = forms.ChoiceField(
        label=_("Kind of target"), choices=[("http", _("HTTP endpoint")), ("slack", _("Slack channel"))], initial="http"
    )
    address = forms.CharField(
        label=_("Address"),
        max_length=2048,
        help_text=_("Where events are posted, such as https://ci.example.com/hooks/registry."),
        error_messages={"required": _("Enter an address.")},
        widget=forms.URLInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    payload_format = forms.ChoiceField(
        label=_("Payload format"),
        choices=[(name, _FORMAT_WORDS[name]) for name in sorted(FORMATS["http"], reverse=True)],
        initial="Default",
        required=False,
        help_text=_("For HTTP endpoints; Slack messages have a form of their own."),
    )
    auth_header = forms.CharField(
        label=_("Authorization header"),
        required=False,
        max_length=HEADER_MAX,
        help_text=_("Sent with every request, such as Bearer … It is stored encrypted and not shown again."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"}, render_value=True),
    )
    drop_header = forms.BooleanField(label=_("Remove the stored header"), required=False)
    verify = forms.BooleanField(
        label=_("Verify the certificate"),
        required=False,
        initial=True,
        help_text=_("Turn this off only for an endpoint whose certificate nobody signed."),
    )

    def __init__(self, *args: Any, has_header: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if has_header:
            self.fields["auth_header"].help_text = _(
                "One is stored and goes on being sent; type another to replace it."
            )
        else:
            del self.fields["drop_header"]

    def clean_address(self) -> str:
        try:
            return http_address(self.cleaned_data["address"].strip(), query=True)
        except ValueError as error:
            raise forms.ValidationError(_("This is no address of http or https.")) from error

    def clean_auth_header(self) -> str:
        header = str(self.cleaned_data["auth_header"])
        if header and not (header.isprintable() and header.isascii()):
            raise forms.ValidationError(_("A header is one line of ASCII characters."))
        return header

    def values(self, *, enabled: bool, kept_header: str, others: list[dict[str, Any]]) -> dict[str, Any]:
        """As the service takes them. ``others`` are further targets that only clients of the API make."""
        chosen = self.cleaned_data
        kept = "" if chosen.get("drop_header") else kept_header
        target = {
            "type": chosen["type"],
            "address": chosen["address"],
            "auth_header": chosen["auth_header"] or kept,
            "skip_cert_verify": not chosen["verify"],
            "payload_format": (chosen["payload_format"] or "Default") if chosen["type"] == "http" else "",
        }
        return {
            "name": chosen["name"],
            "description": chosen["description"],
            "enabled": enabled,
            "event_types": chosen["event_types"],
            "targets": [target, *others],
        }

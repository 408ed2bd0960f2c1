"""Form of a remote registry."""

from collections.abc import Collection
from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from harbor_core.lib.address import http_address
from replication.models import Registry
from replication.secrets import MASK
from replication.selectors.registries import kinds
from replication.services.registries import CERTIFICATE_MAX, NAME_MAX, SECRET_MAX, URL_MAX

NAMES = {kind: found.title for kind, found in kinds().items()}
_CODE = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off"}


class AddressInput(forms.TextInput):
    """Offers the addresses that ``offered`` kinds of registries are known to have; others can be typed."""

    offered: Collection[str] = ()

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        known = kinds()
        rows = [
            (address, f"{NAMES[kind]}: {key}")
            for kind in self.offered
            if kind in known
            for key, address in known[kind].endpoints.items()
        ]
        list_id = f"{name}-offered"
        field = super().render(name, value, {**(attrs or {}), "list": list_id}, renderer)
        options = format_html_join("", '<option value="{}" label="{}"></option>', rows)
        return format_html('{}<datalist id="{}">{}</datalist>', field, list_id, options)


class RegistryForm(forms.Form):
    """``row``: the registry exists; its type stays, and an empty secret means the one that is stored."""

    type = forms.ChoiceField(label=_("Type"))
    name = forms.CharField(
        label=_("Name"),
        max_length=NAME_MAX,
        error_messages={"required": _("Enter a name.")},
        widget=forms.TextInput(attrs=_CODE),
    )
    description = forms.CharField(label=_("Description"), required=False, widget=forms.Textarea(attrs={"rows": 2}))
    url = forms.CharField(
        label=_("Address"),
        max_length=URL_MAX,
        help_text=_("Such as https://registry.example.com."),
        error_messages={"required": _("Enter the address.")},
        widget=AddressInput(attrs=_CODE | {"inputmode": "url"}),
    )
    access_key = forms.CharField(
        label=_("Access ID"),
        required=False,
        max_length=SECRET_MAX,
        help_text=_("User name; empty to sign in as nobody."),
        widget=forms.TextInput(attrs=_CODE),
    )
    access_secret = forms.CharField(
        label=_("Access secret"),
        required=False,
        strip=False,
        max_length=SECRET_MAX,
        help_text=_("Password or token. It is stored encrypted and never shown again."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}, render_value=True),
    )
    verify = forms.BooleanField(
        label=_("Verify the certificate"),
        required=False,
        initial=True,
        help_text=_("Switch this off for tests only: whoever stands between could read the secret."),
    )
    ca_certificate = forms.CharField(
        label=_("CA certificate (PEM)"),
        required=False,
        max_length=CERTIFICATE_MAX,
        help_text=_("For a registry whose certificate no public authority signed."),
        widget=forms.Textarea(attrs=_CODE | {"rows": 4, "class": "code"}),
    )

    def __init__(self, *args: Any, row: Registry | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row = row
        self.fields["url"].widget.offered = [row.type] if row is not None else list(NAMES)
        if row is not None:
            del self.fields["type"]
        else:
            self.fields["type"].choices = list(NAMES.items())  # type: ignore[attr-defined]  # of a field with choices
        if row is not None and row.access_secret:
            self.fields["access_secret"].help_text = _("A secret is stored. Empty keeps it; it is never shown.")

    def clean_url(self) -> str:
        try:
            return http_address(self.cleaned_data["url"])
        except ValueError as error:
            raise forms.ValidationError(_("This is no address of the form https://host:port.")) from error

    @property
    def values(self) -> dict[str, Any]:
        """For replication.services.registries."""
        chosen = self.cleaned_data
        names = ("name", "description", "url", "access_key", "access_secret", "ca_certificate")
        found = {name: chosen[name] for name in names}
        known = kinds().get(self.row.type if self.row else chosen["type"])
        if chosen["access_secret"] and not chosen["access_key"] and known is not None:
            found["access_key"] = known.credentials.access_key
        if self.row is not None and self.row.access_secret and chosen["access_key"] and not chosen["access_secret"]:
            found["access_secret"] = MASK
        kind = (self.row.credential_type if self.row else "") or "basic"
        credential = kind if chosen["access_key"] or chosen["access_secret"] else ""
        return found | {"insecure": not chosen["verify"], "credential_type": credential}

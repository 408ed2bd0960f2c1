"""Form of a remote registry."""

from collections.abc import Collection
from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from harbor_core.lib.address import http_address
from harbor_core.lib.errors import HarborError
from portal.forms.folding import Folding
from replication import secrets
from replication.models import Registry
from replication.secrets import MASK
from replication.selectors.registries import kinds
from replication.services.registries import (
    CERTIFICATE_MAX,
    MORE_MAX,
    NAME_MAX,
    SECRET_MAX,
    SPEED_MAX,
    TIMEOUT_MAX,
    URL_MAX,
)

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


class RegistryForm(Folding):
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

    proxy = forms.CharField(
        label=_("Proxy"),
        required=False,
        max_length=secrets.PROXY_MAX,
        help_text=_("Such as http://user:password@proxy.example.com:3128. The password is stored encrypted."),
        widget=forms.TextInput(attrs=_CODE | {"inputmode": "url"}),
    )
    client_certificate = forms.CharField(
        label=_("Client certificate (PEM)"),
        required=False,
        max_length=CERTIFICATE_MAX,
        help_text=_("For a registry that asks who connects."),
        widget=forms.Textarea(attrs=_CODE | {"rows": 4, "class": "code"}),
    )
    client_key = forms.CharField(
        label=_("Its private key (PEM)"),
        required=False,
        max_length=CERTIFICATE_MAX,
        help_text=_("Without a password. It is stored encrypted and never shown again."),
        widget=forms.Textarea(attrs=_CODE | {"rows": 4, "class": "code"}),
    )
    timeout = forms.IntegerField(
        label=_("Seconds a call may wait"),
        required=False,
        min_value=1,
        max_value=TIMEOUT_MAX,
        help_text=_("Empty for what is usual."),
    )
    speed = forms.IntegerField(
        label=_("At most, in KB per second"),
        required=False,
        min_value=1,
        max_value=SPEED_MAX,
        help_text=_("For all rules together, in each worker process; empty for no limit."),
    )
    more_credentials = forms.CharField(
        label=_("Further credentials"),
        required=False,
        max_length=MORE_MAX * SECRET_MAX,
        help_text=_("One in a line, access ID:secret. They are used in turn when the registry limits one."),
        widget=forms.Textarea(attrs=_CODE | {"rows": 3, "class": "code"}),
    )
    forget_more = forms.BooleanField(label=_("Forget the further credentials"), required=False)

    FOLDED = ("proxy", "client_certificate", "client_key", "timeout", "speed", "more_credentials", "forget_more")

    def __init__(self, *args: Any, row: Registry | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row = row
        self.fields["url"].widget.offered = [row.type] if row is not None else list(NAMES)
        if row is not None:
            del self.fields["type"]
        else:
            self.fields["type"].choices = list(NAMES.items())  # type: ignore[attr-defined]  # of a field with choices
        self._say_what_is_stored()

    def _say_what_is_stored(self) -> None:
        row = self.row
        more = len(row.more_credentials or []) if row is not None else 0
        if more:
            told = _("%(number)d are stored. Empty keeps them; they are never shown.") % {"number": more}
            self.fields["more_credentials"].help_text = told
        else:
            del self.fields["forget_more"]
        if row is not None and row.client_key:
            self.fields["client_key"].help_text = _("A key is stored. Empty keeps it; it is never shown.")
        if row is not None and row.access_secret:
            self.fields["access_secret"].help_text = _("A secret is stored. Empty keeps it; it is never shown.")

    def clean_more_credentials(self) -> list[tuple[str, str]]:
        lines = [line.strip() for line in self.cleaned_data["more_credentials"].splitlines()]
        pairs = [line.partition(":") for line in lines if line]
        if any(not secret for _key, _colon, secret in pairs):
            raise forms.ValidationError(_("Each line is an access ID, a colon and a secret."))
        return [(key, secret) for key, _colon, secret in pairs]

    def clean_proxy(self) -> str:
        proxy = str(self.cleaned_data["proxy"])
        try:
            secrets.check_proxy(proxy)
        except HarborError as error:
            raise forms.ValidationError(_("This is no address of the form http://user:password@host:port.")) from error
        return proxy

    def clean_url(self) -> str:
        try:
            return http_address(self.cleaned_data["url"])
        except ValueError as error:
            raise forms.ValidationError(_("This is no address of the form https://host:port.")) from error

    @property
    def values(self) -> dict[str, Any]:
        """For replication.services.registries."""
        chosen = self.cleaned_data
        names = (
            "name", "description", "url", "access_key", "access_secret", "ca_certificate", "client_certificate",
            "client_key", "proxy",
        )  # fmt: skip
        found = {name: chosen[name] for name in names}
        known = kinds().get(self.row.type if self.row else chosen["type"])
        if chosen["access_secret"] and not chosen["access_key"] and known is not None:
            found["access_key"] = known.credentials.access_key
        if self.row is not None and self.row.access_secret and chosen["access_key"] and not chosen["access_secret"]:
            found["access_secret"] = MASK
        if self.row is not None and self.row.client_key and chosen["client_certificate"] and not chosen["client_key"]:
            found["client_key"] = MASK
        found |= {"timeout": chosen["timeout"] or 0, "speed": chosen["speed"] or 0}
        keeps = self.row is not None and not chosen["more_credentials"] and not chosen.get("forget_more")
        found["more_credentials"] = None if keeps else chosen["more_credentials"]
        kind = (self.row.credential_type if self.row else "") or "basic"
        credential = kind if chosen["access_key"] or chosen["access_secret"] else ""
        return found | {"insecure": not chosen["verify"], "credential_type": credential}

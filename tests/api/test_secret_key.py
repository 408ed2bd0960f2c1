"""Changing HARBOR_SECRET_KEY without losing what is stored under it."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from harbor_core.lib import crypto
from harbor_core.models import SystemConfig
from harbor_core.services import config
from projects.models import WebhookPolicy
from replication.models import Registry
from tests.cast import World, configure

NEW = "a new key that is at least as long as it must be"


def _store(world: World) -> None:
    configure(oidc_client_secret="of-oidc", ldap_search_password="")
    Registry.objects.create(
        name="hub", type="harbor", url="https://hub.example", access_secret=crypto.encrypt("of-hub")
    )
    Registry.objects.create(name="open", type="harbor", url="https://open.example")
    targets = [
        {"address": "https://a.example", "auth_header": crypto.encrypt("of-hook")},
        {"address": "https://b.example"},
    ]
    WebhookPolicy.objects.create(project=world.project, name="hook", creator="admin", targets=targets)


def test_new_key(world: World, settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    _store(world)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], NEW
    call_command("reencrypt_secrets")
    assert capsys.readouterr().out == "encrypted 3 secrets\n"
    settings.SECRET_KEY_FALLBACKS = []
    config.forget()
    assert config.config_get("oidc_client_secret") == "of-oidc"
    assert config.config_get("ldap_search_password") == ""
    assert crypto.decrypt(Registry.objects.get(name="hub").access_secret) == "of-hub"
    with_header, without = WebhookPolicy.objects.get(name="hook").targets
    assert crypto.decrypt(with_header["auth_header"]) == "of-hook"
    assert "auth_header" not in without


def test_all_or_nothing(world: World, settings: Any) -> None:
    _store(world)
    before = SystemConfig.objects.get(pk="oidc_client_secret").value
    Registry.objects.filter(name="hub").update(access_secret="under a key nobody has")
    with pytest.raises(CommandError, match="nothing was changed"):
        call_command("reencrypt_secrets")
    assert SystemConfig.objects.get(pk="oidc_client_secret").value == before

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from harbor_core.lib import crypto
from harbor_core.lib.config_keys import SECRETS
from harbor_core.models import SystemConfig
from projects.models import WebhookPolicy
from replication.models import Registry


class Command(BaseCommand):
    help = (
        "Encrypt every stored secret with the current HARBOR_SECRET_KEY. Afterwards the keys of "
        "HARBOR_SECRET_KEY_FALLBACKS are not needed to read them any more."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with transaction.atomic():
                count = _settings() + _registries() + _webhooks()
        except crypto.UndecryptableError as exc:
            raise CommandError(f"nothing was changed: {exc}") from exc
        self.stdout.write(f"encrypted {count} secrets")


def _settings() -> int:
    rows = list(SystemConfig.objects.select_for_update().filter(key__in=SECRETS).exclude(value=""))
    for row in rows:
        row.value = crypto.rotate(row.value)
        row.save(update_fields=["value"])
    return len(rows)


def _registries() -> int:
    count, names = 0, ("access_secret", "client_key", "proxy_password")
    for row in Registry.objects.select_for_update():
        held = [name for name in names if getattr(row, name)]
        for name in held:
            setattr(row, name, crypto.rotate(getattr(row, name)))
        if row.more_credentials:
            row.more_credentials = [[key, crypto.rotate(secret)] for key, secret in row.more_credentials]
        row.save(update_fields=[*held, "more_credentials"])
        count += len(held) + len(row.more_credentials or [])
    return count


def _webhooks() -> int:
    count = 0
    for policy in WebhookPolicy.objects.select_for_update():
        targets = [target for target in policy.targets if target.get("auth_header")]
        for target in targets:
            target["auth_header"] = crypto.rotate(target["auth_header"])
        if policy.secret:
            policy.secret = crypto.rotate(policy.secret)
        if targets or policy.secret:
            policy.save(update_fields=["targets", "secret"])
        count += len(targets) + bool(policy.secret)
    return count

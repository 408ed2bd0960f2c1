"""``manage.py config_export``: the configuration of the whole system as one YAML document."""

from typing import Any

import yaml
from django.core.management.base import BaseCommand

from harbor_core.services import declared


class Command(BaseCommand):
    help = "Write the configuration of the whole system as YAML, without secrets (docs/declared.md)."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(yaml.safe_dump(declared.export(), sort_keys=False, allow_unicode=True).rstrip("\n"))

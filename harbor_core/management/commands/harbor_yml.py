"""``manage.py harbor_yml < harbor.yml``: the environment of the compose file from Harbor's configuration file."""

import sys
from argparse import ArgumentParser
from typing import Any

import yaml
from django.core.management.base import BaseCommand, CommandError

from harbor_core.lib.harbor_yml import HarborYmlError, lines, translate


class Command(BaseCommand):
    help = "Read harbor.yml from standard input and write docker/.env (with --storage docker/storage.env)."
    requires_system_checks: list[str] = []  # there is no installation yet

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--storage", action="store_true", help="write storage.env instead")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = translate(yaml.safe_load(sys.stdin.read()))
            text = lines(found.storage if options["storage"] else found.settings)
        except yaml.YAMLError as exc:
            raise CommandError(f"harbor.yml is not YAML: {exc}") from exc
        except HarborYmlError as exc:
            raise CommandError(f"harbor.yml: {exc}") from exc
        self.stdout.write(text, ending="")
        if options["storage"]:
            return
        for note in found.notes:
            self.stderr.write(f"harbor.yml: {note}")
        files = " ".join(f"-f docker/{name}" for name in ("compose.yaml", *found.files))
        self.stderr.write(f"start it with: docker compose --project-directory docker {files} up -d")

"""``manage.py backup <folder>``: database, content and keys, while the registry goes on."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from harbor_core.lib.dump import DumpError
from projects.services import backup


class Command(BaseCommand):
    help = "Write a backup into a folder, while the registry goes on. Content that the folder has is not copied again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="where backups are, outside of the registry's own storage")
        parser.add_argument("--without-content", action="store_true", help="blobs are kept by the object storage")
        parser.add_argument("--without-secrets", action="store_true", help="keys are kept elsewhere")
        parser.add_argument("--keep", type=int, default=0, help="remove all but so many backups (default: none)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = backup.create(
                options["folder"],
                self.stdout.write,
                content=not options["without_content"],
                secrets=not options["without_secrets"],
                keep=max(0, options["keep"]),
            )
        except (DumpError, OSError) as exc:
            raise CommandError(f"no backup was made: {exc}") from exc
        self.stdout.write(f"backup {made.name}")

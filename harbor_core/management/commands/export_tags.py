"""``manage.py export_tags``: the journal of tags, for a rebuild without database, or links for a bare registry:2."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from projects.services import tag_journal


class Command(BaseCommand):
    help = "Write which tag points to which manifest into storage (what the clock does every hour), or into a file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--output", type=Path, help="a file (.jsonl.gz) instead of storage")
        parser.add_argument("--links", action="store_true", help="also link tags the way a bare registry:2 reads them")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["output"]:
                data = tag_journal.encoded(tag_journal.lines())
                options["output"].write_bytes(data)
                self.stdout.write(f"{options['output']}: {len(data)} bytes")
            else:
                self.stdout.write(f"{tag_journal.PATH} in storage: {tag_journal.keep()} bytes")
            if options["links"]:
                linked, removed = tag_journal.write_links()
                self.stdout.write(f"{linked} tags linked, links of {removed} removed")
        except OSError as exc:
            raise CommandError(f"it cannot be written: {exc}") from exc

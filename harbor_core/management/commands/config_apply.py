"""``manage.py config_apply <file>``: bring about what a YAML document states, or tell what that would change."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import BaseCommand, CommandError

from auth.actor import system_actor
from harbor_core.lib.errors import HarborError
from harbor_core.services import declared


class Command(BaseCommand):
    help = "Bring about what a YAML document states (docs/declared.md): all of it, or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the document, - for standard input")
        parser.add_argument("--dry-run", action="store_true", help="only tell what would change")
        parser.add_argument("--drift", action="store_true", help="as --dry-run, and fail when anything would")

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run = options["dry_run"] or options["drift"]
        try:
            text = sys.stdin.read() if options["file"] == "-" else Path(options["file"]).read_text(encoding="utf-8")
            changes = declared.apply(system_actor("config_apply"), yaml.safe_load(text), dry_run=dry_run)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
            raise CommandError(f"{options['file']} cannot be read: {exc}") from exc
        except HarborError as error:
            raise CommandError(f"nothing was changed: {error.message}") from error
        for change in changes:
            self.stdout.write(f"{change.where}: {_told(change.before)} -> {_told(change.after)}")
        self.stdout.write(f"{len(changes)} {'differences' if dry_run else 'changes'}")
        if options["drift"] and changes:
            raise CommandError("the system is not what the document states")


def _told(value: Any) -> str:
    if value is None:
        return "(nothing)"
    return (
        yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000).removesuffix("...\n").strip()
    )

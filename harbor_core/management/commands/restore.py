"""``manage.py restore <folder>``: back from a backup, or with ``--verify`` the proof that it could be done."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from harbor_core.lib.dump import DumpError
from projects.services import backup, restoring


class Command(BaseCommand):
    help = "Restore the newest backup of a folder, or the one at the path. Core, workers and beat must not run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="the folder of backups, or one backup in it")
        parser.add_argument(
            "--verify",
            action="store_true",
            help="restore nothing: read every file, compare every digest, load every row into temporary tables",
        )
        parser.add_argument("--replace", action="store_true", help="although this registry has content that would go")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = backup.choose(options["folder"])
            self.stdout.write(f"backup {found.name} of {found.made}, release {found.version}")
            if options["verify"]:
                seen = restoring.verify(found)
                self.stdout.write(f"good: {seen.rows} rows, {seen.blobs} blobs, {seen.bytes} bytes")
            else:
                restoring.restore(found, self.stdout.write, replace=options["replace"])
                self.stdout.write("restored; `manage.py verify` compares database and storage")
        except (DumpError, OSError) as exc:
            raise CommandError(str(exc)) from exc

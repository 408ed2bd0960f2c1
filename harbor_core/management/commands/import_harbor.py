"""``manage.py import_harbor <url>``: take over what a running Harbor has (docs/migrating.md)."""

import getpass
import json
import os
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from auth.actor import system_actor
from harbor_core.lib.errors import HarborError
from harbor_core.services import import_source
from harbor_core.services.import_apply import REFUSED, SAME, Import, Outcome, add_content, start_content
from replication.adapters.base import Endpoint, UnhealthyError
from replication.adapters.harbor import Harbor
from replication.services.registries import checked_url


class Command(BaseCommand):
    help = "Take over what a running Harbor has: projects, accounts, robots, rules, settings, and its content."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("url", help="of the other side, such as https://harbor.example")
        parser.add_argument("--user", default="admin", help="an administrator there (admin)")
        parser.add_argument(
            "--password-file", metavar="FILE", help="its password, - for standard input; else it is asked for"
        )
        parser.add_argument("--insecure", action="store_true", help="do not check the certificate of the other side")
        parser.add_argument("--ca", metavar="FILE", help="PEM: trust these authorities")
        parser.add_argument("--dry-run", action="store_true", help="only tell what would become of what")
        parser.add_argument("--overwrite", action="store_true", help="where both sides differ, the other one counts")
        parser.add_argument(
            "--robot-secrets", metavar="FILE", help="write new secrets of robots there; else they are disabled"
        )
        parser.add_argument("--content", action="store_true", help="make replication policies that copy the content")
        parser.add_argument("--start", action="store_true", help="as --content, and start them")
        parser.add_argument("--report", metavar="FILE", help="write what was done as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run, start = options["dry_run"], options["start"]
        actor = system_actor("import_harbor")
        try:
            source = import_source.read(self._harbor(options), lambda what: self.stdout.write(f"reading  {what}"))
        except (UnhealthyError, HarborError) as error:
            raise CommandError(f"nothing was changed: {error}") from error
        if options["content"] or start:
            add_content(source)
        keep = _Secrets(Path(options["robot_secrets"])) if options["robot_secrets"] and not dry_run else None
        work = Import(actor, source, overwrite=options["overwrite"], keep_secret=keep)
        found = list(self._printed(work.run(dry_run=dry_run)))
        if start and not dry_run:
            found += self._printed(start_content(actor, source))
        counts = Counter(outcome.state for outcome in found)
        self.stdout.write(", ".join(f"{number} {state}" for state, number in sorted(counts.items())) or "nothing there")
        if options["report"]:
            _write_report(options["report"], source, dry_run, found, counts)
        if counts[REFUSED]:
            raise CommandError(f"{counts[REFUSED]} could not be taken over")

    def _printed(self, outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
        """As they come; what is the same is only counted."""
        for outcome in outcomes:
            if outcome.state != SAME:
                self.stdout.write(f"{outcome.state:8} {outcome.where}{f': {outcome.why}' if outcome.why else ''}")
            yield outcome

    def _harbor(self, options: dict[str, Any]) -> Harbor:
        """Raises HarborError for what is no address."""
        try:
            given = options["password_file"]
            if given:
                password = (sys.stdin.read() if given == "-" else Path(given).read_text(encoding="utf-8")).rstrip(
                    "\r\n"
                )
            else:
                password = getpass.getpass(f"Password of {options['user']} there: ")
            authorities = Path(options["ca"]).read_text(encoding="ascii") if options["ca"] else ""
        except (OSError, UnicodeDecodeError, EOFError) as exc:
            raise CommandError(f"the password or the authorities cannot be read: {exc}") from exc
        url = checked_url(options["url"])
        return Harbor(Endpoint(url, options["user"], password, options["insecure"], authorities))


class _Secrets:
    """A file only its owner reads. A secret is on disk before its robot is made, so that none is lost."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            os.fchmod(self._file, 0o600)
        except OSError as exc:
            raise CommandError(f"{path} cannot be written: {exc.strerror}") from exc

    def __call__(self, name: str, secret: str) -> None:
        os.write(self._file, f"{name}: {secret}\n".encode())
        os.fsync(self._file)


def _write_report(
    path: str, source: import_source.Source, dry_run: bool, found: list[Outcome], counts: Counter[str]
) -> None:
    report = {
        "source": source.harbor.endpoint.url,
        "version": source.version,
        "dry_run": dry_run,
        "counts": dict(sorted(counts.items())),
        "outcomes": [asdict(outcome) for outcome in found],
    }
    try:
        Path(path).write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as exc:
        raise CommandError(f"the report cannot be written: {exc}") from exc

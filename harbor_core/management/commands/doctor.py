"""``manage.py doctor``: what is wrong with this installation, and what to do about it."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from harbor_core.services.doctor import ERROR, OK, examine


class Command(BaseCommand):
    help = (
        "Look at storage, database, Redis, registry, clocks, addresses, certificates, keys and jobs. Fails on an error."
    )
    requires_system_checks: list[str] = []  # it runs them itself

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="a list of findings")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = []
        for found in examine():
            findings.append(found)
            if not options["json"]:
                hint = f" -> {found.hint}" if found.hint and found.level != OK else ""
                self.stdout.write(f"{found.level:7} {found.check}: {found.message}{hint}")
        if options["json"]:
            self.stdout.write(json.dumps([asdict(found) for found in findings], indent=1))
        if errors := sum(found.level == ERROR for found in findings):
            raise CommandError(f"{errors} errors")

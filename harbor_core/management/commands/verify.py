"""``manage.py verify``: does storage hold what the database promises, and the other way round?"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from projects.services.verify import verify


class Command(BaseCommand):
    help = "Compare database and storage both ways. Changes nothing; fails when an invariant is broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--deep", action="store_true", help="also read every blob and compare its digest")
        parser.add_argument("--quiet-leftovers", action="store_true", help="count leftovers instead of listing them")

    def handle(self, *args: Any, **options: Any) -> None:
        violations = leftovers = 0
        for finding in verify(deep=options["deep"]):
            violations += finding.violation
            leftovers += not finding.violation
            if finding.violation or not options["quiet_leftovers"]:
                kind = "VIOLATION" if finding.violation else "leftover"
                self.stdout.write(f"{kind} {finding.subject}: {finding.message}")
        self.stdout.write(f"{violations} violations, {leftovers} leftovers")
        if violations:
            raise CommandError(f"{violations} invariants are broken")

"""``manage.py check_upgrade``: with the new release against the running database, before the upgrade."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from harbor_core.services.upgrade import STOP, check


class Command(BaseCommand):
    help = "What an upgrade to this release does to the database: what is applied, and whether the old release goes on."

    def handle(self, *args: Any, **options: Any) -> None:
        stops = 0
        try:
            for found in check():
                stops += found.level == STOP
                self.stdout.write(f"{found.level:5} {found.message}")
        except DatabaseError as exc:
            raise CommandError(f"the database does not answer: {exc}") from exc
        if stops:
            raise CommandError(f"{stops} reasons not to upgrade like this")

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from auth.bearer import LEEWAY_SECONDS
from auth.keys import RELOAD_SECONDS, create_token_key, prune_token_keys
from harbor_core.services.config import token_seconds


class Command(BaseCommand):
    help = "Start signing registry tokens with a new key. Tokens of older keys stay valid until those are pruned."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--prune", action="store_true", help="also remove keys whose last token has expired by now")

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"created {create_token_key(settings.KEY_DIR).name}")
        if options["prune"]:
            # A running process signs with the old key until it notices the new one, and an open upload goes on with
            # its token, expired or not, until its grant ends: the signature must stay verifiable that long.
            longest = timedelta(
                hours=settings.UPLOAD_GRANT_HOURS,
                seconds=token_seconds() + LEEWAY_SECONDS + RELOAD_SECONDS,
            )
            for path in prune_token_keys(settings.KEY_DIR, datetime.now(UTC) - longest):
                self.stdout.write(f"removed {path.name}")

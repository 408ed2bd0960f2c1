import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from auth.services import users
from harbor_core.lib.errors import HarborError


class Command(BaseCommand):
    help = "Give the account admin a new password and its rights back, and print the password."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--password", help="the new password; one is made up when it is left out")

    def handle(self, *args: Any, **options: Any) -> None:
        password = options["password"] or f"Aa1-{secrets.token_urlsafe(18)}"
        try:
            name = users.reset_admin(password)
        except HarborError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"user name: {name}\npassword: {password}")

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from projects.services.seed import seed


class Command(BaseCommand):
    help = "Create the first accounts and the project library where they are missing. Safe to run at every start."

    def handle(self, *args: Any, **options: Any) -> None:
        created = seed(settings.ADMIN_PASSWORD)
        for what in created:
            self.stdout.write(f"created {what}")
        if "user admin" in created and settings.ADMIN_PASSWORD_IS_DEFAULT:
            self.stderr.write(
                "The password of admin is the documented default. Change it after signing in, "
                "or set HARBOR_ADMIN_PASSWORD before the first start."
            )

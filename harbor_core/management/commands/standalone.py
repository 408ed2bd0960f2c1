"""``manage.py standalone``: run the whole registry on this machine in the foreground (same as ``make run``)."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Run every process of the registry on this machine under one supervisor, until Ctrl-C."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        # The supervisor needs no Django: as a program of its own it stays small and reports wrong settings itself.
        os.execv(sys.executable, [sys.executable, "-m", "harbor_core.standalone"])

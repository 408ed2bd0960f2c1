"""What happens once per start, in one Django process before anything serves: keys, checks, migrations, first rows,
static files, translations. Run by the supervisor as ``python -m harbor_core.standalone.prepare``."""

import io
import os
import subprocess
import sys
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured

from harbor_core.standalone.process import say


def main() -> int:
    """0, or 2 after one sentence about what has to be changed."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "harbor_core.settings")
    try:
        django.setup()
    except ImproperlyConfigured as exc:
        return _refuse(str(exc))
    from django.conf import settings
    from django.core.management import call_command
    from django.core.management.base import CommandError, SystemCheckError
    from django.db import connection
    from django.db.utils import OperationalError

    from auth.keys import ensure_internal_key, ensure_token_key

    ensure_token_key(settings.KEY_DIR)
    ensure_internal_key(settings.KEY_DIR)
    try:
        call_command("check", fail_level="ERROR", stdout=io.StringIO())  # only what is wrong is worth a line
    except SystemCheckError as exc:
        return _refuse(str(exc))
    try:
        connection.ensure_connection()
    except OperationalError as exc:
        return _refuse(f"HARBOR_DATABASE_URL: the database cannot be reached: {str(exc).strip()}")
    try:
        call_command("migrate", interactive=False, verbosity=0)
        told = io.StringIO()
        call_command("bootstrap", stdout=told)
    except CommandError as exc:
        return _refuse(str(exc))
    for line in told.getvalue().splitlines():
        say(line)
    call_command("collectstatic", interactive=False, verbosity=0, clear=False)
    _compile_translations([Path(folder) for folder in settings.LOCALE_PATHS])
    return 0


def _compile_translations(folders: list[Path]) -> None:
    """Bring the .mo files up to date with their .po files; a read-only tree keeps those it came with."""
    for source in (file for folder in folders for file in folder.glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        done = subprocess.run(
            ["msgfmt", "--check-format", "-o", str(target), str(source)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.stderr.write(f"translations of {source} are not compiled: {done.stderr.strip()}\n")


def _refuse(sentence: str) -> int:
    sys.stderr.write(f"harbor: {sentence}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())

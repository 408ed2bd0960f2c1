"""``manage.py rebuild_from_storage``: projects, repositories, artifacts and tags from storage alone."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from projects.services import rebuild
from projects.services.tag_journal import JournalError


class Command(BaseCommand):
    help = (
        "Record what is in storage and not in the database: for a database that was lost without a backup, and for the "
        "volume of a plain registry:2. Run migrate and bootstrap first; core may run, pushes should not."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = rebuild.rebuild(self.stdout.write)
        except (OSError, JournalError) as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(
            f"recorded: {result.projects} projects, {result.manifests} manifests, {result.tags} tags, "
            f"{result.links} links, {result.blobs} blobs that nothing names"
        )
        for line in result.refused:
            self.stderr.write(f"not restored: {line}")
        self.stdout.write("storage does not know, so these were not restored: " + "; ".join(rebuild.NOT_IN_STORAGE))
        if result.refused:
            raise CommandError(f"{len(result.refused)} things could not be restored")

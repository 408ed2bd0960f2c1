"""Vulnerabilities that do not count: one list of the system, one of each project (contract 1.13)."""

import re
from collections.abc import Sequence

from django.db import transaction

from auth.actor import Actor
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from projects.models import CVEAllowlist, Project

# Not only CVE numbers: scanners report GHSA, RHSA and other identifiers too.
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
MAX_ITEMS = 10_000
INT64 = 2**63 - 1


def is_identifier(text: str) -> bool:
    return _IDENTIFIER.fullmatch(text) is not None


def get(project_id: int | None) -> CVEAllowlist:
    """The list of a project, or of the system for None; an empty one where none was written yet."""
    lists = CVEAllowlist.objects.all()
    found = (lists.filter(project=None) if project_id is None else lists.filter(project_id=project_id)).first()
    return found or CVEAllowlist(project_id=project_id, items=[])


def set(actor: Actor, project: Project | None, items: Sequence[str], expires_at: int | None) -> None:
    """Replace the list. ``items`` are identifiers such as CVE-2019-10164; ``expires_at`` in epoch seconds, None: never.

    Raises BAD_REQUEST for an identifier that is empty, malformed or there twice.
    """
    _check(items, expires_at)
    with transaction.atomic():
        CVEAllowlist.objects.update_or_create(
            project=project, defaults={"items": list(items), "expires_at": expires_at}
        )
        name, project_id = (project.name, project.pk) if project else ("system", None)
        description = f"update CVE allowlist of {name}: {len(items)} entries"
        audit.record(actor, "update", "cve-allowlist", name, project_id=project_id, description=description)


def _check(items: Sequence[str], expires_at: int | None) -> None:
    if len(items) > MAX_ITEMS:
        raise HarborError("BAD_REQUEST", f"an allowlist holds at most {MAX_ITEMS} entries")
    seen: dict[str, None] = {}
    for item in items:
        if not is_identifier(item):
            raise HarborError("BAD_REQUEST", f"{item[:100]!r} is not the identifier of a vulnerability")
        if item in seen:
            raise HarborError("BAD_REQUEST", f"{item} is listed twice")
        seen[item] = None
    if expires_at is not None and not 0 <= expires_at <= INT64:
        raise HarborError("BAD_REQUEST", "expires_at must be a time in seconds since 1970")

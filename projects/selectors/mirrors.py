"""Under which names proxy projects stand in for other registries."""

from harbor_core.lib.ttl import TTLCache
from projects.models import MirrorName

KEPT_SECONDS = 5.0  # a change counts in every process after that
_table: TTLCache[dict[str, str]] = TTLCache(1)


def project_of(name: str) -> str:
    """The project's name, empty when nothing is bound to the name. At most KEPT_SECONDS old."""
    found = _table.get("all")
    if found is None:
        rows = MirrorName.objects.filter(project__deleted=False).values_list("name", "project__name")
        found = dict(rows)
        _table.put("all", found, KEPT_SECONDS)
    return found.get(name, "")

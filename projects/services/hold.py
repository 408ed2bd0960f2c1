"""Keep a project as it is while something is being put into it or taken out."""

from django.db import connection

from harbor_core.lib import sql
from harbor_core.lib.errors import HarborError

_HOLD = "SELECT 1 FROM harbor_projects_project WHERE id = %s AND NOT deleted"


def hold_project(project_id: int) -> None:
    """Until the transaction ends. Others may hold it too; whoever locks the row (deletion, a recount of the storage
    used, a new rule) waits, and then sees no change under way. Raises NOT_FOUND."""
    share = " FOR SHARE" if connection.vendor == "postgresql" else ""
    if sql.fetch_one(_HOLD + share, [project_id]) is None:
        raise HarborError("NOT_FOUND", "the project has just been deleted")

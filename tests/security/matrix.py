"""Who gets which answer: one row per route and verb, one status per persona in the order of tests.cast.PERSONAS.

The rows are in ``tests/security/rows``, a file per part of the system; every list called ROWS there counts.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """``path`` is filled from the world of the test; ``statuses`` in the order of PERSONAS."""

    route: str
    verb: str
    path: str
    statuses: str
    body: Any = None

    @property
    def expected(self) -> list[int]:
        return [int(status) for status in self.statuses.split()]


PROJECT = "projects/<str:project_name_or_id>"
REPOSITORY = "projects/<str:project_name>/repositories/<str:repository_name>"
ARTIFACT = f"{REPOSITORY}/artifacts/<str:reference>"
APP = "projects/team/repositories/app"
IMAGE = f"{APP}/artifacts/1.0"

# sysadmin, project_admin, maintainer, developer, guest, limited_guest,
# robot, robot_all, system_robot, system_robot_all, outsider, anonymous
EVERYBODY = "200 200 200 200 200 200 200 200 200 200 200 200"
ACCOUNTS = "200 200 200 200 200 200 200 200 200 200 200 401"
SYSADMIN = "200 403 403 403 403 403 403 403 403 200 403 401"
ADMINS = "200 200 403 403 403 403 403 200 403 200 403 401"
MEMBERS = "200 200 200 200 200 200 403 200 403 200 403 401"
MEMBERS_AND_ROBOT = "200 200 200 200 200 200 200 200 403 200 403 401"

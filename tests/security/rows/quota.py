"""Storage limits, the trash, and the history of tags."""

from tests.security.matrix import ADMINS, APP, MEMBERS, PROJECT, REPOSITORY, SYSADMIN, Row

MAINTAINERS = "200 200 200 403 403 403 403 200 403 200 403 401"
PUSHERS = "200 200 200 200 403 403 200 200 403 200 403 401"

ROWS = [
    Row("quotas", "GET", "quotas", SYSADMIN),
    Row("quotas/<str:id>", "GET", "quotas/{quota}", SYSADMIN),
    Row("quotas/<str:id>", "PUT", "quotas/{quota}", SYSADMIN, {"hard": {"storage": 4096}}),
    Row(f"{PROJECT}/trash", "GET", "projects/team/trash", MAINTAINERS),
    Row(f"{PROJECT}/trash", "DELETE", "projects/team/trash", ADMINS),
    Row(f"{PROJECT}/trash/<str:trash_id>", "DELETE", "projects/team/trash/{trash}", ADMINS),
    Row(f"{PROJECT}/trash/<str:trash_id>/restore", "POST", "projects/team/trash/{trash}/restore", MAINTAINERS),
    Row(f"{REPOSITORY}/deleted-tags", "GET", f"{APP}/deleted-tags", MEMBERS),
    Row(f"{REPOSITORY}/tags/<str:tag_name>/history", "GET", f"{APP}/tags/{{moved}}/history", MEMBERS),
    Row(f"{REPOSITORY}/tags/<str:tag_name>/restore", "POST", f"{APP}/tags/{{moved}}/restore", PUSHERS, {}),
]

"""Robots and what they can be granted."""

from tests.security.matrix import ADMINS, SYSADMIN, Row

IN_TEAM = [{"kind": "project", "namespace": "team", "access": [{"resource": "repository", "action": "pull"}]}]
ON_SYSTEM = [{"kind": "system", "namespace": "/", "access": [{"resource": "audit-log", "action": "list"}]}]
# Nobody can grant a robot to change robots.
PEOPLE = "200 200 403 403 403 403 403 403 403 403 403 401"
SYSADMIN_ALONE = "200 403 403 403 403 403 403 403 403 403 403 401"
READERS = "200 200 200 200 200 403 403 200 403 200 403 401"

ROWS = [
    Row("permissions", "GET", "permissions", PEOPLE),
    Row("robots", "GET", "robots?q=Level%3Dproject,ProjectID%3D{team}", READERS),
    Row(
        "robots",
        "POST",
        "robots",
        "201 201 403 403 403 403 403 201 403 201 403 401",
        {"name": "new", "level": "project", "duration": 7, "permissions": IN_TEAM},
    ),
    Row("robots/<str:robot_id>", "GET", "robots/{robot}", READERS),
    Row(
        "robots/<str:robot_id>",
        "PUT",
        "robots/{robot}",
        PEOPLE,
        {"name": "robot$team+ci", "level": "project", "duration": 7, "permissions": IN_TEAM},
    ),
    Row("robots/<str:robot_id>", "PATCH", "robots/{robot}", PEOPLE, {"secret": ""}),
    Row("robots/<str:robot_id>", "DELETE", "robots/{robot}", ADMINS),
    # The same of the system.
    Row("robots", "GET", "robots", SYSADMIN),
    Row(
        "robots",
        "POST",
        "robots",
        SYSADMIN.replace("200", "201"),
        {"name": "new", "level": "system", "duration": 7, "permissions": ON_SYSTEM},
    ),
    Row("robots/<str:robot_id>", "GET", "robots/{system_robot}", SYSADMIN),
    Row(
        "robots/<str:robot_id>",
        "PUT",
        "robots/{system_robot}",
        SYSADMIN_ALONE,
        {"name": "robot$few", "level": "system", "duration": 7, "permissions": ON_SYSTEM},
    ),
    Row("robots/<str:robot_id>", "PATCH", "robots/{system_robot}", SYSADMIN_ALONE, {"secret": ""}),
    Row("robots/<str:robot_id>", "DELETE", "robots/{system_robot}", SYSADMIN),
]

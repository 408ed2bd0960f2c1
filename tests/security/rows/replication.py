"""Replication policies and their runs: a matter of system administrators. A body names no registry: that is refused
(400) for whoever may ask at all."""

from tests.security.matrix import SYSADMIN, Row

REFUSED = "400 403 403 403 403 403 403 403 403 400 403 401"
CREATED = "201 403 403 403 403 403 403 403 403 201 403 401"
UNKNOWN = "404 403 403 403 403 403 403 403 403 404 403 401"
P, E, D = "replication/policies", "replication/executions", "replication/drift"

ROWS = [
    Row(P, "GET", P, SYSADMIN),
    Row(P, "POST", P, REFUSED, {"name": "new"}),
    Row(f"{P}/<str:id>", "GET", f"{P}/{{copying}}", SYSADMIN),
    Row(f"{P}/<str:id>", "PUT", f"{P}/{{copying}}", REFUSED, {"name": "new"}),
    Row(f"{P}/<str:id>", "DELETE", f"{P}/{{resting}}", SYSADMIN),
    Row(f"{P}/<str:id>/drift", "GET", f"{P}/{{copying}}/drift", SYSADMIN),
    Row(f"{P}/<str:id>/drift", "POST", f"{P}/{{copying}}/drift", CREATED),
    Row(f"{P}/<str:id>/drift", "DELETE", f"{P}/{{copying}}/drift", SYSADMIN),
    Row(D, "GET", D, SYSADMIN),
    Row(D, "POST", D, UNKNOWN, {"policy_ids": [424242]}),
    Row(E, "GET", E, SYSADMIN),
    Row(E, "POST", E, UNKNOWN, {"policy_id": 424242}),
    Row(f"{E}/<str:id>", "GET", f"{E}/{{copied}}", SYSADMIN),
    Row(f"{E}/<str:id>", "PUT", f"{E}/{{copied}}", SYSADMIN),
    Row(f"{E}/<str:id>/tasks", "GET", f"{E}/{{copied}}/tasks", SYSADMIN),
    Row(f"{E}/<str:id>/tasks/<str:task_id>/log", "GET", f"{E}/{{copied}}/tasks/{{copied_task}}/log", SYSADMIN),
]

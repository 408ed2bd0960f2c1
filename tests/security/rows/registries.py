"""Remote registries. The one of the tests does not answer: whoever may ask it or add another is told so (400)."""

from tests.security.matrix import SYSADMIN, Row

UNREACHABLE = "400 403 403 403 403 403 403 403 403 400 403 401"
REMOTE = {"name": "new", "type": "docker-registry", "url": "http://127.0.0.1:9"}

ROWS = [
    Row("registries", "GET", "registries", SYSADMIN),
    Row("registries", "POST", "registries", UNREACHABLE, REMOTE),
    Row("registries/ping", "POST", "registries/ping", UNREACHABLE, REMOTE),
    Row("registries/<str:id>", "GET", "registries/{registry}", SYSADMIN),
    Row("registries/<str:id>", "PUT", "registries/{registry}", SYSADMIN, {"description": "ours"}),
    Row("registries/<str:id>", "DELETE", "registries/{registry}", SYSADMIN),
    Row("registries/<str:id>/info", "GET", "registries/0/info", SYSADMIN),
    Row("replication/adapters", "GET", "replication/adapters", SYSADMIN),
    Row("replication/adapterinfos", "GET", "replication/adapterinfos", SYSADMIN),
]

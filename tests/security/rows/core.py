"""The system itself."""

from tests.security.matrix import EVERYBODY, SYSADMIN, Row

ROWS = [
    Row("version", "GET", "/api/version", EVERYBODY),
    Row("ping", "GET", "ping", EVERYBODY),
    Row("health", "GET", "health", EVERYBODY),
    Row("systeminfo", "GET", "systeminfo", EVERYBODY),
    Row("systeminfo/getcert", "GET", "systeminfo/getcert", "404 404 404 404 404 404 404 404 404 404 404 404"),
    Row("systeminfo/volumes", "GET", "systeminfo/volumes", SYSADMIN),
]

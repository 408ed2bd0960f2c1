"""The published schema."""

from tests.security.matrix import EVERYBODY, Row

ROWS = [Row("openapi.json", "GET", "openapi.json", EVERYBODY)]

"""Accounts of people."""

from tests.security.matrix import ACCOUNTS, SYSADMIN, Row

ROWS = [
    Row("users", "GET", "users", SYSADMIN),
    Row(
        "users",
        "POST",
        "users",
        "201 403 403 403 403 403 403 403 403 201 403 401",
        {"username": "new", "realname": "New", "password": "Passw0rd-1"},
    ),
    Row("users/search", "GET", "users/search?username=a", ACCOUNTS),
    Row("users/current", "GET", "users/current", "200 200 200 200 200 200 412 412 412 412 200 401"),
    Row("users/current/permissions", "GET", "users/current/permissions", ACCOUNTS),
    Row("users/<str:user_id>", "GET", "users/{outsider}", "200 403 403 403 403 403 403 403 403 200 200 401"),
    Row(
        "users/<str:user_id>",
        "PUT",
        "users/{outsider}",
        "200 403 403 403 403 403 403 403 403 200 200 401",
        {"comment": "hi"},
    ),
    Row("users/<str:user_id>", "DELETE", "users/{guest}", "200 403 403 403 403 403 403 403 403 200 403 401"),
    Row(
        "users/<str:user_id>/password",
        "PUT",
        "users/{outsider}/password",
        "200 403 403 403 403 403 403 403 403 200 403 401",  # the outsider's own, but without the old one
        {"new_password": "Passw0rd-2"},
    ),
    Row("users/<str:user_id>/sysadmin", "PUT", "users/{outsider}/sysadmin", SYSADMIN, {"sysadmin_flag": True}),
    Row(
        "users/<str:user_id>/cli_secret",
        "PUT",
        "users/{outsider}/cli_secret",
        "412 403 403 403 403 403 403 403 403 412 412 401",
        {"secret": "Passw0rd-2"},
    ),
]

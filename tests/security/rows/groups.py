"""Groups of identity providers. Without one (the accounts of the tests are local) none can be made: 400."""

from tests.security.matrix import ACCOUNTS, SYSADMIN, Row

ROWS = [
    Row("usergroups", "GET", "usergroups", SYSADMIN),
    Row(
        "usergroups",
        "POST",
        "usergroups",
        "400 403 403 403 403 403 403 403 403 400 403 401",
        {"group_name": "new", "group_type": 3},
    ),
    Row("usergroups/search", "GET", "usergroups/search?groupname=cr", ACCOUNTS),
    Row("usergroups/<str:group_id>", "GET", "usergroups/{group}", SYSADMIN),
    Row("usergroups/<str:group_id>", "PUT", "usergroups/{group}", SYSADMIN, {"group_name": "staff"}),
    Row("usergroups/<str:group_id>", "DELETE", "usergroups/{group}", SYSADMIN),
]

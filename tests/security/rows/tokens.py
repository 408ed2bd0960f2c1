"""Personal tokens, and whose tokens stand for robots."""

from tests.security.matrix import ADMINS, SYSADMIN, Row

PEOPLE = "200 200 200 200 200 200 403 403 403 403 200 401"
ITS_OWNER = "404 404 404 404 404 404 403 403 403 403 200 401"
# Of others: system administrators, and robots that manage users.
MANAGERS = "200 403 403 403 403 403 403 403 403 200 200 401"
NEW = {"name": "desktop", "scopes": ["pull"]}

TRUST = {"name": "new", "issuer": "https://issuer.example.com", "audience": "x", "claims": {"sub": "app"}}
READERS = "200 200 200 200 200 403 403 200 403 200 403 401"
# Nobody can grant a robot to change robots.
CHANGERS = "200 200 403 403 403 403 403 403 403 403 403 401"
TRUSTS, ONE = "robots/<str:robot_id>/trusts", "robots/<str:robot_id>/trusts/<str:trust_id>"

ROWS = [
    Row("users/current/tokens", "GET", "users/current/tokens", PEOPLE),
    Row("users/current/tokens", "POST", "users/current/tokens", PEOPLE.replace("200", "201"), NEW),
    Row("users/current/tokens/<str:token_id>", "GET", "users/current/tokens/{token}", ITS_OWNER),
    Row("users/current/tokens/<str:token_id>", "DELETE", "users/current/tokens/{token}", ITS_OWNER),
    Row("users/<str:user_id>/tokens", "GET", "users/{outsider}/tokens", MANAGERS),
    Row("users/<str:user_id>/tokens", "DELETE", "users/{outsider}/tokens", MANAGERS),
    Row("users/<str:user_id>/tokens/<str:token_id>", "GET", "users/{outsider}/tokens/{token}", MANAGERS),
    Row("users/<str:user_id>/tokens/<str:token_id>", "DELETE", "users/{outsider}/tokens/{token}", MANAGERS),
    Row(TRUSTS, "GET", "robots/{robot}/trusts", READERS),
    Row(TRUSTS, "POST", "robots/{robot}/trusts", ADMINS.replace("200", "201"), TRUST),
    Row(ONE, "GET", "robots/{robot}/trusts/{trust}", READERS),
    Row(ONE, "PUT", "robots/{robot}/trusts/{trust}", CHANGERS, TRUST),
    Row(ONE, "DELETE", "robots/{robot}/trusts/{trust}", ADMINS),
    # Of the system.
    Row(TRUSTS, "GET", "robots/{system_robot}/trusts", SYSADMIN),
    Row(TRUSTS, "POST", "robots/{system_robot}/trusts", SYSADMIN.replace("200", "201"), TRUST),
]

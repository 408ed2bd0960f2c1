"""Settings, audit log, allowlist of the system."""

from tests.security.matrix import ACCOUNTS, ADMINS, SYSADMIN, Row

# What no robot can be granted.
ONLY_SYSADMIN = "200 403 403 403 403 403 403 403 403 403 403 401"

ROWS = [
    Row("internal/syncquota", "POST", "/api/internal/syncquota", ONLY_SYSADMIN),
    Row("internal/renameadmin", "POST", "/api/internal/renameadmin", ONLY_SYSADMIN),
    Row("configurations", "GET", "configurations", ONLY_SYSADMIN),
    Row("configurations", "PUT", "configurations", ONLY_SYSADMIN, {"token_expiration": 31}),
    Row("internalconfig", "GET", "internalconfig", ONLY_SYSADMIN),  # and who brings the internal secret
    Row("audit-logs", "GET", "audit-logs", ACCOUNTS),
    Row("auditlog-exts", "GET", "auditlog-exts", ACCOUNTS),
    Row("auditlog-exts/events", "GET", "auditlog-exts/events", SYSADMIN),
    Row("projects/<str:project_name>/logs", "GET", "projects/team/logs", ADMINS),
    Row("projects/<str:project_name>/auditlog-exts", "GET", "projects/team/auditlog-exts", ADMINS),
    Row("system/CVEAllowlist", "GET", "system/CVEAllowlist", ACCOUNTS),
    Row(
        "system/CVEAllowlist",
        "PUT",
        "system/CVEAllowlist",
        ONLY_SYSADMIN,
        {"items": [{"cve_id": "CVE-2019-10164"}], "expires_at": None},
    ),
]

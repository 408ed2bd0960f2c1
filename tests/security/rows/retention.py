"""Tag retention. ``{retention}`` is the policy of the team's project, ``{run}`` a run of it, ``{step}`` its task."""

from tests.security.matrix import ACCOUNTS, Row

_SELECTOR = {"kind": "doublestar", "pattern": "**"}
POLICY = {
    "algorithm": "or",
    "scope": {"level": "project", "ref": 0},
    "trigger": {"kind": "Schedule", "settings": {"cron": ""}},
    "rules": [
        {
            "template": "always",
            "tag_selectors": [_SELECTOR | {"decoration": "matches"}],
            "scope_selectors": {"repository": [_SELECTOR | {"decoration": "repoMatches"}]},
        }
    ],
}
MAKERS = "200 200 200 200 403 403 403 200 403 200 403 401"
RUN = "retentions/{retention}/executions/{run}"

ROWS = [
    Row("retentions/metadatas", "GET", "retentions/metadatas", ACCOUNTS),
    # The body names a project that nobody has: there is none to look into.
    Row(
        "retentions",
        "POST",
        "retentions",
        "404 403 403 403 403 403 403 403 403 403 403 401",
        POLICY | {"scope": {"level": "project", "ref": 424242}},
    ),
    Row("retentions/<str:id>", "GET", "retentions/{retention}", MAKERS),
    Row("retentions/<str:id>", "PUT", "retentions/{retention}", MAKERS, POLICY | {"keep_newest": 5}),
    Row("retentions/<str:id>", "DELETE", "retentions/{retention}", MAKERS),
    Row("retentions/<str:id>/preview", "GET", "retentions/{retention}/preview", MAKERS),
    Row("retentions/<str:id>/executions", "GET", "retentions/{retention}/executions", MAKERS),
    Row(
        "retentions/<str:id>/executions",
        "POST",
        "retentions/{retention}/executions",
        MAKERS.replace("200", "201"),
        {"dry_run": True},
    ),
    Row("retentions/<str:id>/executions/<str:eid>", "PATCH", RUN, MAKERS, {"action": "stop"}),
    Row("retentions/<str:id>/executions/<str:eid>/tasks", "GET", f"{RUN}/tasks", MAKERS),
    Row("retentions/<str:id>/executions/<str:eid>/tasks/<str:tid>", "GET", f"{RUN}/tasks/{{step}}", MAKERS),
]

"""What a list costs: as many queries with fifty rows as with one, and not more than it did.

A number here goes down when a list gets cheaper; raising one needs a reason.
"""

from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from harbor_core.api.openapi import document
from tests.api.crowd import LISTS, A, N, P, R, grow, where
from tests.cast import World, forget_everything

QUERIES = {
    "/audit-logs": 3,
    "/auditlog-exts": 3,
    "/labels": 4,
    "/projects": 4,
    f"{P}/artifacts": 9,
    f"{P}/immutabletagrules": 4,
    f"{P}/members": 4,
    f"{P}/scanner/candidates": 3,
    f"{P}/trash": 4,
    f"{P}/webhook/jobs": 5,  # the webhook, and then its deliveries
    f"{P}/webhook/policies/{{webhook_policy_id}}/executions": 5,
    f"{P}/webhook/policies/{{webhook_policy_id}}/executions/{{execution_id}}/tasks": 6,
    f"{P}/webhook/policies": 4,
    f"{N}/auditlog-exts": 4,
    f"{N}/logs": 4,
    f"{N}/repositories": 5,
    f"{R}/artifacts": 10,
    f"{A}/accessories": 6,
    f"{A}/tags": 7,
    f"{R}/deleted-tags": 5,
    f"{R}/tags/{{tag_name}}/history": 5,
    "/quotas": 3,
    "/registries": 3,
    "/replication/drift": 5,
    "/replication/executions": 4,
    "/replication/executions/{id}/tasks": 4,
    "/replication/policies": 3,
    "/repositories": 4,
    "/retentions/{id}/executions": 5,
    "/retentions/{id}/executions/{eid}/tasks": 6,
    "/retentions/{id}/preview": 11,
    "/robots": 5,
    "/robots/{robot_id}/trusts": 6,
    "/schedules": 3,
    "/system/gc": 3,
    "/system/purgeaudit": 3,
    "/system/storageaudit": 3,
    "/system/storageaudit/{audit_id}/findings": 4,
    "/system/webhook/policies": 3,
    "/system/webhook/policies/{webhook_policy_id}/executions": 4,
    "/system/webhook/policies/{webhook_policy_id}/executions/{execution_id}/tasks": 5,
    "/usergroups": 3,
    "/usergroups/search": 3,
    "/users": 3,
    "/users/current/tokens": 3,
    "/users/search": 3,
    "/users/{user_id}/tokens": 4,
}

# A preview judges one repository after the other, as the job does, so that it holds the artifacts of one only.
PER_ROW = {"/retentions/{id}/preview": 2}
MORE = 50


def cost(world: World, path: str) -> int:
    """Queries of one call, with nothing remembered from another."""
    cache.clear()
    forget_everything()
    with CaptureQueriesContext(connection) as queries:
        response = world.api("sysadmin", "GET", path)
    assert response.status_code == 200, response.content
    return len(queries)


def test_every_list_is_measured() -> None:
    lists = {
        path
        for path, item in document()["paths"].items()
        if any(parameter.get("name") == "page" for parameter in item.get("get", {}).get("parameters", ()))
    }
    assert lists == set(LISTS), "tests/api/crowd.py has to know every list"
    assert set(QUERIES) == set(LISTS)


def test_a_list_costs_the_same_with_more_rows(world: World) -> None:
    grow(world, 1)
    paths = {template: where(world, template) for template in LISTS}
    urls = {template: f"{path}{'&' if '?' in path else '?'}page_size=100" for template, path in paths.items()}
    cost(world, "projects")  # what a process does once
    few = {template: cost(world, url) for template, url in urls.items()}
    grow(world, MORE)
    many = {template: cost(world, url) for template, url in urls.items()}
    assert many == {template: count + MORE * PER_ROW.get(template, 0) for template, count in few.items()}
    dearer = {template: count for template, count in few.items() if count > QUERIES[template]}
    assert not dearer

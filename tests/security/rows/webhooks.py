"""Webhooks of a project."""

from tests.security.matrix import ADMINS, PROJECT, Row
from tests.security.things import HOOK

READERS = "200 200 200 403 403 403 403 200 403 200 403 401"
BODY = {"name": "new", "enabled": True, "event_types": ["PUSH_ARTIFACT"], "targets": [HOOK]}
POLICIES = f"{PROJECT}/webhook/policies"
POLICY = f"{POLICIES}/<str:webhook_policy_id>"
DELIVERY = "projects/team/webhook/policies/{hook}/executions/{delivery}"

SYSTEM = "200 403 403 403 403 403 403 403 403 403 403 401"
MADE = SYSTEM.replace("200", "201")
HOOKS = "system/webhook/policies"
ONE = f"{HOOKS}/<str:webhook_policy_id>"
OURS = f"{HOOKS}/{{system_hook}}"
SENT = f"{OURS}/executions/{{system_delivery}}"

ROWS = [
    Row(f"{POLICY}/ping", "POST", "projects/team/webhook/policies/{hook}/ping", ADMINS),
    Row(f"{POLICY}/secret", "POST", "projects/team/webhook/policies/{hook}/secret", ADMINS),
    Row(f"{POLICY}/secret", "DELETE", "projects/team/webhook/policies/{hook}/secret", ADMINS),
    Row(
        f"{POLICY}/executions/<str:execution_id>/redelivery",
        "POST",
        f"{DELIVERY}/redelivery",
        ADMINS.replace("200", "201"),
    ),
    Row(HOOKS, "GET", HOOKS, SYSTEM),
    Row(HOOKS, "POST", HOOKS, MADE, BODY),
    Row(ONE, "GET", OURS, SYSTEM),
    Row(ONE, "PUT", OURS, SYSTEM, BODY),
    Row(ONE, "DELETE", OURS, SYSTEM),
    Row(f"{ONE}/ping", "POST", f"{OURS}/ping", SYSTEM),
    Row(f"{ONE}/secret", "POST", f"{OURS}/secret", SYSTEM),
    Row(f"{ONE}/secret", "DELETE", f"{OURS}/secret", SYSTEM),
    Row(f"{ONE}/executions", "GET", f"{OURS}/executions", SYSTEM),
    Row(f"{ONE}/executions/<str:execution_id>/redelivery", "POST", f"{SENT}/redelivery", MADE),
    Row(f"{ONE}/executions/<str:execution_id>/tasks", "GET", f"{SENT}/tasks", SYSTEM),
    Row(
        f"{ONE}/executions/<str:execution_id>/tasks/<str:task_id>/log",
        "GET",
        f"{SENT}/tasks/{{system_post}}/log",
        SYSTEM,
    ),
    Row(POLICIES, "GET", "projects/team/webhook/policies", READERS),
    Row(
        POLICIES,
        "POST",
        "projects/team/webhook/policies",
        "201 201 403 403 403 403 403 201 403 201 403 401",
        BODY,
    ),
    Row(POLICY, "GET", "projects/team/webhook/policies/{hook}", READERS),
    Row(POLICY, "PUT", "projects/team/webhook/policies/{hook}", ADMINS, BODY),
    Row(POLICY, "DELETE", "projects/team/webhook/policies/{hook}", ADMINS),
    Row(f"{POLICY}/executions", "GET", "projects/team/webhook/policies/{hook}/executions", READERS),
    Row(f"{POLICY}/executions/<str:execution_id>/tasks", "GET", f"{DELIVERY}/tasks", READERS),
    Row(
        f"{POLICY}/executions/<str:execution_id>/tasks/<str:task_id>/log",
        "GET",
        f"{DELIVERY}/tasks/{{post}}/log",
        READERS,
    ),
    Row(f"{PROJECT}/webhook/events", "GET", "projects/team/webhook/events", READERS),
    Row(f"{PROJECT}/webhook/lasttrigger", "GET", "projects/team/webhook/lasttrigger", READERS),
    Row(f"{PROJECT}/webhook/jobs", "GET", "projects/team/webhook/jobs?policy_id={hook}", READERS),
]

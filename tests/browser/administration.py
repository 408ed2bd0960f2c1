"""What an administrator of a small team would have made: accounts, robots, registries, labels, quotas and runs of jobs,
brought in through the REST API."""

from typing import Any

import httpx

from tests.browser.sample import PASSWORD
from tests.support.services import wait_until
from tests.support.stack import Stack

_PEOPLE = (("ada", "Ada Lovelace", True), ("grace", "Grace Hopper", False), ("li.wei", "李伟", False))
_LABELS = (
    ("released", "#3C9A5F", "May be rolled out everywhere"),
    ("to-be-tested", "#D9822B", ""),
    ("base-image", "#0065AB", "Others build on it"),
)
_ROBOT = {
    "name": "build-farm",
    "description": "Pushes what the build machines made",
    "level": "system",
    "duration": 90,
    "permissions": [
        {
            "kind": "project",
            "namespace": name,
            "access": [{"resource": "repository", "action": action} for action in ("pull", "push")],
        }
        for name in ("payments", "platform-tools")
    ]
    + [{"kind": "system", "namespace": "/", "access": [{"resource": "label", "action": "create"}]}],
}

_RULE = {
    "name": "mirror-of-the-other-site",
    "description": "Releases, every night",
    "dest_namespace": "platform-tools/mirror",
    "filters": [
        {"type": "name", "value": "payments/**"},
        {"type": "tag", "value": "2.*", "decoration": "matches"},
    ],
    "trigger": {"type": "scheduled", "trigger_settings": {"cron": "0 30 2 * * *"}},
    "enabled": True,
    "override": True,
}


def fill(stack: Stack) -> dict[str, int]:
    """Ids of what has a page of its own: ``user``, ``robot``, ``registry``, ``rule``, ``label``, ``quota``, ``run``."""
    ids = {}
    with stack.api() as api:
        for name, realname, administrator in _PEOPLE:
            person = {"username": name, "email": f"{name}@example.com", "realname": realname, "password": PASSWORD}
            ids["user"] = _made(api, "users", person)
            if administrator:
                _done(api.put(f"/api/v2.0/users/{ids['user']}/sysadmin", json={"sysadmin_flag": True}))
        ids["robot"] = _made(api, "robots", _ROBOT)
        ids["registry"] = _made(
            api,
            "registries",
            {
                "name": "other-harbor",
                "type": "harbor",
                "url": stack.url,  # itself: an address that nobody answers is refused
                "description": "The registry of the other site",
                "credential": {"type": "basic", "access_key": stack.admin[0], "access_secret": stack.admin[1]},
            },
        )
        ids["rule"] = _made(api, "replication/policies", _RULE | {"src_registry": {"id": ids["registry"]}})
        started = _made(api, "replication/executions", {"policy_id": ids["rule"]})
        wait_until(lambda: _replicated(api, started), 60, "the replication to end")
        _done(api.post("/api/v2.0/replication/drift", json={"policy_ids": [ids["rule"]]}))
        compared = f"/api/v2.0/replication/policies/{ids['rule']}/drift"
        wait_until(lambda: "taken_time" in api.get(compared).json(), 60, "the comparison to end")
        for name, color, description in _LABELS:
            label = {"name": name, "color": color, "description": description, "scope": "g"}
            ids["label"] = _made(api, "labels", label)
        quotas = api.get("/api/v2.0/quotas").json()
        ids["quota"] = next(item["id"] for item in quotas if item["ref"]["name"] == "payments")
        for name, limit in (("payments", 20 * 2**20), ("platform-tools", 3 * 2**20)):
            quota = next(item["id"] for item in quotas if item["ref"]["name"] == name)
            _done(api.put(f"/api/v2.0/quotas/{quota}", json={"hard": {"storage": limit}}))
        ids["run"] = _made(api, "system/gc/schedule", {"schedule": {"type": "Manual"}, "parameters": {"dry_run": True}})
        wait_until(lambda: _ended(api, ids["run"]), 60, "garbage collection to end")
    return ids


def _made(api: httpx.Client, path: str, body: dict[str, Any]) -> int:
    answer = api.post(f"/api/v2.0/{path}", json=body)
    assert answer.status_code == 201, answer.text
    return int(answer.headers["Location"].rpartition("/")[2])


def _done(answer: httpx.Response) -> None:
    assert answer.status_code == 200, answer.text


def _ended(api: httpx.Client, run: int) -> bool:
    return bool(api.get(f"/api/v2.0/system/gc/{run}").json()["job_status"] in ("Success", "Error", "Stopped"))


def _replicated(api: httpx.Client, run: int) -> bool:
    return bool(api.get(f"/api/v2.0/replication/executions/{run}").json()["status"] != "InProgress")

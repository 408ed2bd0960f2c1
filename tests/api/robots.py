"""What tests of robots send, and how they look at the answers."""

from typing import Any

from tests.cast import Api

GIVEN = "Given-secret-1"
DAY = 86400


def access(*permissions: str) -> list[dict[str, str]]:
    pairs = (permission.split(":") for permission in permissions)
    return [{"resource": resource, "action": action, "effect": "allow"} for resource, action in pairs]


def in_project(name: str, *permissions: str) -> dict[str, Any]:
    return {"kind": "project", "namespace": name, "access": access(*permissions)}


def on_system(*permissions: str) -> dict[str, Any]:
    return {"kind": "system", "namespace": "/", "access": access(*permissions)}


def project_robot(**change: Any) -> dict[str, Any]:
    return {
        "name": "new",
        "level": "project",
        "duration": 30,
        "description": "builds",
        "permissions": [in_project("team", "repository:pull")],
    } | change


def system_robot(*entries: dict[str, Any], **change: Any) -> dict[str, Any]:
    return {"name": "new", "level": "system", "duration": -1, "permissions": list(entries)} | change


def create(api: Api, body: dict[str, Any], persona: str = "sysadmin") -> tuple[str, str]:
    """Login and path of a new robot."""
    made = api(persona, "POST", "robots", body)
    assert made.status_code == 201, made.content
    return f"{made.json()['name']}:{made.json()['secret']}", made["Location"]


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["errors"][0]["code"]


def body_of(api: Api, path: str) -> dict[str, Any]:
    return dict(api("sysadmin", "GET", path).json())


def works(api: Api, secret: str, name: str = "robot$team+new") -> bool:
    return bool(api(f"{name}:{secret}", "GET", "statistics", headers={"X-Real-IP": "192.0.2.7"}).status_code == 200)

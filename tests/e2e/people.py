"""Accounts and projects for tests through the front door, made over the REST API."""

import uuid
from enum import IntEnum

from tests.support.stack import Stack

Account = tuple[str, str]


class Role(IntEnum):
    PROJECT_ADMIN = 1
    DEVELOPER = 2
    GUEST = 3


def account(stack: Stack) -> Account:
    """A new user without any right: (name, password)."""
    name, password = f"user-{uuid.uuid4().hex[:8]}", f"Pw{uuid.uuid4().hex}"
    body = {"username": name, "email": f"{name}@example.com", "realname": name, "password": password}
    with stack.api() as api:
        answer = api.post("/api/v2.0/users", json=body)
    assert answer.status_code == 201, answer.text
    return name, password


def project(stack: Stack, *, public: bool = False) -> str:
    """A new project's name."""
    name = f"p{uuid.uuid4().hex[:10]}"
    with stack.api() as api:
        answer = api.post(
            "/api/v2.0/projects", json={"project_name": name, "metadata": {"public": str(public).lower()}}
        )
    assert answer.status_code == 201, answer.text
    return name


def member(stack: Stack, project_name: str, who: Account, role: Role) -> int:
    """Give the account a role in the project. Returns the membership's id."""
    with stack.api() as api:
        answer = api.post(
            f"/api/v2.0/projects/{project_name}/members", json={"role_id": role, "member_user": {"username": who[0]}}
        )
    assert answer.status_code == 201, answer.text
    return int(answer.headers["Location"].rpartition("/")[2])

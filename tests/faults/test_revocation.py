"""What is taken away stops working within 60 seconds, also for tokens already issued and uploads already open.

The defaults are measured, not short ones made for the test, and everybody keeps asking all the time: an answer that is
asked for again and again must not live on because of that.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import pytest

from tests.e2e import people
from tests.e2e.people import Account, Role
from tests.support import oci
from tests.support.issuer import make_key, public_jwk
from tests.support.stack import Stack

logger = logging.getLogger(__name__)
LIMIT_SECONDS = 60.0
Request = Callable[[httpx.Client], httpx.Response]


@dataclass
class Case:
    """One way of losing a right: who holds what, and what takes it away."""

    name: str
    repository: str
    image: oci.Image
    header: dict[str, str]
    revoke: Callable[[], object]
    writes: bool = True
    location: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    def requests(self) -> dict[str, Request]:
        manifest = f"/v2/{self.repository}/manifests/1.0"
        blob = f"/v2/{self.repository}/blobs/{oci.digest_of(self.image.layer)}"
        asked: dict[str, Request] = {
            "manifest": lambda client: client.get(manifest),
            "blob": lambda client: client.get(blob),
            "blob HEAD": lambda client: client.head(blob),
            "tags": lambda client: client.get(f"/v2/{self.repository}/tags/list"),
        }
        if self.writes:
            asked["new upload"] = lambda client: client.post(f"/v2/{self.repository}/blobs/uploads/")
            asked["open upload"] = self._chunk
        return asked

    def _chunk(self, client: httpx.Client) -> httpx.Response:
        answer = client.patch(self.location, content=b"x", headers={"Content-Type": "application/octet-stream"})
        self.location = answer.headers.get("Location", self.location) if answer.status_code == 202 else self.location
        return answer


def bearer(stack: Stack, repository: str, auth: Account | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {stack.token(f'repository:{repository}:pull,push', auth=auth)}"}


def pushed(stack: Stack, *, public: bool = False) -> tuple[str, oci.Image]:
    repository, image = f"{people.project(stack, public=public)}/app", oci.image()
    with stack.api() as admin:
        assert oci.push(admin, repository, "1.0", image).status_code == 201
    return repository, image


def call(stack: Stack, method: str, path: str, **body: object) -> None:
    with stack.api() as admin:
        answer = admin.request(method, f"/api/v2.0{path}", json=body or None)
    assert answer.status_code == 200, answer.text


def user_id(stack: Stack, who: Account) -> int:
    with stack.client(auth=who) as client:
        return int(client.get("/api/v2.0/users/current").json()["user_id"])


def deleted_account(stack: Stack) -> Case:
    who, (repository, image) = people.account(stack), pushed(stack)
    people.member(stack, repository.partition("/")[0], who, Role.DEVELOPER)
    number = user_id(stack, who)
    header = bearer(stack, repository, who)
    return Case("deleted account", repository, image, header, lambda: call(stack, "DELETE", f"/users/{number}"))


def removed_member(stack: Stack) -> Case:
    who, (repository, image) = people.account(stack), pushed(stack)
    project = repository.partition("/")[0]
    membership = people.member(stack, project, who, Role.DEVELOPER)
    path = f"/projects/{project}/members/{membership}"
    header = bearer(stack, repository, who)
    return Case("removed member", repository, image, header, lambda: call(stack, "DELETE", path))


def removed_administrator(stack: Stack) -> Case:
    who, (repository, image) = people.account(stack), pushed(stack)
    path = f"/users/{user_id(stack, who)}/sysadmin"
    call(stack, "PUT", path, sysadmin_flag=True)
    header = bearer(stack, repository, who)

    def revoke() -> None:
        call(stack, "PUT", path, sysadmin_flag=False)

    return Case("removed administrator", repository, image, header, revoke)


def closed_project(stack: Stack) -> Case:
    repository, image = pushed(stack, public=True)
    with stack.client() as anonymous:
        token = anonymous.get(
            "/service/token", params={"service": "harbor-registry", "scope": f"repository:{repository}:pull"}
        ).json()["token"]

    def revoke() -> None:
        call(stack, "PUT", f"/projects/{repository.partition('/')[0]}", metadata={"public": "false"})

    return Case("closed project", repository, image, {"Authorization": f"Bearer {token}"}, revoke, writes=False)


def project_made_anew(stack: Stack) -> Case:
    """The project is deleted and somebody else makes one of that name with the same image: tokens of the old one are
    not for the new one."""
    who, (repository, image) = people.account(stack), pushed(stack)
    project = repository.partition("/")[0]
    people.member(stack, project, who, Role.DEVELOPER)
    header = bearer(stack, repository, who)

    def revoke() -> None:
        call(stack, "DELETE", f"/projects/{project}/repositories/app")
        call(stack, "DELETE", f"/projects/{project}")
        time.sleep(1)  # tokens say when they were issued in whole seconds
        with stack.api() as admin:
            assert admin.post("/api/v2.0/projects", json={"project_name": project}).status_code == 201
            assert oci.push(admin, repository, "1.0", image).status_code == 201
        people.member(stack, project, who, Role.DEVELOPER)

    return Case("project made anew", repository, image, header, revoke)


def _robot(stack: Stack, name: str, revoke: Callable[[str, dict[str, Any]], None]) -> Case:
    """A robot of a project, made and changed over the REST API; ``revoke`` gets its path and what is known of it."""
    repository, image = pushed(stack)
    access = [{"resource": "repository", "action": action} for action in ("pull", "push")]
    grants = [{"kind": "project", "namespace": repository.partition("/")[0], "access": access}]
    with stack.api() as admin:
        answer = admin.post(
            "/api/v2.0/robots", json={"name": "ci", "level": "project", "duration": 1, "permissions": grants}
        )
        path = answer.headers["Location"].removeprefix("/api/v2.0")
        known = admin.get(answer.headers["Location"]).json()
    header = bearer(stack, repository, (answer.json()["login_alias"], answer.json()["secret"]))
    return Case(name, repository, image, header, lambda: revoke(path, known))


def disabled_robot(stack: Stack) -> Case:
    return _robot(stack, "disabled robot", lambda path, known: call(stack, "PUT", path, **known | {"disable": True}))


def deleted_robot(stack: Stack) -> Case:
    return _robot(stack, "deleted robot", lambda path, known: call(stack, "DELETE", path))


def narrowed_robot(stack: Stack) -> Case:
    def revoke(path: str, known: dict[str, Any]) -> None:
        [grant] = known["permissions"]
        grant["access"] = [{"resource": "tag", "action": "list"}]
        call(stack, "PUT", path, **known)

    return _robot(stack, "narrowed robot", revoke)


def revoked_token(stack: Stack) -> Case:
    """A personal token, which was exchanged for the registry token in use."""
    who, (repository, image) = people.account(stack), pushed(stack)
    people.member(stack, repository.partition("/")[0], who, Role.DEVELOPER)
    with stack.client(auth=who) as client:
        body = {"name": "ci", "scopes": ["push"]}
        made = client.post("/api/v2.0/users/current/tokens", json=body).json()
    path = f"/users/{user_id(stack, who)}/tokens/{made['id']}"
    header = bearer(stack, repository, (who[0], made["secret"]))
    return Case("revoked token", repository, image, header, lambda: call(stack, "DELETE", path))


def removed_trust(stack: Stack) -> Case:
    """A robot's trust, by which the token of an issuer was exchanged for the registry token in use."""
    repository, image = pushed(stack)
    project, key = repository.partition("/")[0], make_key("ES256")
    access = [{"resource": "repository", "action": "push"}]
    robot = {
        "name": "federated",
        "level": "project",
        "duration": -1,
        "permissions": [{"kind": "project", "namespace": project, "access": access}],
    }
    trust = {
        "name": "ci",
        "issuer": "https://issuer.example.com",
        "audience": "registry",
        "claims": {"sub": project},
        "jwks": {"keys": [public_jwk(key, "k")]},
    }
    with stack.api() as admin:
        path = f"/robots/{admin.post('/api/v2.0/robots', json=robot).json()['id']}/trusts"
        path += f"/{admin.post(f'/api/v2.0{path}', json=trust).json()['id']}"
    now = int(time.time())
    claims = {"iss": trust["issuer"], "aud": "registry", "sub": project, "iat": now, "exp": now + 600}
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "subject_token": jwt.encode(claims, key, "ES256", {"kid": "k"}),
        "service": "harbor-registry",
        "scope": f"repository:{repository}:pull,push",
    }
    with stack.client() as client:
        token = client.post("/service/token", data=form).json()["token"]
    header = {"Authorization": f"Bearer {token}"}
    return Case("removed trust", repository, image, header, lambda: call(stack, "DELETE", path))


@pytest.mark.slow
def test_what_is_taken_away_is_gone_within_a_minute(stack: Stack) -> None:
    cases = [
        make(stack)
        for make in (
            deleted_account,
            removed_member,
            removed_administrator,
            closed_project,
            project_made_anew,
            disabled_robot,
            revoked_token,
            removed_trust,
            deleted_robot,
            narrowed_robot,
        )
    ]
    for case in cases:
        with stack.client() as client:
            client.headers.update(case.header)
            if case.writes:
                case.location = client.post(f"/v2/{case.repository}/blobs/uploads/").headers["Location"]
            for what, ask in case.requests().items():
                answer = ask(client)
                assert answer.status_code in (200, 202), (case.name, what, answer.text)
    failures: list[str] = []
    threads = [threading.Thread(target=_watch, args=(stack, case, failures)) for case in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def _watch(stack: Stack, case: Case, failures: list[str]) -> None:
    """Take the right away and keep asking until the time is over."""
    try:
        with stack.client() as client:
            client.headers.update(case.header)
            case.revoke()
            started = time.monotonic()
            while time.monotonic() - started < LIMIT_SECONDS + 5:
                for what, ask in case.requests().items():
                    answer = ask(client)
                    now = time.monotonic() - started
                    if answer.status_code in (200, 201, 202, 204):
                        case.seconds[what] = now
                    elif answer.status_code not in (401, 404):
                        failures.append(f"{case.name}, {what}: {answer.status_code} {answer.text}")
                time.sleep(0.5)
        failures += [
            f"{case.name}, {what}: still served after {seconds:.0f} s"
            for what, seconds in case.seconds.items()
            if seconds > LIMIT_SECONDS
        ]
        logger.info("%s was served for so many seconds: %s", case.name, case.seconds)
    except Exception as error:
        failures.append(f"{case.name}: {error!r}")


def test_a_password_that_was_changed_is_refused_at_once(stack: Stack) -> None:
    who = people.account(stack)
    number, changed = user_id(stack, who), f"Pw{who[1]}"
    with stack.client(auth=who) as client:
        assert client.get("/v2/").status_code == 200
        call(stack, "PUT", f"/users/{number}/password", new_password=changed)
        assert client.get("/v2/").status_code == 401
    with stack.client(auth=(who[0], changed)) as client:
        assert client.get("/v2/").status_code == 200

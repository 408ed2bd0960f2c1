"""Remote registries through the front door: this registry is its own upstream, by its API and by its tokens."""

import uuid

import pytest

from tests.e2e import people
from tests.support.stack import Stack


def described(stack: Stack, kind: str, secret: str, name: str = "admin", **more: object) -> dict[str, object]:
    credential = {"type": "basic", "access_key": name, "access_secret": secret}
    return {"name": f"r{uuid.uuid4().hex[:8]}", "type": kind, "url": stack.url, "credential": credential} | more


@pytest.mark.parametrize("kind", ["harbor", "docker-registry"])
def test_this_registry_is_a_remote_one(stack: Stack, kind: str) -> None:
    with stack.api() as api:
        made = api.post("/api/v2.0/registries", json=described(stack, kind, stack.admin[1]))
        assert made.status_code == 201, made.text
        path = made.headers["Location"]
        assert api.get(path).json()["status"] == "healthy"
        identifier = int(path.rpartition("/")[2])
        assert api.post("/api/v2.0/registries/ping", json={"id": identifier}).status_code == 200
        wrong = api.post("/api/v2.0/registries/ping", json={"id": identifier, "access_secret": "wrong"})
        assert wrong.status_code == 400 and "credentials" in wrong.text
        info = api.get(f"{path}/info").json()
        assert info["type"] == kind
        proxy = {"project_name": f"cache-{uuid.uuid4().hex[:8]}", "registry_id": identifier}
        assert api.post("/api/v2.0/projects", json=proxy).status_code == 201
        refused = api.post(f"/v2/{proxy['project_name']}/app/blobs/uploads/")
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, "DENIED")
        assert api.delete(path).status_code == 412
        assert api.delete(f"/api/v2.0/projects/{proxy['project_name']}").status_code == 200
        assert api.delete(path).status_code == 200


def test_credentials_of_an_ordinary_user(stack: Stack) -> None:
    name, password = people.account(stack)
    with stack.api() as api:
        for kind in ("harbor", "docker-registry"):
            made = api.post("/api/v2.0/registries", json=described(stack, kind, password, name))
            assert made.status_code == 201, made.text
            refused = api.post("/api/v2.0/registries", json=described(stack, kind, "Wrong-pass-1", name))
            assert refused.status_code == 400, refused.text
            assert api.delete(made.headers["Location"]).status_code == 200


@pytest.mark.slow
def test_certificates_are_checked(stack_tls: Stack) -> None:
    authority = stack_tls.ca_file.read_text(encoding="ascii")
    secret = stack_tls.admin[1]
    with stack_tls.api() as api:
        refused = api.post("/api/v2.0/registries", json=described(stack_tls, "harbor", secret))
        assert refused.status_code == 400 and "certificate" in refused.text.lower()
        for change in ({"ca_certificate": authority}, {"insecure": True}):
            for kind in ("harbor", "docker-registry"):
                made = api.post("/api/v2.0/registries", json=described(stack_tls, kind, secret) | change)
                assert made.status_code == 201, made.text

"""Clients without a stored secret: personal tokens and tokens of an issuer, through the front door."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e import people, tokens
from tests.e2e.clients import Containers
from tests.e2e.people import Role
from tests.support import oci
from tests.support.issuer import AUDIENCE, DISCOVERY, Issuer
from tests.support.stack import Stack

EXCHANGE = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "service": "harbor-registry",
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer() as running:
        yield running


@pytest.fixture(scope="module")
def site(issuer: Issuer) -> Iterator[Stack]:
    """The standalone default, whose operator allows issuers on this machine."""
    with Stack() as running:
        yield running.start(database="sqlite", HARBOR_OUTBOUND_ALLOWED="127.0.0.1,::1")


@pytest.fixture
def robot(site: Stack, issuer: Issuer) -> tuple[str, str]:
    """A project, and the alias of a robot in it that trusts the issuer's tokens for branches of one repository."""
    project = people.project(site)
    access = [{"resource": "repository", "action": "push"}]
    with site.api() as api:
        made = api.post(
            "/api/v2.0/robots",
            json={
                "name": "ci",
                "level": "project",
                "duration": -1,
                "permissions": [{"kind": "project", "namespace": project, "access": access}],
            },
        )
        assert made.status_code == 201, made.text
        trust = api.post(
            f"/api/v2.0/robots/{made.json()['id']}/trusts",
            json={
                "name": "ci",
                "issuer": issuer.url,
                "audience": AUDIENCE,
                "claims": {"sub": f"repo:octo/{project}:ref:refs/heads/*"},
                "ca_certificate": issuer.certificate,
            },
        )
        assert trust.status_code == 201, trust.text
    return project, made.json()["login_alias"]


def test_skopeo_with_a_token_of_the_issuer(
    site: Stack, issuer: Issuer, robot: tuple[str, str], containers: Containers, tmp_path: Path
) -> None:
    project, login = robot
    image, target = oci.image(), f"docker://{site.registry}/{project}/app:1.0"
    source = oci.layout(tmp_path / "source", image)
    token = issuer.token(sub=f"repo:octo/{project}:ref:refs/heads/main")
    push = ("copy", "--dest-tls-verify=false", "--preserve-digests")
    containers.skopeo(*push, "--dest-creds", f"{login}:{token}", f"oci:{source}:1.0", target).ok()
    for creds in (f"{login}:{token}", f"{login.replace('robot+', 'robot$')}:{token}"):
        shown = containers.skopeo("inspect", "--tls-verify=false", "--creds", creds, target).ok()
        assert image.digest in shown
    strangers = issuer.token(sub="repo:octo/other:ref:refs/heads/main")
    for wrong in (strangers, issuer.token(sub=f"repo:octo/{project}:ref:refs/heads/main", exp=1), token[:-9] + "A" * 9):
        refused = containers.skopeo("inspect", "--tls-verify=false", "--creds", f"{login}:{wrong}", target)
        refused.refused("unauthorized", "authentication required", "invalid username/password")


def test_an_exchanged_token_pushes_and_pulls(site: Stack, issuer: Issuer, robot: tuple[str, str]) -> None:
    project, login = robot
    repository, image = f"{project}/app", oci.image()
    before = len(issuer.asked)
    subject = issuer.token(sub=f"repo:octo/{project}:ref:refs/heads/main")
    form = EXCHANGE | {"subject_token": subject, "scope": f"repository:{repository}:pull,push,delete"}
    with site.client() as client:
        for change in ({}, {"account": login}):
            answer = client.post("/service/token", data=form | change)
            assert answer.status_code == 200, answer.text
        assert answer.json()["expires_in"] == 600
        granted = tokens.claims_of(answer.json()["access_token"])["access"]
        assert granted == [{"type": "repository", "name": repository, "actions": ["pull", "push"]}]
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        assert oci.push(client, repository, "1.0", image).status_code == 201
        assert client.get(f"/v2/{repository}/manifests/1.0").content == image.manifest
        assert client.get(f"/v2/{repository}/blobs/{oci.digest_of(image.layer)}").content == image.layer
        assert client.delete(f"/v2/{repository}/manifests/{image.digest}").status_code == 401
    assert set(issuer.asked[before:]) <= {DISCOVERY, "/keys"}
    with site.client() as client:
        refused = client.post("/service/token", data=form | {"subject_token": issuer.token(sub="repo:octo/other")})
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
        other = client.post("/service/token", data={"grant_type": "password", "service": "harbor-registry"})
        assert other.status_code == 405


def personal_token(site: Stack, who: people.Account, *scopes: str) -> tuple[str, str]:
    """(id, secret)."""
    with site.client(auth=who) as client:
        body = {"name": "-".join(scopes).replace(":", "-"), "scopes": list(scopes)}
        answer = client.post("/api/v2.0/users/current/tokens", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"], answer.json()["secret"]


def test_skopeo_with_personal_tokens(site: Stack, containers: Containers, tmp_path: Path) -> None:
    who, project = people.account(site), people.project(site)
    people.member(site, project, who, Role.DEVELOPER)
    image, target = oci.image(), f"docker://{site.registry}/{project}/app:1.0"
    source = oci.layout(tmp_path / "source", image)
    (_, pull), (_, push) = personal_token(site, who, "pull"), personal_token(site, who, "push")
    copy = ("copy", "--dest-tls-verify=false", "--preserve-digests", "--dest-creds")
    refused = containers.skopeo(*copy, f"{who[0]}:{pull}", f"oci:{source}:1.0", target)
    refused.refused("unauthorized", "authentication required", "denied")
    containers.skopeo(*copy, f"{who[0]}:{push}", f"oci:{source}:1.0", target).ok()
    for secret in (pull, push):
        inspect = ("inspect", "--tls-verify=false", "--creds", f"{who[0]}:{secret}", target)
        assert image.digest in containers.skopeo(*inspect).ok()
    somebody = people.account(site)
    containers.skopeo("inspect", "--tls-verify=false", "--creds", f"{somebody[0]}:{push}", target).refused(
        "unauthorized", "authentication required", "invalid username/password"
    )


def test_a_personal_token_on_every_surface(site: Stack) -> None:
    who, project = people.account(site), people.project(site)
    people.member(site, project, who, Role.DEVELOPER)
    number, secret = personal_token(site, who, "push", "api:read")
    repository, image = f"{project}/app", oci.image()
    with site.client(auth=(who[0], secret)) as client:
        assert oci.push(client, repository, "1.0", image).status_code == 201
        assert client.get(f"/api/v2.0/projects/{project}").status_code == 200
        assert client.delete(f"/api/v2.0/projects/{project}/repositories/app").status_code == 403
    with site.client() as client:
        client.headers["Authorization"] = f"Bearer {secret}"
        assert client.get("/api/v2.0/users/current").json()["username"] == who[0]
    bearer = httpx.Headers(
        {"Authorization": f"Bearer {site.token(f'repository:{repository}:pull', auth=(who[0], secret))}"}
    )
    with site.client() as client:
        client.headers.update(bearer)
        assert client.get(f"/v2/{repository}/manifests/1.0").status_code == 200
    with site.api() as admin:
        logs = admin.get(f"/api/v2.0/projects/{project}/logs?page_size=100").json()
        assert {row["username"] for row in logs if row["resource_type"] == "artifact"} == {who[0]}
    with site.client(auth=who) as client:
        assert client.delete(f"/api/v2.0/users/current/tokens/{number}").status_code == 200
    with site.client(auth=(who[0], secret)) as client:
        assert client.get("/v2/").status_code == 401

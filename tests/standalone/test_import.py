"""What another Harbor has is taken over: from an instance of this project, which speaks the same API, into another."""

import json
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support import oci
from tests.support.remote import RemoteRegistry
from tests.support.services import wait_until
from tests.support.stack import Stack

pytestmark = pytest.mark.slow  # in short: tests/operations/test_import.py
PASSWORD = "Correct-horse-7"
SELECTOR = {"kind": "doublestar", "decoration": "matches", "pattern": "v*"}
ANYWHERE = {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]}
HOOK = {
    "event_types": ["PUSH_ARTIFACT"],
    "targets": [{"address": "https://ci.example/hook", "auth_header": "Bearer hook-secret"}],
}


RETENTION = {
    "template": "latestPushedK",
    "params": {"latestPushedK": 5},
    "tag_selectors": [SELECTOR],
    "scope_selectors": ANYWHERE,
}


def everything(remote: str) -> dict[str, Any]:
    registry = {"type": "docker-registry", "url": remote, "insecure": True}
    return {
        "version": 1,
        "configuration": {"self_registration": True, "robot_name_prefix": "bot-", "banner_message": "moved soon"},
        "cve_allowlist": {"items": ["CVE-2026-1"]},
        "users": {
            "ann": {"realname": "Ann A.", "email": "ann@example.com", "comment": "builds", "admin": True},
            "bob": {"password": PASSWORD},
        },
        "labels": {"stable": {"color": "#00aa00", "description": "may be used"}},
        "registries": {
            "open": registry,
            "closed": registry | {"access_key": "mover", "access_secret": "Moving-pass-1"},
        },
        "projects": {
            "team": {
                "public": True,
                "metadata": {"auto_scan": "true", "severity": "high"},
                "storage_limit": 10_000_000,
                "members": {"bob": "developer", "ann": "maintainer"},
                "labels": {"own": {"color": "red", "description": ""}},
                "immutable_rules": [{"tag_selectors": [SELECTOR], "scope_selectors": ANYWHERE}],
                "retention": {"cron": "0 0 3 * * *", "rules": [RETENTION]},
                "webhooks": {"ci": HOOK},
                "cve_allowlist": {"items": ["CVE-2026-2"], "expires_at": 2_000_000_000},
            },
            "mirror": {"proxy_of": "open", "metadata": {"proxy_speed_kb": "500"}},
        },
        "robots": {
            "ci": {
                "duration": 30,
                "permissions": {"/": ["project:list"], "*": ["repository:pull"], "team": ["repository:push"]},
            },
            "team+deploy": {"permissions": {"team": ["repository:pull"]}, "duration": -1},
        },
        "replications": {
            "nightly": {
                "source": "closed",
                "trigger": "scheduled",
                "cron": "0 30 2 * * *",
                "enabled": True,
                "filters": [{"type": "name", "value": "team/**"}],
            },
        },
        "schedules": {"GARBAGE_COLLECTION": {"cron": "0 0 4 * * *", "parameters": {"workers": 2}}},
    }


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A registry with something of everything."""
    remote = RemoteRegistry(("mover", "Moving-pass-1"))
    with Stack() as stack:
        stack.start(database="sqlite", tls=True)
        document = tmp_path_factory.mktemp("source") / "harbor.yaml"
        document.write_text(yaml.safe_dump(everything(remote.url)))
        stack.manage("config_apply", str(document))
        with stack.api() as client:
            for name in ("team/app", "team/deep/er", "library/tool"):
                assert oci.push(client, name, "1.0", oci.image(30_000)).status_code == 201
        yield stack
    remote.stop()


@pytest.fixture(scope="module")
def target() -> Iterator[Stack]:
    with Stack() as stack:
        yield stack.start(database="sqlite", HARBOR_OUTBOUND_ALLOWED="127.0.0.0/8")


@pytest.fixture(scope="module")
def password(tmp_path_factory: pytest.TempPathFactory, source: Stack) -> Path:
    file = tmp_path_factory.mktemp("password") / "password"
    file.write_text(f"{source.admin[1]}\n")
    return file


def command(source: Stack, password: Path, *more: str) -> list[str]:
    return ["import_harbor", source.url, "--password-file", str(password), "--ca", str(source.ca_file), *more]


def export(stack: Stack) -> dict[str, Any]:
    return dict(yaml.safe_load(stack.manage("config_export")))


def counts(said: str) -> dict[str, int]:
    return {state: int(number) for number, state in re.findall(r"(\d+) (\w+)", said.splitlines()[-1])}


def test_everything(source: Stack, target: Stack, password: Path, tmp_path: Path) -> None:
    before = export(target)
    argv = command(source, password, "--content", "--report", str(tmp_path / "report.json"))
    told = target.manage(*argv, "--dry-run")
    assert "made     projects.team" in told and "skipped  users.bob: its password cannot be read" in told
    assert export(target) == before
    secrets = tmp_path / "robots"
    started = target.manage(*argv, "--start", "--robot-secrets", str(secrets))
    assert counts(started)["made"] == counts(told)["made"] and "refused" not in counts(started)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["dry_run"] is False and report["counts"] == counts(started)
    assert "hook-secret" not in str(report) + started

    # The same on both sides, but for what would act by itself and what nobody can read.
    there, here = export(source), export(target)
    content = {name for name in here["replications"] if name.startswith("import-")}
    assert content == {"import-team", "import-library"}
    here["replications"] = {name: rule for name, rule in here["replications"].items() if name not in content}
    here["registries"].pop("import-localhost")
    assert "enabled" not in here["replications"]["nightly"]
    there["replications"]["nightly"].pop("enabled")
    assert here["projects"]["team"]["webhooks"]["ci"].pop("enabled") is False
    there["projects"]["team"]["webhooks"]["ci"].pop("enabled")
    there["schedules"]["GARBAGE_COLLECTION"].pop("parameters")
    here["schedules"]["GARBAGE_COLLECTION"].pop("parameters")
    assert here == there

    # Robots have new secrets, which work and which only their owner reads.
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    known = dict(line.split(": ") for line in secrets.read_text().splitlines())
    with target.client(auth=("bot-team+deploy", known["team+deploy"])) as client:
        wait_until(lambda: client.get("/v2/").status_code == 200, 20, "the prefix of robots to be known")
    with target.client(auth=("bob", PASSWORD)) as client:
        assert client.get("/api/v2.0/users/current").status_code == 401

    # Content comes, and is the same.
    with target.api() as here_api, source.api() as there_api:
        wait_until(lambda: arrived(here_api) == arrived(there_api) != set(), 60, "the content to arrive")

    # Once more: nothing to do.
    again = target.manage(*argv, "--robot-secrets", str(secrets))
    assert counts(again).keys() == {"same", "skipped"}, again
    assert dict(line.split(": ") for line in secrets.read_text().splitlines()) == known


def arrived(client: httpx.Client) -> set[tuple[str, str]]:
    found = set()
    for row in client.get("/api/v2.0/repositories?page_size=100").json():
        project, _, name = row["name"].partition("/")
        path = f"/api/v2.0/projects/{project}/repositories/{name.replace('/', '%252F')}/artifacts"
        found |= {(row["name"], artifact["digest"]) for artifact in client.get(path).json()}
    return found


def test_what_differs_stays_unless_it_is_overwritten(source: Stack, target: Stack, password: Path) -> None:
    with target.api() as client:
        assert client.put("/api/v2.0/projects/team", json={"metadata": {"severity": "low"}}).status_code == 200
        assert client.put("/api/v2.0/configurations", json={"banner_message": "ours"}).status_code == 200
        told = target.manage(*command(source, password))
        assert "conflict projects.team.metadata.severity: high there, low here, which stays" in told
        assert "conflict configuration.banner_message" in told
        assert client.get("/api/v2.0/projects/team").json()["metadata"]["severity"] == "low"
        target.manage(*command(source, password, "--overwrite"))
        assert client.get("/api/v2.0/projects/team").json()["metadata"]["severity"] == "high"


def test_killed_in_the_middle(source: Stack, password: Path) -> None:
    """Each entry is whole or not there; the next run does the rest."""
    with Stack() as fresh:
        fresh.start(database="sqlite", HARBOR_OUTBOUND_ALLOWED="127.0.0.0/8")
        argv, environment = fresh.command(*command(source, password))
        process = subprocess.Popen(argv, cwd=fresh.code, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            if "made     projects." in line:
                process.send_signal(signal.SIGKILL)
                break
        process.wait(30)
        process.stdout.close()
        assert "robots" not in export(fresh)
        rest = counts(fresh.manage(*command(source, password)))
        assert "refused" not in rest and rest["made"] and rest["same"]
        assert export(fresh)["robots"].keys() == export(source)["robots"].keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--ca": None}, "certificate"),
        ({"--user": "bob"}, "does not accept the credentials"),
        ({"--user": "ben"}, "is not an administrator"),
        ({"url": "https://localhost:1"}, "the call failed"),
        ({"url": "ftp://somewhere"}, "address"),
        ({"url": "remote"}, "does not answer as Harbor does"),
        ({"--password-file": "/nowhere/at/all"}, "cannot be read"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    source: Stack, target: Stack, password: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    given = {"url": source.url, "--password-file": str(password), "--ca": str(source.ca_file)} | change
    remote = RemoteRegistry()
    try:
        if given["url"] == "remote":
            given["url"] = remote.url
        if given.get("--user") == "ben":
            person = {"username": "ben", "realname": "ben", "password": source.admin[1] + "x", "email": "b@example.com"}
            with source.api() as client:
                assert client.post("/api/v2.0/users", json=person).status_code == 201
            (tmp_path / "password").write_text(person["password"])
            given["--password-file"] = str(tmp_path / "password")
        argv = [str(given.pop("url"))]
        argv += [str(part) for name, value in given.items() if value is not None for part in (name, value)]
        with pytest.raises(subprocess.CalledProcessError) as failed:
            target.manage("import_harbor", *argv)
    finally:
        remote.stop()
    said = failed.value.stderr.strip().splitlines()
    assert len(said) == 1 and message in said[0], failed.value.stderr

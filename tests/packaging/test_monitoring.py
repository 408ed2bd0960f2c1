"""The board and the alert rules against a real Prometheus that scrapes a real registry: every expression is one, and
names what there is."""

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from tests.faults.breaking import down
from tests.packaging.helm import CHART
from tests.support import oci
from tests.support.services import Service, connects, find, free_port, wait_until
from tests.support.stack import Stack

pytestmark = pytest.mark.slow
RULES = CHART / "monitoring" / "alerts.yaml"
BOARD = CHART / "monitoring" / "dashboard.json"
NAME = re.compile(r"\bharbor_[a-z_]+\b")


class Prometheus(Service):
    """Scrapes the addresses every second and evaluates our rules."""

    def __init__(self, target: str) -> None:
        super().__init__("prometheus")
        self.port = free_port()
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}/api/v1", trust_env=False)
        scrapes = [
            {"job_name": f"harbor-{name or 'exporter'}", "static_configs": [{"targets": [target]}],
             "params": {"comp": [name]} if name else {}}
            for name in ("", "core", "jobservice", "gateway")
        ]  # fmt: skip
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": scrapes,
        }
        path = self.folder / "prometheus.yml"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        argv = [find("prometheus"), f"--config.file={path}", f"--storage.tsdb.path={self.folder / 'data'}"]
        argv += [f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=error"]
        self.spawn(argv, self._is_ready)

    def _is_ready(self) -> bool:
        """It listens before it answers questions."""
        here = connects(("127.0.0.1", self.port))
        return here and httpx.get(f"http://127.0.0.1:{self.port}/-/ready", trust_env=False).status_code == 200

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = self._client.get("/query", params={"query": expression}).json()
        assert answer["status"] == "success", (expression, answer)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def names(self) -> set[str]:
        return set(self._client.get("/label/__name__/values").json()["data"])


@pytest.fixture(scope="module")
def watched() -> Iterator[tuple[Stack, Prometheus]]:
    address = f"127.0.0.1:{free_port()}"
    with Stack() as stack:
        stack.start(database="sqlite", HARBOR_METRICS=address, HARBOR_EXPORTER_CACHE_TIME="0")
        with stack.api() as client:
            project = {"project_name": "limited", "storage_limit": 1_000_000}
            assert client.post("/api/v2.0/projects", json=project).status_code == 201
            image = oci.image()
            assert oci.push(client, "limited/app", "1.0", image).status_code == 201
            assert client.get("/v2/limited/app/manifests/1.0").status_code == 200
            run = client.post("/api/v2.0/system/gc/schedule", json={"schedule": {"type": "Manual"}})
            where = run.headers["Location"]
            wait_until(lambda: client.get(where).json()["job_status"] == "Success", 30, "a job to end")
        stack.manage("shell", "-c", "from projects.services import quota_checks; quota_checks.run()")
        prometheus = Prometheus(address)
        try:
            wait_until(lambda: prometheus.query("min(count_over_time(harbor_up[1m])) > 3"), 60, "some scrapes")
            yield stack, prometheus
        finally:
            prometheus.stop()


def expressions() -> list[tuple[str, str]]:
    """(what it is for, expression)"""
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    found = [(rule["alert"], rule["expr"]) for group in rules["groups"] for rule in group["rules"]]
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    return found + [(panel["title"], one["expr"]) for panel in board["panels"] for one in panel["targets"]]


def test_rules_are_rules() -> None:
    subprocess.run([find("promtool"), "check", "rules", str(RULES)], check=True, capture_output=True)


def test_every_expression_names_what_there_is(watched: tuple[Stack, Prometheus]) -> None:
    _, prometheus = watched
    known = prometheus.names()
    for what, expression in expressions():
        assert set(NAME.findall(expression)) <= known, what
        prometheus.query(expression)


def test_every_panel_shows_something(watched: tuple[Stack, Prometheus]) -> None:
    _, prometheus = watched
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    for panel in board["panels"]:
        if panel["title"] not in ("Refused and failed", "Sign-ins refused"):  # nothing of the kind happened
            for target in panel["targets"]:
                assert prometheus.query(target["expr"]), panel["title"]


def test_nothing_is_wrong_until_something_is(watched: tuple[Stack, Prometheus]) -> None:
    stack, prometheus = watched
    assert prometheus.query("ALERTS") == []
    with down(stack, "worker"):
        pending = 'ALERTS{alertname="HarborComponentDown",component="jobservice",alertstate="pending"}'
        wait_until(lambda: prometheus.query(pending), 60, "the alert about the worker")

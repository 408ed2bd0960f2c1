"""Charts from a repository that the real helm indexed, as the real helm finds them here afterwards."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from replication.services.charts import LAYER
from tests.packaging.helm import CHART, helm
from tests.replication.ends import digest, policy, project, ran
from tests.replication.test_charts import Shelf
from tests.support import oci
from tests.support.stack import Stack

CREATED = "org.opencontainers.image.created"


def done(*argv: str | Path) -> str:
    ended = helm(*argv)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """This project's own chart, one as helm makes it for a beginning, and one that needs that one."""
    packed, demo, whole = tmp_path / "packed", tmp_path / "demo", tmp_path / "whole"
    done("create", demo)
    described = yaml.safe_load((demo / "Chart.yaml").read_text()) | {
        "home": "https://demo.example.com",
        "sources": ["https://git.example.com/demo", "https://git.example.com/other"],
        "maintainers": [{"name": "Ann", "email": "ann@example.com"}, {"name": "Bob"}],
        "keywords": ["größer", "demo"],
        "annotations": {"category": "Test"},
    }
    (demo / "Chart.yaml").write_text(yaml.safe_dump(described, allow_unicode=True))
    done("create", whole)
    needs = {"dependencies": [{"name": "demo", "version": "1.2.0+build.7", "repository": f"file://{demo}"}]}
    (whole / "Chart.yaml").write_text((whole / "Chart.yaml").read_text() + yaml.safe_dump(needs))
    shutil.copytree(CHART, tmp_path / "own")
    done("package", tmp_path / "own", "--destination", packed)
    done("package", demo, "--version", "1.2.0+build.7", "--destination", packed)
    needed = yaml.safe_load((demo / "Chart.yaml").read_text()) | {"version": "1.2.0+build.7"}
    (demo / "Chart.yaml").write_text(yaml.safe_dump(needed, allow_unicode=True))
    done("dependency", "build", whole)
    done("package", whole, "--destination", packed)
    done("repo", "index", packed)
    made = Shelf()
    made.files = {f"/charts/{file.name}": file.read_bytes() for file in packed.iterdir()}
    yield made
    made.stop()


def manifest(api: httpx.Client, repository: str, tag: str) -> dict[str, Any]:
    answer = api.get(f"/v2/{repository}/manifests/{tag}", headers={"Accept": oci.OCI_MANIFEST})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_the_real_helm_finds_its_charts(api: httpx.Client, near: Stack, shelf: Shelf, tmp_path: Path) -> None:
    made = api.post("/api/v2.0/registries", json={"name": tmp_path.name, "type": "helm-hub", "url": shelf.url})
    assert made.status_code == 201, made.text
    name, pushed = project(api), project(api)
    for each in (name, pushed):
        assert api.put(f"/api/v2.0/projects/{each}", json={"metadata": {"public": "true"}}).status_code == 200
    remote = int(made.headers["Location"].rpartition("/")[2])
    ran(api, policy(api, src_registry={"id": remote}, dest_namespace=name))
    login = tmp_path / "login.json"
    options = ["--registry-config", login, "--plain-http"]
    done("registry", "login", f"localhost:{near.port}", "-u", near.admin[0], "-p", near.admin[1], *options)
    index = yaml.safe_load(shelf.files["/charts/index.yaml"])
    assert {chart: [row["version"] for row in rows] for chart, rows in index["entries"].items()} == {
        "demo": ["1.2.0+build.7"],
        "harbor": [yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]],
        "whole": ["0.1.0"],
    }
    for chart, rows in index["entries"].items():
        version, path = rows[0]["version"], tmp_path / "packed" / rows[0]["urls"][0]
        address, tag = f"oci://localhost:{near.port}/{name}/{chart}", version.replace("+", "_")
        fetched = tmp_path / "fetched" / chart
        fetched.mkdir(parents=True)
        done("pull", address, "--version", version, "--destination", fetched, *options)
        [archive] = fetched.iterdir()
        assert archive.read_bytes() == path.read_bytes()
        again = done("template", "release", address, "--version", version, *options)
        assert again == done("template", "release", path) and "kind: Service" in again
        assert done("show", "chart", address, "--version", version, *options) == done("show", "chart", path)
        # What was copied is what a push makes, to the last key; only the order of the config's keys is not helm's.
        done("push", path, f"oci://localhost:{near.port}/{pushed}", *options)
        ours, helms = manifest(api, f"{name}/{chart}", tag), manifest(api, f"{pushed}/{chart}", tag)
        assert ours["layers"] == helms["layers"] and ours["layers"][0]["mediaType"] == LAYER
        annotations = [
            {key: value for key, value in each["annotations"].items() if key != CREATED} for each in (ours, helms)
        ]
        assert annotations[0] == annotations[1]
        configs = [
            json.loads(api.get(f"/v2/{where}/{chart}/blobs/{each['config']['digest']}").content)
            for where, each in ((name, ours), (pushed, helms))
        ]
        assert configs[0] == configs[1]
    assert not digest(api, f"{name}/demo", "1.2.0")

"""The real helm, built from its Go module once per version into ``build/helm``."""

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.conformance import go
from tests.support.stack import ROOT

MODULE, VERSION = "helm.sh/helm/v3/cmd/helm", "v3.19.5"
KUBERNETES = "1.33.0"
CHART = ROOT / "helm" / "harbor"


def binary() -> Path:
    folder = ROOT / "build" / "helm" / VERSION
    program = folder / "helm"
    if not program.exists():
        environment = dict(os.environ) | {"GOBIN": str(folder), "CGO_ENABLED": "0"}
        subprocess.run([go(), "install", f"{MODULE}@{VERSION}"], env=environment, check=True, timeout=900)
    return program


def helm(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {"HOME": str(ROOT / "build"), "PATH": os.environ["PATH"]}
    # Built from its module alone it does not know a current Kubernetes by itself.
    command = [str(binary()), *map(str, argv), *(("--kube-version", KUBERNETES) if argv[0] == "template" else ())]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def render(*values: str, files: tuple[Path, ...] = (), release: str = "harbor") -> list[dict[str, Any]]:
    """The objects of a release with these ``--set`` values. Raises AssertionError with what helm said."""
    argv: list[str | Path] = ["template", release, CHART, "--namespace", "kube-ops"]
    for file in files:
        argv += ["--values", file]
    for value in values:
        argv += ["--set", value]
    done = helm(*argv)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def refusal(*values: str) -> str:
    done = helm("template", "harbor", CHART, *(word for value in values for word in ("--set", value)))
    assert done.returncode != 0, "helm took it"
    return done.stderr


@cache
def custom_schema(module: str, version: str, file: str, api_version: str) -> dict[str, Any]:
    """The schema of a custom resource, from the Go module its project publishes it in. Names it does not have are
    refused, as an API server does that is asked to be strict."""
    folder = ROOT / "build" / "modules"
    environment = dict(os.environ) | {"GOPATH": str(folder), "GOFLAGS": "-modcacherw"}
    argv = [go(), "mod", "download", "-json", f"{module}@{version}"]
    done = subprocess.run(argv, env=environment, check=True, capture_output=True, text=True, cwd="/", timeout=300)
    document = yaml.safe_load((Path(json.loads(done.stdout)["Dir"]) / file).read_text(encoding="utf-8"))
    (found,) = [one for one in document["spec"]["versions"] if one["name"] == api_version.partition("/")[2]]
    schema: dict[str, Any] = found["schema"]["openAPIV3Schema"]
    _close(schema["properties"]["spec"])
    return schema


def _close(schema: Any) -> None:
    """No further names in any object that lists its own; patterns as Python's regular expressions have them."""
    if isinstance(schema, dict):
        if isinstance(pattern := schema.get("pattern"), str):
            schema["pattern"] = pattern.replace("^(?i)", "(?i)^")
        if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            _close(value)
    elif isinstance(schema, list):
        for value in schema:
            _close(value)

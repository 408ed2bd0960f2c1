"""The real helm, built from its Go module once per version into ``build/helm``."""

import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.support.conformance import go
from tests.support.stack import ROOT

MODULE, VERSION = "helm.sh/helm/v3/cmd/helm", "v3.19.5"
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
    command = [str(binary()), *map(str, argv)]
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

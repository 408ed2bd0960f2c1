"""Run the OCI distribution-spec conformance suite against a private stack: ``python -m tests.support.conformance``.

The suite is a Go program; only this target needs Go. All four workflows are on (pull, push, content discovery, content
management). Left out, because this registry refuses them clearly: sha512 digests and indexes with absent children.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.stack import Stack

MODULE = "github.com/opencontainers/distribution-spec/conformance"
VERSION = "v0.0.0-20260831232431-97274622c111"
BUILD = Path(__file__).resolve().parent.parent.parent / "build" / "conformance"


def build() -> Path:
    """Compile the suite into the build folder; done once per version."""
    program = BUILD / VERSION / "conformance"
    if program.exists():
        return program
    go = shutil.which("go")
    if go is None:
        sys.exit("conformance: Go is missing; apt-get install golang-go")
    program.parent.mkdir(parents=True, exist_ok=True)
    (program.parent / "go.mod").write_text("module conformance\n\ngo 1.24\n", encoding="ascii")
    for argv in (["get", f"{MODULE}@{VERSION}"], ["build", "-o", str(program), MODULE]):
        subprocess.run([go, *argv], cwd=program.parent, check=True)
    return program


def run(stack: Stack, program: Path) -> int:
    name, password = stack.admin
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(stack.folder),
        "OCI_REGISTRY": stack.registry,
        "OCI_TLS": "disabled",
        "OCI_REPO1": "library/conformance",
        "OCI_REPO2": "library/conformance-mount",
        "OCI_USERNAME": name,
        "OCI_PASSWORD": password,
        "OCI_API_BLOBS_UPLOAD_CANCEL": "true",
        "OCI_DATA_SHA512": "false",
        "OCI_RESULTS_DIR": str(BUILD / "results"),
    }
    return subprocess.run([str(program)], env=environment, cwd=BUILD, check=False, timeout=600).returncode


def main() -> int:
    program = build()
    with Stack() as stack:
        return run(stack.start(database="postgres"), program)


if __name__ == "__main__":
    sys.exit(main())

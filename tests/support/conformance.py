"""Run the OCI distribution-spec conformance suite against a private stack: ``make conformance``.

The suite is the specification's own Go program, built here. Pull, push, content discovery and content management are
on, and so is what the suite leaves optional and this registry promises: digest headers, cancelling an upload. Off is
content addressed by sha512, which this registry refuses with DIGEST_INVALID. Reports (``report.html``, ``junit.xml``,
``results.yaml``) are left in ``build/conformance/results`` beside the stack's log; the exit status is the suite's.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.services import clean_environment
from tests.support.stack import ROOT, Stack

MODULE = "github.com/opencontainers/distribution-spec/conformance"
VERSION = "v0.0.0-20260831232431-97274622c111"
OUTPUT = ROOT / "build" / "conformance"
SETTINGS = {
    "OCI_VERSION": "1.1",
    "OCI_TLS": "disabled",
    "OCI_REPO1": "library/conformance",
    "OCI_REPO2": "library/conformance-mount",
    "OCI_API_BLOBS_DIGEST_HEADER": "true",
    "OCI_API_BLOBS_UPLOAD_CANCEL": "true",
    "OCI_API_MANIFESTS_DIGEST_HEADER": "true",
    "OCI_DATA_SHA512": "false",
}


def go() -> str:
    """The Go command: the machine's, or the one the installer put into the virtual environment."""
    found = shutil.which("go") or shutil.which("go", path=str(Path(sys.executable).parent))
    if found is None:
        raise FileNotFoundError("Go is missing; `make conformance` installs it")
    return found


def build() -> Path:
    """Compile the suite once per version. Returns the test program."""
    program = OUTPUT / f"conformance-{VERSION}"
    if program.exists():
        return program
    source = OUTPUT / "source"
    source.mkdir(parents=True, exist_ok=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HARBOR_")}
    environment = inherited | {"GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
    if not (source / "go.mod").exists():
        subprocess.run([go(), "mod", "init", "conformance.local"], cwd=source, env=environment, check=True)
    subprocess.run([go(), "get", f"{MODULE}@{VERSION}"], cwd=source, env=environment, check=True)
    subprocess.run([go(), "build", "-o", str(program), MODULE], cwd=source, env=environment, check=True)
    return program


def run(stack: Stack, program: Path) -> int:
    """Run every workflow against a stack. Returns the suite's exit status."""
    environment = clean_environment() | SETTINGS
    environment |= {
        "OCI_REGISTRY": stack.registry,
        "OCI_USERNAME": stack.admin[0],
        "OCI_PASSWORD": stack.admin[1],
        "OCI_RESULTS_DIR": str(OUTPUT / "results"),
    }
    return subprocess.run([str(program)], cwd=OUTPUT, env=environment, check=False).returncode


def main() -> int:
    program = build()
    with Stack() as stack:
        stack.start(database="postgres", HARBOR_LOG_LEVEL="warning")
        try:
            return run(stack, program)
        finally:
            (OUTPUT / "stack.log").write_text(stack.log, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

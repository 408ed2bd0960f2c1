"""Management commands in the environment of a running registry."""

import subprocess
import sys
from pathlib import Path

from tests.support.services import clean_environment
from tests.support.stack import ROOT, Stack


def manage(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harbor_core.standalone", "manage", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_the_doctor_finds_nothing_wrong(stack_sqlite: Stack) -> None:
    done = manage(stack_sqlite.environment, "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert {line.split()[0] for line in lines} <= {"ok", "warning"}
    told = "\n".join(lines)
    for check in ("database", "redis", "storage", "registry", "keys", "secrets", "jobs"):
        assert f"ok      {check}: " in told
    assert f"{stack_sqlite.url} leads here" in told


def test_before_the_first_start(tmp_path: Path) -> None:
    done = manage(clean_environment() | {"HARBOR_DATA_DIR": str(tmp_path)}, "doctor")
    assert done.returncode == 2 and "start the registry once" in done.stderr

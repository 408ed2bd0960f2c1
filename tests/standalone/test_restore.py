"""A registry that is lost goes on elsewhere, from a backup that was made while it was in use."""

import subprocess
import threading
from pathlib import Path

import pytest

from tests.faults.breaking import assert_whole
from tests.support import oci
from tests.support.stack import Stack

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("database", ["postgres", "sqlite"])
def test_another_machine_goes_on(database: str, tmp_path: Path) -> None:
    root = tmp_path / "backups"
    image, pushed = oci.image(200_000), threading.Event()
    over = threading.Event()

    def push_on(stack: Stack) -> None:
        with stack.api() as client:
            number = 0
            while not over.is_set():
                number += 1
                assert oci.push(client, "library/busy", f"v{number}", oci.image()).status_code == 201
                pushed.set()

    with Stack() as old:
        old.start(database=database)  # type: ignore[arg-type]  # one of the two
        with old.api() as client:
            assert oci.push(client, "library/app", "1.0", image).status_code == 201
        busy = threading.Thread(target=push_on, args=(old,))
        busy.start()
        try:
            assert pushed.wait(30)
            old.manage("backup", str(root))
        finally:
            over.set()
            busy.join()
        assert "good: " in old.manage("restore", str(root), "--verify")
        with pytest.raises(subprocess.CalledProcessError):  # it is in use
            old.manage("restore", str(root))
    (secrets,) = root.glob("*/secrets")
    with Stack() as new:
        new.start(
            database=database,  # type: ignore[arg-type]  # one of the two
            HARBOR_SECRET_KEY_FILE=str(secrets / "secret_key"),
            HARBOR_REGISTRY_HTTP_SECRET_FILE=str(secrets / "registry_http_secret"),
        )
        new.terminate()
        new.manage("restore", str(root))
        assert "0 violations" in new.manage("verify", "--deep")
        new.launch()
        assert_whole(new, "library/app", "1.0", image)
        with new.api() as client:
            assert oci.push(client, "library/app", "2.0", oci.image()).status_code == 201

"""The volume of a plain registry:2 is taken over as it is: what skopeo pushed there is pulled from here."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import oci
from tests.support.remote import RemoteRegistry
from tests.support.services import find
from tests.support.stack import Stack

NAMES = ("team/app", "deep/in/side", "alone")


def skopeo(*argv: str) -> str:
    done = subprocess.run([find("skopeo"), *argv], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_taken_over(tmp_path: Path) -> None:
    old = RemoteRegistry()
    images = {name: oci.image(50_000) for name in NAMES}
    try:
        for name, image in images.items():
            layout = oci.layout(tmp_path / name, image)
            for tag in ("1.0", "latest"):
                target = f"docker://127.0.0.1:{old.port}/{name}:{tag}"
                skopeo("copy", "--dest-tls-verify=false", f"oci:{layout}:1.0", target)
        storage = tmp_path / "volume"
        shutil.copytree(old.folder / "storage", storage)
    finally:
        old.stop()
    tmp_path.chmod(0o711)
    with Stack() as stack:
        stack.start(database="sqlite", HARBOR_STORAGE_FILESYSTEM_ROOTDIRECTORY=str(storage))
        with pytest.raises(subprocess.CalledProcessError) as failed:
            stack.manage("rebuild_from_storage")
        assert "2 projects, 2 manifests, 4 tags" in failed.value.stdout
        assert "alone" in failed.value.stderr and "team" not in failed.value.stderr
        # It can be pulled and inspected as before, and is private.
        login = f"--src-creds={stack.admin[0]}:{stack.admin[1]}"
        for name in NAMES[:2]:
            for tag in ("1.0", "latest"):
                source = f"docker://127.0.0.1:{stack.port}/{name}:{tag}"
                skopeo("copy", "--src-tls-verify=false", login, source, f"dir:{tmp_path / 'out'}")
                assert (tmp_path / "out" / "manifest.json").read_bytes() == images[name].manifest
        with stack.client() as client:
            assert client.get("/api/v2.0/projects/team").status_code in (401, 403, 404)
        # What storage held before is one whole with what comes now.
        with stack.api() as client:
            assert oci.push(client, "team/app", "2.0", oci.image(20_000)).status_code == 201
        assert "0 violations" in stack.manage("verify", "--deep", "--quiet-leftovers")
        with pytest.raises(subprocess.CalledProcessError) as again:
            stack.manage("rebuild_from_storage")
        assert "0 projects, 0 manifests, 0 tags" in again.value.stdout

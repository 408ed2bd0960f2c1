"""Real clients against the whole stack."""

import subprocess
from pathlib import Path

from tests.support import oci
from tests.support.stack import Stack


def run(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_skopeo_pushes_lists_and_pulls_anonymously(stack: Stack, tmp_path: Path) -> None:
    image = oci.image(100_000)
    source = oci.layout(tmp_path / "layout", image)
    target = f"docker://{stack.registry}/library/skopeo:1.0"
    credentials = ":".join(stack.admin)
    skopeo = ("skopeo", "--insecure-policy")
    run(*skopeo, "copy", "--dest-tls-verify=false", "--dest-creds", credentials, f"oci:{source}:1.0", target)
    assert '"1.0"' in run("skopeo", "list-tags", "--tls-verify=false", f"docker://{stack.registry}/library/skopeo")
    run(*skopeo, "copy", "--src-tls-verify=false", target, f"dir:{tmp_path}/pulled")
    assert (tmp_path / "pulled" / oci.digest_of(image.layer).removeprefix("sha256:")).read_bytes() == image.layer


def test_skopeo_is_refused_with_a_wrong_password(stack: Stack, tmp_path: Path) -> None:
    source = oci.layout(tmp_path / "layout", oci.image())
    target = f"docker://{stack.registry}/library/refused:1.0"
    done = subprocess.run(
        ["skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", "--dest-creds", "admin:wrong",
         f"oci:{source}:1.0", target],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "wrong user name, password or secret" in done.stderr or "unauthorized" in done.stderr

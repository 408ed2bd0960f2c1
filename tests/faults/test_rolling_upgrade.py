"""A release goes on while the schema of the newer one is there: the code of then, beside the code of now, on one
database and one storage. Takes minutes; the older releases come from the history of the repository."""

import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest

from tests.support import oci
from tests.support.services import clean_environment, temp_folder
from tests.support.stack import ROOT, Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PASSWORD = "Correct-horse-7"
Pushed = tuple[str, str, oci.Image]


def git(*argv: str) -> bytes:
    return subprocess.run(["git", *argv], cwd=ROOT, capture_output=True, check=True).stdout


@pytest.fixture
def release(request: pytest.FixtureRequest) -> Iterator[Path]:
    """The code as it was before a file came: its path is the parameter."""
    try:
        commit = git("log", "--diff-filter=A", "--format=%H^", "--", request.param).decode().split()[-1]
        archive = git("archive", commit)
    except (OSError, subprocess.CalledProcessError, IndexError):
        pytest.skip(f"the history that has the release before {request.param} is not here")
    folder = temp_folder("harbor-release")
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    yield folder
    shutil.rmtree(folder)


def beside(old: Stack) -> tuple[Stack, dict[str, str]]:
    """A stack of this release, not started yet, that shares database, storage, secrets and keys; and what it needs to
    be told for that."""
    new = Stack()
    for name in ("secrets", "keys"):
        shutil.copytree(old.data_dir / name, new.data_dir / name)
    new.data_dir.chmod(0o711)
    return new, {
        "HARBOR_DATABASE_URL": old.environment["HARBOR_DATABASE_URL"],
        "HARBOR_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(old.storage_root),
    }


def manage(new: Stack, shared: dict[str, str], *argv: str) -> str:
    """A command of this release before any of its processes runs."""
    environment = (
        clean_environment()
        | shared
        | {
            "HARBOR_DATA_DIR": str(new.data_dir),
            "HARBOR_KEY_DIR": str(new.data_dir / "keys"),
            "HARBOR_SECRET_KEY_FILE": str(new.data_dir / "secrets" / "secret_key"),
        }
    )
    done = subprocess.run(
        [sys.executable, "manage.py", *argv], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def push(stack: Stack, repository: str, tag: str) -> Pushed:
    image = oci.image(20_000)
    with stack.api() as client:
        answer = oci.push(client, repository, tag, image)
    assert answer.status_code == 201, answer.text
    return repository, tag, image


def pull(stack: Stack, pushed: Pushed, token: str = "") -> None:
    """With a token of this stack, unless another one's is given."""
    repository, tag, image = pushed
    headers = {"Authorization": f"Bearer {token or stack.token(f'repository:{repository}:pull')}"}
    with stack.client() as client:
        for path, content in (
            (f"manifests/{tag}", image.manifest),
            (f"manifests/{image.digest}", image.manifest),
            (f"blobs/{oci.digest_of(image.layer)}", image.layer),
        ):
            answer = client.get(f"/v2/{repository}/{path}", headers=headers)
            assert (answer.status_code, answer.content) == (200, content), (path, answer.text[:300])


def at_work(stack: Stack, name: str) -> list[Pushed]:
    """Pushes, pulls, and writes of the API, on names of their own."""
    project = f"project-{name}"
    with stack.api() as client:
        made = client.post("/api/v2.0/projects", json={"project_name": project, "metadata": {"public": "false"}})
        assert made.status_code == 201, made.text
        body = {"username": f"user-{name}", "email": f"{name}@example.com", "realname": name, "password": PASSWORD}
        made = client.post("/api/v2.0/users", json=body)
        assert made.status_code == 201, made.text
        member = {"role_id": 2, "member_user": {"username": f"user-{name}"}}
        made = client.post(f"/api/v2.0/projects/{project}/members", json=member)
        assert made.status_code == 201, made.text
        pushed = [push(stack, f"{project}/app", "1.0"), push(stack, f"{project}/app", "2.0")]
        for each in pushed:
            pull(stack, each)
        path = f"/api/v2.0/projects/{project}/repositories/app/artifacts"
        assert len(client.get(path).json()) == 2
        assert client.post(f"{path}/2.0/tags", json={"name": "more"}).status_code == 201
        assert client.delete(f"{path}/2.0/tags/more").status_code == 200
        assert client.delete(f"{path}/{pushed[1][2].digest}").status_code == 200
        assert client.put(f"/api/v2.0/projects/{project}", json={"metadata": {"public": "true"}}).status_code == 200
    return pushed[:1]


class Pushing:
    """A client that pushes without a pause; ``refused`` is what it was told instead of 201."""

    def __init__(self, stack: Stack) -> None:
        self.pushed: list[Pushed] = []
        self.refused: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(stack,))

    def _run(self, stack: Stack) -> None:
        while not self._over.is_set():
            try:
                self.pushed.append(push(stack, "library/meanwhile", f"v{len(self.pushed)}"))
            except (AssertionError, KeyError, httpx.HTTPError) as error:
                self.refused.append(repr(error)[:500])

    def __enter__(self) -> "Pushing":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


@pytest.mark.parametrize(
    "release",
    [
        pytest.param("auth/migrations/0003_tokens_and_rotation.py", id="the first there was"),
        pytest.param("projects/migrations/0013_accessory_listing.py", id="one with every kind of table"),
    ],
    indirect=True,
)
def test_the_release_of_before_goes_on(release: Path) -> None:
    with Stack(release) as old:
        old.start(database="postgres")
        everything = at_work(old, "before")
        new, shared = beside(old)
        try:
            told = manage(new, shared, "check_upgrade")
            assert "\nstop" not in told
            with Pushing(old) as client:
                manage(new, shared, "migrate", "--verbosity", "0")
                reached = len(client.pushed) + 3
                while len(client.pushed) < reached and len(client.refused) < 1000:
                    client._over.wait(0.05)
            # Where nothing was said nothing fails, not even while the schema changes.
            assert not client.refused or "It fails in that until" in told, client.refused
            everything += client.pushed + at_work(old, "on-the-newer-schema")
            # Both at once, each with what the other one wrote, and with its tokens.
            new.start(database="sqlite", **shared)
            everything += at_work(new, "new") + at_work(old, "beside-the-new")
            for each in everything:
                pull(new, each, old.token(f"repository:{each[0]}:pull"))
                pull(old, each, new.token(f"repository:{each[0]}:pull"))
            # The way back: the older release starts on the newer schema.
            old.restart()
            everything += at_work(old, "again")
            assert old.is_ready() and new.is_ready()
            assert "0 violations" in (said := new.manage("verify", "--deep")), said
            for each in everything:
                pull(new, each)
        finally:
            new.stop()

"""Files that are written into a tree while somebody removes it."""

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from harbor_core.lib.storage_backends import FilesystemBackend

LINK = "repositories/team/app/_layers/sha256/0a/link"


def test_what_is_put_while_the_tree_goes_is_there_or_was_removed_after(tmp_path: Path) -> None:
    store = FilesystemBackend(str(tmp_path))
    over = threading.Event()

    def remove() -> None:
        while not over.wait(0.01):
            store.remove_tree("repositories/team/app")

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        for _ in range(300):
            store.put(LINK, b"sha256:0a")
    finally:
        over.set()
        remover.join()
    store.put(LINK, b"sha256:0a")
    assert store.read(LINK) == b"sha256:0a"
    assert [path for path, _ in store.walk("")] == [LINK]


def test_the_temporary_file_that_goes_with_the_tree_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FilesystemBackend(str(tmp_path))
    rename, removed = Path.rename, []

    def removed_once(self: Path, target: Any) -> Path:
        if not removed:
            removed.append(self)
            shutil.rmtree(tmp_path / "repositories")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", removed_once)
    store.put(LINK, b"sha256:0a")
    assert removed and store.read(LINK) == b"sha256:0a"

from pathlib import Path

import pytest

from harbor_core.lib import storage
from harbor_core.lib.storage_backends import FilesystemBackend
from tests.cast import admin, fresh_memory, world

__all__ = ["admin", "fresh_memory", "world"]


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FilesystemBackend:
    """An empty storage of the test's own."""
    made = FilesystemBackend(str(tmp_path / "storage"))
    made.root.mkdir()
    monkeypatch.setattr(storage, "backend", lambda: made)
    return made

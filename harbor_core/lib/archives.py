"""Single files out of a tar archive that somebody else packed: nothing is written to disk, everything is bounded."""

import io
import tarfile
import zlib
from collections.abc import Callable
from gzip import GzipFile
from typing import IO, Any, cast

MAX_UNPACKED = 64 * 1024 * 1024  # bytes looked at in all
MAX_ENTRIES = 10_000
_GZIP = b"\x1f\x8b"


class BadArchive(ValueError):
    """No tar archive (plain or gzip), broken, or too large."""


class _Bounded:
    """Reads up to MAX_UNPACKED bytes of a stream."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left = MAX_UNPACKED

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self._left:
            raise BadArchive("the archive unpacks to more than can be looked at")
        data = self._stream.read(size)
        self._left -= len(data)
        return data


def files(archive: bytes, wanted: Callable[[str], bool], *, limit: int) -> dict[str, bytes]:
    """Content of the regular files whose path is wanted, each of ``limit`` bytes at most; of two with one path the
    first. Raises BadArchive."""
    raw: IO[bytes] = io.BytesIO(archive)
    stream = cast(IO[bytes], GzipFile(fileobj=raw)) if archive.startswith(_GZIP) else raw
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=cast(Any, _Bounded(stream)), mode="r|") as tar:
            for number, member in enumerate(tar):
                if number >= MAX_ENTRIES:
                    raise BadArchive(f"the archive has more than {MAX_ENTRIES} entries")
                if not member.isreg() or member.name in found or not wanted(member.name):
                    continue
                content = cast(IO[bytes], tar.extractfile(member)).read(limit + 1)
                if len(content) > limit:
                    raise BadArchive(f"{member.name[:100]} has more than {limit} bytes")
                found[member.name] = content
    except (tarfile.TarError, EOFError, OSError, OverflowError, RecursionError, zlib.error) as exc:
        raise BadArchive("the archive is broken") from exc
    except ValueError as exc:
        raise exc if isinstance(exc, BadArchive) else BadArchive("the archive is broken") from exc
    return found

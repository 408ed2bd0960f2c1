"""The kinds of patterns that rules about names may hold: ``doublestar`` globs, and ours: ``regex`` (RE2: its time is
linear in the name, whatever the pattern) and ``semver`` (ranges of versions as npm writes them, such as ``^1.4 || 2``).
"""

import re
from functools import lru_cache
from typing import Any

import re2
from semantic_version import NpmSpec, Version

from harbor_core.lib import doublestar
from harbor_core.lib.doublestar import BadPattern

DOUBLESTAR, REGEX, SEMVER = "doublestar", "regex", "semver"
MAX_LENGTH = 512  # of the kinds that are compiled
_VERSION = re.compile(r"v?[0-9]+(\.[0-9]+){0,2}([-+]|$)")


def check(kind: str, pattern: str) -> None:
    """Raise :class:`BadPattern` for what cannot be read."""
    if kind == DOUBLESTAR:
        return doublestar.validate(pattern)
    if len(pattern) > MAX_LENGTH:
        raise BadPattern(f"a pattern of kind {kind} may have {MAX_LENGTH} characters")
    _compiled(kind, pattern)
    return None


def matches(kind: str, pattern: str, name: str) -> bool:
    """Does the whole name match? For ``semver`` a version may begin with ``v`` and lack its last numbers (``v1.2`` is
    1.2.0); other names match no range, and pre-releases only a range that names one. Raises :class:`BadPattern`."""
    if kind == DOUBLESTAR:
        return doublestar.match(pattern, name)
    compiled = _compiled(kind, pattern)
    if kind == REGEX:
        return compiled.fullmatch(name) is not None
    version = _version(name)
    return version is not None and version in compiled


@lru_cache(1024)
def _compiled(kind: str, pattern: str) -> Any:
    try:
        return _regex(pattern) if kind == REGEX else NpmSpec(pattern)
    except re2.error as exc:
        reason = exc.args[0].decode(errors="replace") if isinstance(exc.args[0], bytes) else exc.args[0]
        raise BadPattern(f"{pattern[:100]!r} is not a regular expression: {reason}") from None
    except ValueError:
        raise BadPattern(f"{pattern[:100]!r} is not a range of versions") from None


def _regex(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20  # a megabyte: (x{100}){100} is refused
    return re2.compile(pattern, options)


@lru_cache(10_000)
def _version(name: str) -> Version | None:
    if not _VERSION.match(name):
        return None
    try:
        return Version.coerce(name.removeprefix("v"))
    except ValueError:
        return None

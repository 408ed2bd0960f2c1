"""The grammars of the distribution spec ("Pulling manifests"), compiled once.

The gateway's locations spell the same repository grammar; tests/gateway compares the two.
"""

import re

COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REPOSITORY = rf"{COMPONENT}(?:/{COMPONENT})*"
TAG = r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"
DIGEST = r"sha256:[a-f0-9]{64}"
ANY_DIGEST = r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+"
UPLOAD_ID = r"[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}"
PROJECT = r"[a-z0-9]+(?:[._-][a-z0-9]+)*"
REPOSITORY_MAX = 255

_repository = re.compile(REPOSITORY)
_tag = re.compile(TAG, re.ASCII)
_digest = re.compile(DIGEST)
_any_digest = re.compile(ANY_DIGEST)
_project = re.compile(PROJECT)


def is_repository(value: str) -> bool:
    """``project/name[/more]`` within the spec's grammar and 255 characters."""
    return len(value) <= REPOSITORY_MAX and "/" in value and _repository.fullmatch(value) is not None


def is_tag(value: str) -> bool:
    return _tag.fullmatch(value) is not None


def is_digest(value: str) -> bool:
    """A digest this registry stores: ``sha256:`` and 64 lower-case hexadecimal digits."""
    return _digest.fullmatch(value) is not None


def looks_like_digest(value: str) -> bool:
    """Anything of the digest form, supported algorithm or not."""
    return _any_digest.fullmatch(value) is not None


def is_project(value: str) -> bool:
    return len(value) <= REPOSITORY_MAX and _project.fullmatch(value) is not None


def split_repository(value: str) -> tuple[str, str]:
    """``library/a/b`` -> ``("library", "a/b")``."""
    project, _, rest = value.partition("/")
    return project, rest

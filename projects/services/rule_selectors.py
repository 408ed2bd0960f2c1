"""Selectors of rules about tags (immutability, retention): what may stand in them (contract 2.12)."""

from collections.abc import Mapping, Sequence
from typing import Any

from harbor_core.lib import patterns
from harbor_core.lib.doublestar import BadPattern
from harbor_core.lib.errors import HarborError

DECORATIONS = {"tag": ("matches", "excludes"), "repository": ("repoMatches", "repoExcludes")}


def checked(
    where: str, selectors: Sequence[Mapping[str, Any]], of: str, *, most: int, kinds: tuple[str, ...]
) -> list[dict[str, str]]:
    """1 to ``most`` selectors ``of`` a tag or a repository, whole. Raises BAD_REQUEST that says ``where``."""
    if not 1 <= len(selectors) <= most:
        raise HarborError("BAD_REQUEST", f"{where} must hold 1 to {most} selectors")
    return [_checked(where, item, DECORATIONS[of], kinds) for item in selectors]


def _checked(
    where: str, item: Mapping[str, Any], decorations: tuple[str, ...], kinds: tuple[str, ...]
) -> dict[str, str]:
    kind, pattern = item.get("kind") or patterns.DOUBLESTAR, item.get("pattern") or ""
    if kind not in kinds:
        raise HarborError("BAD_REQUEST", f"{where}: the kind of a selector is {' or '.join(kinds)}")
    if item.get("decoration") not in decorations:
        raise HarborError("BAD_REQUEST", f"{where}: the decoration is one of {', '.join(decorations)}")
    if not pattern:
        raise HarborError("BAD_REQUEST", f"{where}: a selector needs a pattern")
    try:
        patterns.check(kind, pattern)
    except BadPattern as exc:
        raise HarborError("BAD_REQUEST", f"{where}: {exc}") from None
    return {"kind": kind, "decoration": item["decoration"], "pattern": pattern, "extras": item.get("extras") or ""}

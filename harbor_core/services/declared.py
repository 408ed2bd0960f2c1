"""The configuration of the whole system as one document (docs/declared.md): written out, and applied.

What the document states is brought about through the services that the API uses; what it does not state stays. A field
that is stated is stated whole: ``members`` of a project are then all of its members. Applying it is one transaction:
all of it, or nothing; a dry run is the same transaction, rolled back, so it also finds what would be refused.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from auth.actor import Actor
from harbor_core.lib.errors import HarborError
from harbor_core.services import config, declared_accounts, declared_projects, declared_system, declared_webhooks
from harbor_core.services.declared_sections import Section, unknown
from projects import access

VERSION = 1
# In this order: each may name what those before it hold.
SECTIONS: dict[str, Section] = {
    "configuration": declared_system.Configuration(),
    "cve_allowlist": declared_system.Allowlist(),
    "users": declared_accounts.Users(),
    "groups": declared_accounts.Groups(),
    "labels": declared_projects.Labels(),
    "registries": declared_system.Registries(),
    "projects": declared_projects.Projects(),
    "robots": declared_accounts.Robots(),
    "webhooks": declared_webhooks.Webhooks(),
    "replications": declared_system.Replications(),
    "schedules": declared_system.Schedules(),
}


@dataclass(frozen=True, slots=True)
class Change:
    """What is different at a place of the document (``projects.team.public``); None: it is not there."""

    where: str
    before: Any
    after: Any


class _Undo(Exception):
    """Ends a dry run."""


def export() -> dict[str, Any]:
    """The document as of now, without secrets, and without settings that are at their defaults."""
    config.forget()
    sections = {name: section.export() for name, section in SECTIONS.items()}
    return {"version": VERSION} | {name: entries for name, entries in sections.items() if entries}


def apply(actor: Actor, document: Any, *, dry_run: bool = False) -> list[Change]:
    """Bring about what the document states. Returns what became different by that (or would: ``dry_run``).

    Raises HarborError with the place of what cannot be.
    """
    sections = _checked(document)
    with undone() if dry_run else kept():
        before = _state(sections)
        for name, entries in sections.items():
            for key, values in entries.items():
                try:
                    SECTIONS[name].put(actor, key, values)
                except HarborError as error:
                    raise HarborError(error.code, f"{name}.{key}: {error.message}") from error
            config.forget()
        return list(_differences("", before, _state(sections)))


@contextmanager
def kept() -> Iterator[None]:
    """One transaction, in which what this process remembers of settings and rights is read again."""
    try:
        config.forget()
        with transaction.atomic():
            yield
    finally:
        config.forget()
        access.forget()


@contextmanager
def undone() -> Iterator[None]:
    """As :func:`kept`, rolled back at its end."""
    with suppress(_Undo), kept():
        yield
        raise _Undo


def _checked(document: Any) -> dict[str, dict[str, Any]]:
    """The sections that are stated, in their order, with secrets of the environment in place."""
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise HarborError("BAD_REQUEST", f"the document must be a map with version: {VERSION}")
    unknown("", {key for key in document if key != "version"}, SECTIONS)
    stated = {}
    for name, section in SECTIONS.items():
        entries = _filled_in(name, document.get(name) or {})
        if not isinstance(entries, dict) or not all(isinstance(key, str) for key in entries):
            raise HarborError("BAD_REQUEST", f"{name} must be a map of names")
        stated[name] = {key: section.checked(f"{name}.{key}", value) for key, value in entries.items()}
    return stated


def _filled_in(where: str, value: Any) -> Any:
    """``{env: NAME}`` stands for the value of that variable, ``{file: PATH}`` for the text of that file without the end
    of its last line: secrets need not be in the document."""
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(name := next(iter(value.values())), str):
            match next(iter(value)):
                case "env":
                    return _variable(where, name)
                case "file":
                    return _text_of(where, name)
        return {key: _filled_in(f"{where}.{key}", entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_filled_in(f"{where}[{position}]", entry) for position, entry in enumerate(value)]
    return value


def _variable(where: str, name: str) -> str:
    if name not in os.environ:
        raise HarborError("BAD_REQUEST", f"{where}: the variable {name} is not set")
    return os.environ[name]


def _text_of(where: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as exc:
        raise HarborError("BAD_REQUEST", f"{where}: the file {path[:200]} cannot be read") from exc


def _state(sections: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What the sections' entries are now."""
    return {name: SECTIONS[name].read(set(entries)) for name, entries in sections.items()}


def _differences(where: str, before: Any, after: Any) -> "list[Change]":
    if before == after:
        return []
    if not isinstance(before, dict) or not isinstance(after, dict):
        return [Change(where, before, after)]
    found = []
    for key in sorted(before.keys() | after.keys(), key=str):
        found += _differences(f"{where}.{key}" if where else str(key), before.get(key), after.get(key))
    return found

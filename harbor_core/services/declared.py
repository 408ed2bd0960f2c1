"""The configuration of the whole system as one document (docs/declared.md): written out, and applied.

What the document states is brought about through the services that the API uses; what it does not state stays. A field
that is stated is stated whole: ``members`` of a project are then all of its members. Applying it is one transaction:
all of it, or nothing; a dry run is the same transaction, rolled back, so it also finds what would be refused.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from auth.actor import Actor
from harbor_core.lib.errors import HarborError
from harbor_core.services import config, declared_projects, declared_system
from harbor_core.services.declared_sections import Section, unknown
from projects import access

VERSION = 1
# In this order: each may name what those before it hold.
SECTIONS: dict[str, Section] = {
    "configuration": declared_system.Configuration(),
    "labels": declared_projects.Labels(),
    "registries": declared_system.Registries(),
    "projects": declared_projects.Projects(),
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
    changes: list[Change] = []
    try:
        with transaction.atomic():
            config.forget()
            before = _state(sections)
            for name, entries in sections.items():
                for key, values in entries.items():
                    try:
                        SECTIONS[name].put(actor, key, values)
                    except HarborError as error:
                        raise HarborError(error.code, f"{name}.{key}: {error.message}") from error
                config.forget()
            changes = list(_differences("", before, _state(sections)))
            if dry_run:
                raise _Undo
    except _Undo:
        pass
    finally:
        config.forget()
        access.forget()
    return changes


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
    """``{env: NAME}`` stands for the value of that variable: secrets need not be in the document."""
    if isinstance(value, dict):
        if value.keys() == {"env"} and isinstance(value["env"], str):
            if value["env"] not in os.environ:
                raise HarborError("BAD_REQUEST", f"{where}: the variable {value['env']} is not set")
            return os.environ[value["env"]]
        return {key: _filled_in(f"{where}.{key}", entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_filled_in(f"{where}[{position}]", entry) for position, entry in enumerate(value)]
    return value


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

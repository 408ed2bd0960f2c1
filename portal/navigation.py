"""What the navigation and the tabs of a project lead to: pages put themselves there, so that nothing leads nowhere.

Order of the main navigation and of administration goes by tens: Dashboard 10, Projects 20, Logs 30; Users 10, Groups
20, Robot accounts 30, Registries 40, Replication 50, Labels 60, Quotas 70, Garbage collection 80, Log rotation 90, Job
service 100, Interrogation services 110, Configuration 120, System 130. Tabs of a project: Summary 10, Repositories 20,
Members 30, Labels 40, Robot accounts 50, Tag immutability 60, Tag retention 65, Webhooks 70, Logs 80, Configuration 90,
Trash 100.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise

from auth.actor import Actor
from projects import access


class Section(StrEnum):
    MAIN = "main"
    ADMINISTRATION = "administration"
    PROJECT = "project"


@dataclass(frozen=True, slots=True)
class Entry:
    """``route`` takes the project's id in the section PROJECT and nothing elsewhere. ``permission`` is one of the
    project there and of the system elsewhere; empty for whoever sees the section. ``exact`` is for a page whose address
    others begin with although they do not belong to it."""

    section: Section
    order: int
    route: str
    label: str | Promise
    icon: str
    permission: str = ""
    signed_in: bool = False
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """``current`` is the value of aria-current: ``page``, ``true`` on a page below, or empty."""

    label: str | Promise
    url: str
    icon: str = ""
    current: str = ""
    counter: int | None = None


_entries: list[Entry] = []


def add(*entries: Entry) -> None:
    """Called once per entry, where the page's route is."""
    _entries.extend(entries)
    _entries.sort(key=lambda entry: entry.order)


def links(section: Section, actor: Actor, path: str) -> list[Link]:
    """The section as this actor sees it; no query for people, whose rights on the system are known."""
    shown = [
        entry
        for entry in _entries
        if entry.section == section
        and (actor.is_authenticated or not entry.signed_in)
        and (not entry.permission or access.can(actor, entry.permission))
    ]
    return _marked([(entry, reverse(entry.route)) for entry in shown], path)


def project_tabs(project_id: int, permissions: frozenset[str], path: str) -> list[Link]:
    """Tabs of a project for somebody with these permissions in it."""
    shown = [
        entry
        for entry in _entries
        if entry.section == Section.PROJECT and (not entry.permission or entry.permission in permissions)
    ]
    return _marked([(entry, reverse(entry.route, args=[project_id])) for entry in shown], path)


def _marked(found: list[tuple[Entry, str]], path: str) -> list[Link]:
    """The longest address that the path lies under is the current one."""
    under = [url for entry, url in found if path == url or (path.startswith(f"{url}/") and not entry.exact)]
    nearest = max(under, key=len, default=None)
    return [
        Link(entry.label, url, entry.icon, ("page" if url == path else "true") if url == nearest else "")
        for entry, url in found
    ]


def context(actor: Actor, path: str) -> dict[str, Any]:
    """For _nav.html."""
    return {
        "nav_main": links(Section.MAIN, actor, path),
        "nav_administration": links(Section.ADMINISTRATION, actor, path),
    }

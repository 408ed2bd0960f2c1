"""Bring about here what another Harbor has (harbor_core.services.import_source), entry by entry.

What is not here is made; where it is here and says nothing, what is there is taken; where both say something else, what
is here stays and the difference is told, unless it is to be overwritten. So a second run has nothing to do, and a run
that was killed is finished by the next one.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction

from auth.actor import Actor
from auth.models import User, UserGroup
from auth.selectors.groups import type_in_use
from auth.services.robots import generate_secret
from harbor_core.lib.config_keys import DEFAULTS
from harbor_core.lib.errors import HarborError
from harbor_core.services import config, declared, declared_webhooks
from harbor_core.services.declared_projects import GROUP, Projects
from harbor_core.services.declared_sections import Section
from harbor_core.services.declared_system import Registries
from harbor_core.services.import_source import Source
from projects import access
from projects.models.quota import UNLIMITED
from replication.models import ReplicationPolicy
from replication.services import policies
from replication.services.registries import NAME_MAX

MADE, CHANGED, SAME, CONFLICT, SKIPPED, REFUSED = "made", "changed", "same", "conflict", "skipped", "refused"
# Lists that are sets: what is there is added to what is here.
_SETS = ".immutable_rules"
# Parts of a project that may be refused for themselves.
_RULES = ("immutable_rules", "retention", "webhooks", "cve_allowlist")
# What counts when an entry is made, and is left alone afterwards.
_AT_FIRST = (("robots", "disabled"), ("registries", "access_secret"))
CONTENT = "import-"  # begins the names of what copies content


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a place of the document: one of the states above, and why where that has to be said."""

    where: str
    state: str
    why: str = ""


@dataclass
class Import:
    """``keep_secret`` gets the name of a robot and its new secret before it is made; without it robots are made
    disabled, since nobody knows their secrets. ``overwrite``: where the two sides differ, the other one counts."""

    actor: Actor
    source: Source
    overwrite: bool = False
    keep_secret: Callable[[str, str], None] | None = None
    _told: list[Outcome] = field(default_factory=list)

    def run(self, *, dry_run: bool = False) -> Iterator[Outcome]:
        """All of it, told as it is done. Each entry is a transaction of its own; a dry run is one, which is undone."""
        for note in self.source.notes:
            yield Outcome(note.where, SKIPPED, note.why)
        if dry_run:
            with declared.undone():
                found = list(self._entries())
            yield from found
        else:
            yield from self._entries()

    def _entries(self) -> Iterator[Outcome]:
        sections: Mapping[str, Section] = {**declared.SECTIONS, "registries": Registries(tolerant=True)}
        for name, section in sections.items():
            config.forget()
            for key, theirs in self.source.document.get(name, {}).items():
                if name == "projects":
                    yield from self._project(section, key, theirs)
                else:
                    yield from self._entry(name, section, key, theirs)
        config.forget()

    def _project(self, section: Section, key: str, theirs: Mapping[str, Any]) -> Iterator[Outcome]:
        """The project itself, then its rules, one kind after the other: one that is refused leaves the rest."""
        base = {name: value for name, value in theirs.items() if name not in _RULES}
        found = list(self._entry("projects", section, key, base))
        yield from found
        if found[-1].state == REFUSED:
            return
        for part in _RULES:
            for outcome in self._entry("projects", section, key, {part: theirs[part]}) if theirs.get(part) else ():
                if outcome.where != f"projects.{key}":
                    yield outcome
                elif outcome.state != SAME:
                    yield replace(outcome, where=f"{outcome.where}.{part}")

    def _entry(self, name: str, section: Section, key: str, theirs: Any) -> Iterator[Outcome]:
        self._told = []
        where = f"{name}.{key}"
        try:
            with transaction.atomic():
                state = self._bring(name, section, key, theirs)
        except HarborError as error:
            access.forget()
            yield Outcome(where, REFUSED, error.message)
            return
        yield from self._told
        yield Outcome(where, state)

    def _bring(self, name: str, section: Section, key: str, theirs: Any) -> str:
        where = f"{name}.{key}"
        if name == "projects" and "members" in theirs:
            theirs = {**theirs, "members": self._known(where, theirs["members"])}
        stated = section.checked(where, theirs)
        here = section.read({key})
        if key not in here:
            section.put(self.actor, key, self._new_robot(key, stated) if name == "robots" else stated)
            return MADE
        changes = self._changes(name, key, stated, here[key])
        if changes in (None, {}):
            return SAME
        section.put(self.actor, key, changes)
        return CHANGED

    def _new_robot(self, key: str, stated: dict[str, Any]) -> dict[str, Any]:
        if self.keep_secret is None:
            return {**stated, "disabled": True}
        secret = generate_secret()
        self.keep_secret(key, secret)
        return {**stated, "secret": secret}

    def _known(self, where: str, members: Mapping[str, str]) -> dict[str, str]:
        """Those who are here, or can be made with a role."""
        users = set(User.objects.filter(username__in=members, deleted=False).values_list("username", flat=True))
        names = [name.removeprefix(GROUP) for name in members if name.startswith(GROUP)]
        known = set(UserGroup.objects.filter(group_name__in=names).values_list("group_name", flat=True))
        if type_in_use() in (UserGroup.Type.HTTP, UserGroup.Type.OIDC):
            known.update(names)
        here = users | {GROUP + name for name in known}
        for name in members.keys() - here:
            self._told.append(
                Outcome(f"{where}.members.{name}", SKIPPED, "it is not here yet: run the import again then")
            )
        return {name: role for name, role in members.items() if name in here}

    # ------------------------------------------------------------------ what is here already
    def _changes(self, name: str, key: str, stated: Any, ours: Any) -> Any:
        """What :meth:`Section.put` has to be given; None or nothing where all is as it is there."""
        where = f"{name}.{key}"
        if name == "configuration" and DEFAULTS[key] in (stated, ours):
            return stated if ours == DEFAULTS[key] != stated else None
        if name == "schedules":  # what a job is given is not the same on both sides
            return stated if self._merged(where, ours["cron"], stated["cron"]) != ours["cron"] else None
        if not isinstance(stated, dict):
            merged = self._merged(where, ours, stated)
            return merged if merged != ours else None
        compared = _comparable(stated, ours) if name == "projects" else stated
        changes = {}
        for part, value in compared.items():
            if (name, part) not in _AT_FIRST:
                merged = self._merged(f"{where}.{part}", ours.get(part), value)
                if merged != ours.get(part):
                    changes[part] = merged
        if name == "projects" and "webhooks" in changes:
            changes["webhooks"] = declared_webhooks.unmasked(changes["webhooks"], stated["webhooks"])
        return changes

    def _merged(self, where: str, ours: Any, theirs: Any) -> Any:
        """What is to be here."""
        if ours == theirs or _is_silent(theirs):
            return ours
        if _is_silent(ours):
            return theirs
        if isinstance(ours, dict) and isinstance(theirs, dict):
            added = {key: value for key, value in theirs.items() if key not in ours}
            return {key: self._merged(f"{where}.{key}", value, theirs.get(key)) for key, value in ours.items()} | added
        if where.endswith(_SETS):
            return ours + [one for one in theirs if one not in ours]
        if self.overwrite:
            return theirs
        self._told.append(Outcome(where, CONFLICT, f"{_short(theirs)} there, {_short(ours)} here, which stays"))
        return ours


def _comparable(stated: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """A project as :meth:`Projects.read` shows it. Whether a webhook is enabled is decided here."""
    hooks = {name: declared_webhooks.whole(hook, None) for name, hook in stated.get("webhooks", {}).items()}
    known = ours["webhooks"]
    hooks = {name: {**hook, "enabled": known.get(name, hook)["enabled"]} for name, hook in hooks.items()}
    return Projects.masked({**stated, "webhooks": hooks})


def _is_silent(value: Any) -> bool:
    """What a field says that nobody has set; a flag always says something."""
    return not isinstance(value, bool) and value in ("", None, [], {}, 0, UNLIMITED)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


# ---------------------------------------------------------------------- content
def add_content(source: Source) -> None:
    """A registry for the other side, with the account it is read with, and for each project that holds content a
    replication policy that copies all of it from there."""
    endpoint = source.harbor.endpoint
    name = f"{CONTENT}{urlsplit(endpoint.url).hostname}"[:NAME_MAX]
    source.document["registries"][name] = {
        "type": source.harbor.kind,
        "url": endpoint.url,
        "insecure": endpoint.insecure,
        "ca_certificate": endpoint.ca_certificate,
        "credential_type": "basic",
        "access_key": endpoint.access_key,
        "access_secret": endpoint.access_secret,
    }
    for project in source.projects:
        source.document["replications"][f"{CONTENT}{project}"] = {
            "source": name,
            "filters": [{"type": "name", "value": f"{project}/**"}],
            "replace_count": 0,
            "override": True,
            "enabled": True,
            "single_active": True,
        }


def start_content(actor: Actor, source: Source) -> Iterator[Outcome]:
    """Run the policies of :func:`add_content`."""
    for project in source.projects:
        name = f"{CONTENT}{project}"
        found = ReplicationPolicy.objects.filter(name=name).first()
        try:
            if found is None:
                raise HarborError("NOT_FOUND", "it was not made")
            yield Outcome(f"replications.{name}", "started", f"execution {policies.start(actor, found.pk).pk}")
        except HarborError as error:
            yield Outcome(f"replications.{name}", REFUSED, error.message)

"""What robots can be granted, as people choose it: presets, and a matrix of resources and actions with an explanation
of each. The permissions themselves are those of auth.rbac."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Words = str | Promise
CUSTOM = "custom"
# Columns of the matrix, in this order.
ACTIONS: dict[str, Words] = {
    "list": _("List"),
    "read": _("Read"),
    "create": _("Create"),
    "update": _("Update"),
    "delete": _("Delete"),
    "pull": _("Pull"),
    "push": _("Push"),
    "stop": _("Stop"),
}
RESOURCES: dict[str, tuple[Words, Words]] = {
    "repository": (_("Repository"), _("Pull and push content; pushing includes pulling.")),
    "artifact": (_("Artifact"), _("See, copy and delete artifacts.")),
    "artifact-addition": (_("Artifact addition"), _("Read build history, README and other additions.")),
    "artifact-label": (_("Artifact label"), _("Put labels on artifacts and take them off.")),
    "accessory": (_("Accessory"), _("See signatures, SBOMs and other accessories.")),
    "tag": (_("Tag"), _("See, create and delete tags.")),
    "scan": (_("Scan"), _("Start and stop scans, read their reports.")),
    "sbom": (_("SBOM"), _("Generate and read bills of materials.")),
    "scanner": (_("Scanner"), _("See and choose scanners.")),
    "label": (_("Label"), _("Manage labels.")),
    "project": (_("Project"), _("See, change and delete projects.")),
    "metadata": (_("Project metadata"), _("Read and change the settings of a project.")),
    "member": (_("Member"), _("Manage who has which role.")),
    "robot": (_("Robot account"), _("Manage robot accounts, with no more rights than its own.")),
    "log": (_("Project log"), _("Read the audit log of a project.")),
    "quota": (_("Quota"), _("Read, and on the system change, storage limits.")),
    "immutable-tag": (_("Tag immutability"), _("Manage rules that keep tags as they are.")),
    "tag-retention": (_("Tag retention"), _("Manage rules that delete old artifacts.")),
    "notification-policy": (_("Webhook"), _("Manage webhooks.")),
    "preheat-policy": (_("Preheat policy"), _("Manage distribution to peers.")),
    "export-cve": (_("CVE export"), _("Export vulnerabilities.")),
    "audit-log": (_("Audit log"), _("Read the audit log of the system.")),
    "preheat-instance": (_("Preheat instance"), _("Manage instances that distribute to peers.")),
    "replication-policy": (_("Replication rule"), _("Manage replication rules.")),
    "replication": (_("Replication"), _("Start replications and see them.")),
    "replication-adapter": (_("Replication adapter"), _("See the kinds of registries there are.")),
    "registry": (_("Registry"), _("Manage endpoints of other registries.")),
    "scan-all": (_("Scan of everything"), _("Start, stop and schedule scans of all artifacts.")),
    "system-volumes": (_("System volumes"), _("Read how much space the storage has.")),
    "garbage-collection": (_("Garbage collection"), _("Start, stop and schedule garbage collection.")),
    "purge-audit": (_("Log rotation"), _("Start, stop and schedule the deletion of old log entries.")),
    "jobservice-monitor": (_("Job service"), _("See and stop jobs.")),
    "security-hub": (_("Security hub"), _("Read vulnerabilities over all projects.")),
    "catalog": (_("Catalog"), _("List every repository through the registry API.")),
    "user": (_("User"), _("Manage user accounts.")),
    "ldap-user": (_("LDAP user"), _("Search and import users of a directory.")),
    "user-group": (_("User group"), _("Manage groups.")),
}
_PULL = frozenset({"repository:pull"})
_PUSH = _PULL | {"repository:push"}
_PIPELINE = _PUSH | {
    "repository:read",
    "repository:list",
    "artifact:read",
    "artifact:list",
    "artifact-label:create",
    "artifact-label:delete",
    "accessory:list",
    "tag:create",
    "tag:list",
    "scan:create",
    "scan:read",
    "sbom:create",
    "sbom:read",
}


@dataclass(frozen=True, slots=True)
class Preset:
    key: str
    label: Words
    about: Words
    permissions: frozenset[str]

    @property
    def words(self) -> str:
        """The permissions in one attribute."""
        return " ".join(sorted(self.permissions))


@dataclass(frozen=True, slots=True)
class Cell:
    """``permission`` is empty where the resource has no such action."""

    permission: str = ""
    action: Words = ""
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    resource: str
    label: Words
    about: Words
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """``name`` is that of the checkboxes."""

    name: str
    actions: tuple[Words, ...]
    rows: tuple[Row, ...]


def presets(grantable: Collection[str]) -> list[Preset]:
    """Of permissions in a project, fewest first."""
    everything = frozenset(grantable)
    return [
        Preset("pull", _("Pull"), _("Pulls images and charts: for clusters and servers."), _PULL & everything),
        Preset("push", _("Push and pull"), _("Pushes and pulls, nothing else."), _PUSH & everything),
        Preset(
            "ci",
            _("CI pipeline"),
            _("Pushes, pulls, tags and labels, starts scans and reads their results. Deletes no artifact."),
            _PIPELINE & everything,
        ),
        Preset("all", _("Everything"), _("Whatever a robot can do in a project, deleting included."), everything),
    ]


def preset_of(chosen: Collection[str], grantable: Collection[str]) -> str:
    """The key of the preset that is exactly this, else CUSTOM."""
    wanted = frozenset(chosen)
    return next((preset.key for preset in presets(grantable) if preset.permissions == wanted), CUSTOM)


def matrix(grantable: Iterable[str], chosen: Collection[str], name: str = "permissions") -> Matrix:
    """Checkboxes for these permissions, in the order of RESOURCES and ACTIONS."""
    actions_of: dict[str, set[str]] = {}
    for permission in grantable:
        resource, _colon, action = permission.partition(":")
        actions_of.setdefault(resource, set()).add(action)
    columns = [action for action in ACTIONS if any(action in found for found in actions_of.values())]
    rows = []
    for resource in sorted(actions_of, key=list(RESOURCES).index):
        cells = tuple(
            Cell(f"{resource}:{action}", ACTIONS[action], f"{resource}:{action}" in chosen)
            if action in actions_of[resource]
            else Cell()
            for action in columns
        )
        rows.append(Row(resource, *RESOURCES[resource], cells))
    return Matrix(name, tuple(ACTIONS[action] for action in columns), tuple(rows))

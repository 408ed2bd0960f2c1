"""Form of a robot account of the system: permissions on the system, in every project, and in some."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from auth.rbac import ROBOT_PROJECT_PERMISSIONS, ROBOT_SYSTEM_PERMISSIONS
from auth.services.grants import EVERY_PROJECT, PROJECT, SYSTEM
from portal import robot_grants
from portal.forms.robots import RobotForm
from portal.isolation import named

SYSTEM_GRANTABLE, PROJECT_GRANTABLE = sorted(ROBOT_SYSTEM_PERMISSIONS), sorted(ROBOT_PROJECT_PERMISSIONS)
PLACES_MAX = 100


@dataclass(frozen=True, slots=True)
class Place:
    """A project, or every one (``*``), with its boxes; those of a place are called ``grants:<name>``."""

    name: str
    matrix: robot_grants.Matrix

    @property
    def everywhere(self) -> bool:
        return self.name == EVERY_PROJECT


class SystemRobotForm(RobotForm):
    """The matrices are read from the request beside the fields: which projects there are is part of what is filled in
    (``place``). The buttons ``add`` and ``remove`` change them and store nothing."""

    add_project = forms.CharField(
        label=_("Project"),
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs={"autocomplete": "off", "list": "projects", "spellcheck": "false"}),
    )

    def __init__(self, data: Any = None, *, granted: dict[str, list[str]] | None = None, **kwargs: Any) -> None:
        """``granted``: permissions by namespace (``/``, ``*``, names), where nothing is filled in yet."""
        super().__init__(data, **kwargs)
        if data is None:
            self.granted = granted if granted is not None else {"/": []}
            return
        names = list(dict.fromkeys(data.getlist("place")))[:PLACES_MAX]
        self.granted = {"/": _known(data.getlist("grants:/"), SYSTEM_GRANTABLE)}
        self.granted |= {name: _known(data.getlist(f"grants:{name}"), PROJECT_GRANTABLE) for name in names}

    def place_again(self, data: Any) -> None:
        """What the buttons ``add``, ``add_all`` and ``remove`` ask for."""
        name = data.get("add_project", "").strip()
        if "add_all" in data:
            self.granted.setdefault(EVERY_PROJECT, [])
        elif "add" in data and name and len(self.granted) <= PLACES_MAX:
            self.granted.setdefault(name, [])
        self.granted.pop(data.get("remove", "") if data.get("remove") != "/" else "", None)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        empty = [name for name, permissions in self.granted.items() if not permissions and name != "/"]
        if not any(self.granted.values()):
            self.add_error(None, _("Choose at least one permission."))
        elif empty:
            name = _("every project") if empty[0] == EVERY_PROJECT else empty[0]
            self.add_error(None, _("Choose permissions in %(name)s, or take it away.") % named(str(name)))
        return cleaned

    @property
    def system_matrix(self) -> robot_grants.Matrix:
        return robot_grants.matrix(SYSTEM_GRANTABLE, self.granted["/"], "grants:/")

    @property
    def places(self) -> list[Place]:
        return places(self.granted)

    @property
    def permissions(self) -> list[dict[str, Any]]:
        """As auth.services.robots.read_wanted takes them."""
        return entries(self.granted)


def _known(names: list[str], grantable: list[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name in grantable]


def places(granted: dict[str, list[str]], *, only_granted: bool = False) -> list[Place]:
    """With every permission there is, or only with those that are granted."""
    return [
        Place(
            name,
            robot_grants.matrix(permissions if only_granted else PROJECT_GRANTABLE, permissions, f"grants:{name}"),
        )
        for name, permissions in granted.items()
        if name != "/"
    ]


def entries(granted: dict[str, list[str]]) -> list[dict[str, Any]]:
    return [
        {
            "kind": SYSTEM if name == "/" else PROJECT,
            "namespace": name,
            "access": [dict(zip(("resource", "action"), item.split(":"), strict=True), effect="") for item in names],
        }
        for name, names in granted.items()
        if names
    ]

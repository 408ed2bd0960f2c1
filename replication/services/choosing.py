"""What a policy's filters take, and what a repository is called at the other end. Pure functions."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from harbor_core.lib import doublestar, names
from harbor_core.lib.errors import HarborError

TYPES, DECORATED = ("name", "tag", "label", "resource"), ("tag", "label")
RESOURCES = ("", "image", "artifact")
LABELS_MAX = 100
SPECIAL = set("*?[]{}\\")


def _bad(message: str) -> HarborError:
    return HarborError("BAD_REQUEST", message)


def checked(filters: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """As they are stored: each type once, none that is empty. Raises BAD_REQUEST."""
    stored: dict[str, dict[str, Any]] = {}
    for given in filters:
        kind, value, decoration = given["type"], given["value"], given.get("decoration", "")
        if kind not in TYPES:
            raise _bad(f"a filter is of type {', '.join(TYPES)}, not {kind[:100]!r}")
        if kind in stored:
            raise _bad(f"there is more than one filter of type {kind}")
        if decoration not in ("", "matches", "excludes") or (decoration == "excludes" and kind not in DECORATED):
            raise _bad(f"a filter of type {kind} cannot have the decoration {decoration[:100]!r}")
        _check_value(kind, value)
        if value:
            stored[kind] = {"type": kind, "value": value} | ({"decoration": decoration} if decoration else {})
    return list(stored.values())


def _check_value(kind: str, value: Any) -> None:
    if kind == "label":
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value) or len(value) > LABELS_MAX:
            raise _bad(f"the value of a label filter is a list of at most {LABELS_MAX} names")
    elif not isinstance(value, str):
        raise _bad(f"the value of a {kind} filter is a text")
    elif kind == "resource" and value not in RESOURCES:
        raise _bad("the value of a resource filter is image or artifact")
    elif kind != "resource":
        try:
            doublestar.validate(value)
        except doublestar.BadPattern as exc:
            raise _bad(f"the value of the {kind} filter: {exc}") from exc


class Choice:
    """The filters of one policy."""

    def __init__(self, filters: Sequence[Mapping[str, Any]]) -> None:
        self._by_type = {item["type"]: item for item in filters}
        self.name = self._value("name")
        self.labels: list[str] = self._value("label") or []
        self.resource = self._value("resource")

    def _value(self, kind: str) -> Any:
        return self._by_type.get(kind, {}).get("value", "")

    def _excludes(self, kind: str) -> bool:
        return bool(self._by_type[kind].get("decoration") == "excludes")

    @property
    def exact_name(self) -> str:
        """The one repository it is about; empty when it takes looking for."""
        return "" if not self.name or SPECIAL & set(self.name) else str(self.name)

    def takes_repository(self, name: str) -> bool:
        return not self.name or doublestar.match(self.name, name)

    def takes_tag(self, tag: str) -> bool:
        pattern = self._value("tag")
        return not pattern or doublestar.match(pattern, tag) is not self._excludes("tag")

    @property
    def takes_untagged(self) -> bool:
        """Artifacts without a tag count as if they had an empty one (contract 4.6)."""
        return self.takes_tag("")

    def takes_labels(self, labels: Collection[str]) -> bool:
        """All of the filter's labels must be there, or not all of them."""
        return not self.labels or set(self.labels).issubset(labels) is not self._excludes("label")

    def takes_kind(self, kind: str) -> bool:
        """``kind`` is the artifact's type, empty where it is not known: then it counts as an image."""
        return not self.resource or (kind in ("", "IMAGE")) is (self.resource == "image")


def target_name(name: str, namespace: str, replace_count: int) -> str:
    """What the repository is called at the other end. Raises BAD_REQUEST where it cannot be."""
    if namespace:
        parts = name.split("/")
        if replace_count > len(parts) - 1:
            raise _bad(f"{name} has no {replace_count} parts that could be replaced")
        kept = parts[-1:] if replace_count < 0 else parts[replace_count:]
        name = "/".join([namespace, *kept])
    if not names.is_repository(name):
        raise _bad(f"{name[:300]!r} is not the name of a repository")
    return name

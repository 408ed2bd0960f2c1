"""What sections of the declared configuration have in common (harbor_core.services.declared)."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol

from auth.actor import Actor
from harbor_core.lib.errors import HarborError
from harbor_core.lib.wire import Reader


class Section(Protocol):
    """Entries by name."""

    def checked(self, where: str, value: Any) -> Any:
        """As :meth:`put` takes it. Raises HarborError that says where."""
        ...

    def read(self, names: set[str]) -> dict[str, Any]:
        """These entries as they are now, without secrets; those that do not exist are left out."""
        ...

    def export(self) -> dict[str, Any]:
        """Every entry, as :meth:`checked` takes it."""
        ...

    def put(self, actor: Actor, name: str, values: Any) -> None:
        """Make the entry, or change what is stated and different. Raises HarborError."""
        ...


def unknown(where: str, given: Iterable[Any], known: Collection[str]) -> None:
    """Raises BAD_REQUEST for a name that is not known."""
    for name in sorted(map(str, given)):
        if name not in known:
            raise HarborError("BAD_REQUEST", f"{where or 'document'}: {name[:100]!r} is not one of {', '.join(known)}")


def fields(where: str, value: Any, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """What is stated of an entry: no more than the fields there are, each of its type."""
    if not isinstance(value, dict):
        raise HarborError("BAD_REQUEST", f"{where} must be a map")
    unknown(where, value, readers)
    return {name: readers[name].load(f"{where}.{name}", entry) for name, entry in value.items() if entry is not None}


def differs(stated: Mapping[str, Any], current: Mapping[str, Any]) -> bool:
    return any(name not in current or current[name] != value for name, value in stated.items())


def without(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Without what a new entry has anyway."""
    return {name: value for name, value in values.items() if name not in defaults or value != defaults[name]}

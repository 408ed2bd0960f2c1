"""What a packed Helm chart holds: ``<name>/Chart.yaml``, ``values.yaml``, ``README.md`` (Helm docs, "Charts")."""

from dataclasses import dataclass
from typing import Any

import yaml

from harbor_core.lib import archives
from harbor_core.lib.archives import BadArchive
from harbor_core.lib.text import storable

FILE_MAX = 4 * 1024 * 1024
YAML_MAX = 1024 * 1024
_YAML_DEPTH = 50
_FILES = ("chart.yaml", "requirements.yaml", "values.yaml", "readme.md")
# Fields of a dependency by their kind; whatever else stands there is not Helm's.
_TEXTS = ("name", "version", "repository", "condition", "alias")
_LISTS = ("tags", "import-values")


@dataclass(frozen=True, slots=True)
class Chart:
    """Files by their lower-case name, those of :data:`_FILES` that are there."""

    files: dict[str, bytes]

    @property
    def dependencies(self) -> list[dict[str, Any]]:
        """Of Chart.yaml, or where that has none (charts of API version 1) of requirements.yaml. Raises BadArchive."""
        for name in ("chart.yaml", "requirements.yaml"):
            document = _document(self.files.get(name, b""))
            listed = document.get("dependencies") if isinstance(document, dict) else None
            if isinstance(listed, list) and listed:
                return [_dependency(item) for item in listed if isinstance(item, dict)]
        return []


def read_chart(archive: bytes) -> Chart:
    """Raises BadArchive."""

    def wanted(path: str) -> bool:
        parts = path.removeprefix("./").split("/")
        return len(parts) == 2 and parts[1].lower() in _FILES

    found: dict[str, bytes] = {}
    for path, content in archives.files(archive, wanted, limit=FILE_MAX).items():
        found.setdefault(path.rpartition("/")[2].lower(), content)
    return Chart(found)


def _dependency(item: dict[Any, Any]) -> dict[str, Any]:
    texts = {key: item[key] for key in _TEXTS if isinstance(item.get(key), str)}
    lists = {key: list(filter(_is_plain, item[key])) for key in _LISTS if isinstance(item.get(key), list)}
    return {"name": "", "repository": ""} | texts | lists | ({"enabled": True} if item.get("enabled") is True else {})


def _is_plain(entry: Any) -> bool:
    """A text, or texts by name."""
    if isinstance(entry, dict):
        return all(isinstance(part, str) for pair in entry.items() for part in pair)
    return isinstance(entry, str)


def _document(content: bytes) -> Any:
    """YAML from anybody: no tags, no aliases (a few lines of them unfold to gigabytes), not deep."""
    if len(content) > YAML_MAX:
        raise BadArchive(f"a YAML file has more than {YAML_MAX} bytes")
    try:
        depth = 0
        for event in yaml.parse(content, Loader=yaml.CSafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > _YAML_DEPTH:
                raise BadArchive("a YAML file has aliases, or is nested too deep")
        return storable(yaml.load(content, Loader=yaml.CSafeLoader))
    except (yaml.YAMLError, ValueError) as exc:
        if isinstance(exc, BadArchive):
            raise
        raise BadArchive("a YAML file cannot be read") from exc

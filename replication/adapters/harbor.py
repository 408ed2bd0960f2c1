"""Harbor, and every registry with its API: this one too."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from replication.adapters.base import NAME_AND_TAG, Filter, Info, UnhealthyError, rows, texts
from replication.adapters.docker_registry import DockerRegistry

logger = logging.getLogger(__name__)
LABELS_MAX = 100
PAGE, PAGES_MAX = 100, 10_000


def info_with(labels: list[str]) -> Info:
    """What replication can do with a Harbor that has these global labels."""
    filters = (Filter("label", "list", tuple(labels)), Filter("resource", "radio", ("image", "artifact")))
    return Info(Harbor.kind, NAME_AND_TAG + filters, description=Harbor.title, copy_by_chunk=True)


@dataclass(frozen=True, slots=True)
class RemoteArtifact:
    """An artifact as the other side describes it; ``kind`` is IMAGE, CHART ..."""

    kind: str
    tags: tuple[str, ...]
    labels: frozenset[str]
    digest: str = ""


class Harbor(DockerRegistry):
    kind = "harbor"
    title = "Harbor"

    def check(self) -> None:
        """``ping``; with credentials also ``systeminfo``, which tells its version to accounts only."""
        answer = self.get(f"{self.endpoint.url}/api/v2.0/ping")
        if answer.status != 200 or answer.body.strip().strip(b'"') != b"Pong":
            raise UnhealthyError(f"{self.endpoint.url} does not answer as Harbor does ({answer.status})")
        if self.endpoint.has_credentials:
            answered = self.asked("systeminfo")
            if not isinstance(answered, dict) or not answered.get("harbor_version"):
                raise UnhealthyError("the registry does not accept the credentials")

    def info(self) -> Info:
        try:
            rows = self.asked(f"labels?scope=g&page_size={LABELS_MAX}")
        except UnhealthyError as exc:
            logger.warning("labels of %s cannot be read: %s", self.endpoint.url, exc)
            rows = []
        names = [row.get("name") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        return info_with([name for name in names if isinstance(name, str)])

    def repositories(self) -> Iterator[str]:
        """Names of all the account may see. Raises UnhealthyError."""
        yield from (str(row.get("name")) for row in self.listed("repositories?"))

    def artifacts(self, repository: str) -> Iterator[RemoteArtifact]:
        """Those that are listed. Raises UnhealthyError."""
        for row in self.listed(f"{_path(repository)}/artifacts?with_label=true&"):
            labels, tags = _named(row.get("labels")), _named(row.get("tags"))
            yield RemoteArtifact(str(row.get("type", "")), tuple(tags), frozenset(labels), str(row.get("digest", "")))

    def tags_of(self, repository: str, digest: str) -> list[str]:
        """Tags of an artifact; none when it is not there. Raises UnhealthyError."""
        try:
            row = self.asked(f"{_path(repository)}/artifacts/{digest}?with_tag=true")
        except UnhealthyError as exc:
            if exc.status == 404:
                return []
            raise
        return _named(row.get("tags")) if isinstance(row, dict) else []

    def listed(self, path: str) -> Iterator[dict[str, Any]]:
        """The rows of all pages; ``path`` ends with ? or &. Raises UnhealthyError."""
        for page in range(1, PAGES_MAX):
            rows = self.asked(f"{path}page={page}&page_size={PAGE}")
            if not isinstance(rows, list):
                raise UnhealthyError(f"{self.endpoint.url} does not answer with a list")
            yield from (row for row in rows if isinstance(row, dict))
            if len(rows) < PAGE:
                return

    def absent(self, repository: str, digest: str) -> set[str]:
        """Digests of the children that an index there was copied without, where the registry marks them as this project
        does. Raises UnhealthyError."""
        try:
            row = self.asked(f"{_path(repository)}/artifacts/{digest}")
        except UnhealthyError as exc:
            if exc.status == 404:
                return set()
            raise
        return set(texts([each for each in rows(row, "references") if each.get("left_out") is True], "child_digest"))

    def prepare(self, project: str, *, sparse: bool = False) -> None:
        """Make the project if there is none; with ``sparse`` one that takes indexes without some of their platforms,
        where the registry knows such projects. Raises UnhealthyError."""
        headers = {"Authorization": self.endpoint.basic, "Content-Type": "application/json"}
        found = self.ask("HEAD", f"{self.endpoint.url}/api/v2.0/projects?project_name={project}", headers=headers)
        if found.status == 200:
            return
        metadata = {"public": "false"} | ({"sparse_indexes": "true"} if sparse else {})
        body = json.dumps({"project_name": project, "metadata": metadata}).encode()
        made = self.ask("POST", f"{self.endpoint.url}/api/v2.0/projects", headers=headers, content=body)
        if made.status not in (201, 409):
            raise UnhealthyError(f"{self.endpoint.url} answers {made.status} to a new project {project}")

    def asked(self, path: str) -> Any:
        """What the API answers; None where it answers with nothing. Raises UnhealthyError."""
        headers = {"Authorization": self.endpoint.basic} if self.endpoint.has_credentials else {}
        url = f"{self.endpoint.url}/api/v2.0/{path}"
        answer = self.get(url, headers=headers)
        return None if answer.status == 200 and not answer.body.strip() else self.parsed(url, answer)


def _path(repository: str) -> str:
    """Of a repository in the API."""
    project, _, rest = repository.partition("/")
    return f"projects/{project}/repositories/{quote(quote(rest, safe=''), safe='')}"


def _named(rows: Any) -> list[str]:
    """The names of labels or tags in an answer, which may leave them out."""
    found = [row.get("name") for row in rows or [] if isinstance(row, dict)]
    return [name for name in found if isinstance(name, str)]

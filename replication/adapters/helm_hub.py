"""Repositories of Helm charts as a web server holds them: an ``index.yaml`` and archives (helm.sh, "Chart Repository
Guide"). Charts can be copied from there, nothing can be put there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import yaml

from harbor_core.lib import names
from replication.adapters.base import Adapter, Endpoint, Filter, Info, UnhealthyError

INDEX_MAX, CHART_MAX = 64 * 1024 * 1024, 32 * 1024 * 1024
SECONDS = 120.0  # for an index or an archive
REDIRECTS = 5
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a chart. ``digest``: hexadecimal SHA-256 of the archive, empty where the index does not say it;
    ``created`` as the index says it."""

    name: str
    version: str
    url: str
    digest: str
    created: str


class HelmRepository(Adapter):
    kind = "helm-hub"
    title = "Helm chart repository"
    can_be_target = False

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._charts: dict[str, dict[str, Release]] | None = None

    def check(self) -> None:
        self._read()

    def info(self) -> Info:
        filters = (Filter("name", "input"), Filter("tag", "input"), Filter("resource", "radio", ("artifact",)))
        return Info(self.kind, filters, description=self.title)

    def charts(self) -> dict[str, dict[str, Release]]:
        """By name and tag, as the index had them when it was read first. Raises UnhealthyError."""
        if self._charts is None:
            self._charts = self._read()
        return self._charts

    def archive(self, release: Release) -> bytes:
        """Raises UnhealthyError."""
        return self._fetch(release.url, CHART_MAX)

    def _read(self) -> dict[str, dict[str, Release]]:
        url = f"{self.endpoint.url}/index.yaml"
        try:
            document = yaml.load(self._fetch(url, INDEX_MAX), Loader=_Loader)
        except (yaml.YAMLError, RecursionError, ValueError) as exc:
            raise UnhealthyError(f"{url} is no YAML") from exc
        entries = document.get("entries") if isinstance(document, dict) else None
        if not isinstance(entries, dict):
            raise UnhealthyError(f"{url} is no index of charts")
        return {name: found for name, rows in entries.items() if (found := dict(self._releases(str(name), rows)))}

    def _releases(self, name: str, rows: Any) -> Iterator[tuple[str, Release]]:
        """What cannot be an OCI artifact (a name, a version) is left out. The first of a version counts."""
        seen: set[str] = set()
        for row in rows if isinstance(rows, list) else []:
            urls = row.get("urls") if isinstance(row, dict) else None
            if not isinstance(urls, list) or not urls or not isinstance(urls[0], str):
                continue
            version, digest = str(row.get("version", "")), str(row.get("digest") or "").removeprefix("sha256:").lower()
            tag = tag_of(version)
            if tag in seen or not names.is_tag(tag) or not names.is_repository(f"charts/{name}"):
                continue
            seen.add(tag)
            url = urljoin(f"{self.endpoint.url}/", urls[0])
            created = row.get("created")
            created = created.isoformat() if hasattr(created, "isoformat") else str(created or "")
            yield tag, Release(name, version, url, digest, created)

    def _fetch(self, url: str, limit: int) -> bytes:
        """Redirects are followed, to other hosts without the credentials: archives are often kept elsewhere."""
        own = urlsplit(self.endpoint.url)[:2]
        for _ in range(REDIRECTS):
            known = self.endpoint.has_credentials and urlsplit(url)[:2] == own
            headers = {"Authorization": self.endpoint.basic} if known else {}
            answer = self.get(url, headers=headers, max_bytes=limit, seconds=SECONDS, follow=False)
            if answer.status in (301, 302, 303, 307, 308) and "location" in answer.headers:
                url = urljoin(url, answer.headers["location"])
                continue
            if answer.status in (401, 403):
                raise UnhealthyError("the registry does not accept the credentials", answer.status)
            if answer.status != 200:
                raise UnhealthyError(
                    f"{own[0]}://{own[1]} answers {answer.status} to {urlsplit(url).path}", answer.status
                )
            return answer.body
        raise UnhealthyError(f"{self.endpoint.url} redirects too often")


def tag_of(version: str) -> str:
    """Tags know no plus sign: Helm writes an underscore there (helm.sh, "Use OCI-based registries")."""
    return version.replace("+", "_")

"""What the page of an artifact shows besides the manifest: its tags, its additions, who else has its layers, who pulled
it."""

import json
from dataclasses import dataclass
from typing import Any

from django.shortcuts import resolve_url
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from harbor_core.lib.errors import HarborError
from portal import markdown
from portal.charts import Bar, BarChart
from portal.navigation import Link
from portal.reasons import said
from portal.shortcuts import ProjectPage
from portal.templatetags.portal import size
from projects.models import Artifact, Repository
from projects.selectors import additions, browsing, sharing
from projects.selectors.contents import manifest_of
from projects.selectors.immutability import rules_of
from replication.selectors.proxies import doubtful_tags

SHOWN_TAGS = 50
_TEXT_MAX = 512 * 1024
# Those with a page of their own; the build history stands in the overview.
_PAGES = ("readme.md", "values.yaml", "dependencies", "files", "license", "sbom")


@dataclass(frozen=True, slots=True)
class Addition:
    """``problem`` says why there is nothing to see."""

    name: str
    title: str
    text: str = ""
    rendered: SafeString | str = ""
    rows: tuple[dict[str, Any], ...] = ()
    problem: str = ""


def _title(name: str) -> str:
    titles = {
        "readme.md": _("Readme"),
        "values.yaml": _("Values"),
        "dependencies": _("Dependencies"),
        "files": _("Files"),
        "license": _("License"),
        "sbom": _("SBOM"),
    }
    return titles[name]


def additions_of(artifact: Artifact, found: ProjectPage) -> list[str]:
    if not found.may("artifact-addition:read"):
        return []
    return [name for name in additions.additions_of(artifact) if name in _PAGES]


def tabs(found: ProjectPage, name: str, artifact: Artifact, names: list[str], shown: str) -> list[Link]:
    home = resolve_url("portal:artifact", found.project.pk, name, artifact.digest)
    icons = {"readme.md": "book-open", "values.yaml": "braces", "dependencies": "list-tree", "license": "scale"}
    links = [Link(_("Overview"), home, "info", "" if shown else "page")]
    for key in names:
        current = "page" if key == shown else ""
        links.append(Link(_title(key), f"{home}?show={key}", icons.get(key, "file-text"), current))
    return links if names else []


def addition(artifact: Artifact, name: str) -> Addition:
    """Failures of storage are said, not raised: the rest of the page is there."""
    title = _title(name)
    try:
        content = additions.addition(artifact, name)
    except HarborError as error:
        if error.status >= 500:
            return Addition(name, title, problem=_("The storage does not answer at the moment."))
        problem = _("There is nothing to show: %(reason)s") % {"reason": said(error.message)}
        return Addition(name, title, problem=problem)
    text = content.body[:_TEXT_MAX].decode(errors="replace")
    if not text.strip():
        return Addition(name, title, problem=_("There is no such file in it."))
    if content.media_type == additions.MARKDOWN:
        return Addition(name, title, text, markdown.render(text))
    if name in ("dependencies", "files"):
        rows = json.loads(content.body)
        if name == "files":
            rows = list(_flat(rows))
        return Addition(name, title, rows=tuple(rows), problem="" if rows else _("There are none."))
    if content.media_type == additions.JSON:
        text = json.dumps(json.loads(content.body), indent=2, ensure_ascii=False)[:_TEXT_MAX]
    return Addition(name, title, text)


def _flat(rows: list[dict[str, Any]], folder: str = "") -> Any:
    for row in rows:
        path = f"{folder}{row.get('name', '')}"
        if row.get("type") == "directory":
            yield from _flat(row.get("children") or [], f"{path}/")
        else:
            yield {"name": path, "size": row.get("size")}


def tag_rows(found: ProjectPage, artifact: Artifact, repository: Repository) -> list[dict[str, Any]]:
    """Its newest tags, each with whether a rule of the project keeps it, and what upstream of a proxy said of it."""
    tags = browsing.newest_tags(artifact, SHOWN_TAGS)
    kept = rules_of(repository.project_id).protected(repository.name, [tag.name for tag in tags]) if tags else set()
    names = [tag.name for tag in tags]
    doubtful = doubtful_tags(repository.project_id, repository.name, names) if found.access.proxy else {}
    return [{"tag": tag, "immutable": tag.name in kept, "upstream": doubtful.get(tag.name)} for tag in tags]


def _bytes_chart(own: int, shared: int) -> BarChart:
    bars = [
        Bar(_("only here"), size(own), [(own, "accent")]),
        Bar(_("shared with other artifacts of the project"), size(shared), [(shared, "second")]),
    ]
    return BarChart(_("Unique and shared bytes"), bars)


def usage(found: ProjectPage, repository: Repository, artifact: Artifact, tags: list[str]) -> dict[str, Any]:
    """Layers with who else has them, and the last pulls for those who may read the log."""
    manifest = manifest_of(artifact)
    shared = sharing.shared_blobs(artifact, repository)
    layers = [(layer, shared.get(layer.digest, sharing.Shared())) for layer in manifest.layers]
    own = {layer.digest: layer.size for layer, others in layers if not others.artifacts}
    both = {layer.digest: layer.size for layer, others in layers if others.artifacts}
    sees_log = found.may("log:list")
    return {
        "layers": layers,
        "bytes_chart": _bytes_chart(sum(own.values()), sum(both.values())),
        "sees_pulls": sees_log,
        "last_pulls": sharing.recent_pulls(artifact, repository, tags) if sees_log else [],
    }

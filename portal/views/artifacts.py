from dataclasses import dataclass, field
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from harbor_core.lib.errors import HarborError
from portal import artifact_pages, commands, preferences, tables
from portal.shortcuts import ProjectPage, page, project_or_404, registry_for, repository_or_404
from projects.manifests.parse import Manifest
from projects.models import Artifact, Repository
from projects.selectors import browsing, contents
from projects.selectors.labels import labels_of
from replication.selectors.proxies import doubtful_artifacts


@dataclass(frozen=True, slots=True)
class _Build:
    """``readable`` is False when storage did not answer: the page shows the rest and says so."""

    config: dict[str, Any] = field(default_factory=dict)
    history: list[contents.HistoryStep] = field(default_factory=list)
    readable: bool = True


SHOWN_ACCESSORIES = 50


@page("GET")
def artifact_detail(request: HttpRequest, project: str, repository: str, digest: str) -> HttpResponse:
    """With ``show`` in the query one of its additions instead of the overview."""
    found = project_or_404(request, project, "artifact:read")
    row = repository_or_404(found, repository)
    artifact = browsing.artifact_find(row, digest)
    if artifact is None:
        raise Http404
    names = artifact_pages.additions_of(artifact, found)
    shown = request.GET.get("show", "")
    shown = shown if shown in names else ""
    context: dict[str, Any] = {
        "found": found,
        "project": found.project,
        "permissions": found.access.permissions,
        "repository": row,
        "name": repository,
        "artifact": artifact,
        "artifact_tabs": artifact_pages.tabs(found, repository, artifact, names, shown),
        "actions": tables.artifact_menu(found, repository, artifact),
    }
    context |= _relations(found, artifact, row)
    if shown:
        context["addition"] = artifact_pages.addition(artifact, shown)
        return render(request, "portal/artifacts/addition.html", context)
    context |= _content(artifact) | artifact_pages.usage(found, row, artifact, context["tags"])
    context["pulls"] = _pull_commands(request, row, artifact, context["tags"])
    return render(request, "portal/artifacts/detail.html", context)


def _relations(found: ProjectPage, artifact: Artifact, repository: Repository) -> dict[str, Any]:
    tags, total = browsing.tags_of([artifact.pk]).get(artifact.pk, ([], 0))
    accessories, accessory_count = browsing.accessories_of(artifact, SHOWN_ACCESSORIES)
    doubtful = doubtful_artifacts(repository.project_id, repository.name, [artifact.pk]) if found.access.proxy else {}
    return {
        "tags": tags,
        "tag_rows": artifact_pages.tag_rows(found, artifact, repository),
        "upstream": doubtful.get(artifact.pk),
        "labels": labels_of([artifact.pk]).get(artifact.pk, []),
        "more_tags": max(0, total - browsing.SHOWN_TAGS),
        "children": browsing.children_of(artifact),
        "parents": browsing.parents_of(artifact),
        "accessories": accessories,
        "more_accessories": accessory_count - len(accessories),
    }


def _content(artifact: Artifact) -> dict[str, Any]:
    manifest = contents.manifest_of(artifact)
    build = _build(artifact, manifest)
    return {
        "manifest": manifest,
        "manifest_text": bytes(artifact.manifest).decode(errors="replace"),
        "build": build,
        "run_settings": _run_settings(build.config),
    }


def _build(artifact: Artifact, manifest: Manifest) -> _Build:
    if artifact.type != "IMAGE" or manifest.config is None:
        return _Build()
    try:
        config = contents.image_config(manifest)
    except HarborError:
        return _Build(readable=False)
    run = config.get("config")
    return _Build(run if isinstance(run, dict) else {}, contents.build_history(manifest, config))


def _run_settings(config: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """(label, lines) of what a container of the image starts with; the builder wrote it, so any shape is possible."""
    labels = {
        "Entrypoint": _("Entrypoint"),
        "Cmd": _("Command"),
        "WorkingDir": _("Working directory"),
        "User": _("User"),
        "ExposedPorts": _("Ports"),
        "Volumes": _("Volumes"),
        "Env": _("Environment"),
        "Labels": _("Labels"),
    }
    shown = [(label, _lines(key, config.get(key))) for key, label in labels.items()]
    return [(label, lines) for label, lines in shown if lines]


def _lines(key: str, value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{name}={text}" if key == "Labels" else str(name) for name, text in value.items()]
    if isinstance(value, list):
        words = [str(item) for item in value]
        return words if key == "Env" else [" ".join(words)] if words else []
    return [value] if isinstance(value, str) and value else []


def _pull_commands(request: HttpRequest, repository: Repository, artifact: Artifact, tags: list[str]) -> list[str]:
    """By the newest tag, then by digest."""
    registry, runtime = registry_for(request), preferences.read(request).runtime
    by_tag = [commands.pull(registry, runtime, artifact.type, repository.name, tag=tag) for tag in tags[:1]]
    return [*by_tag, commands.pull(registry, runtime, artifact.type, repository.name, digest=artifact.digest)]

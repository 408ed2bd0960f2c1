"""Filters of the tables of tags and artifacts: read from the query string, offered as choices."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.utils.translation import gettext as _

from portal.bulk import Action
from portal.columns import Columns
from portal.project_pages import row_menu
from portal.shortcuts import ProjectPage
from projects.models import Artifact, Label, Tag
from projects.selectors.browsing import Facets

KINDS = ("IMAGE", "CHART", "CNAB", "WASM", "CNAI", "SBOM")
PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm", "linux/386", "linux/ppc64le", "linux/s390x", "windows/amd64")
_TAGGED = {"yes": True, "no": False}
_DIGITS_MAX = 18
NAMES = ("label", "type", "platform", "tagged")


def facets_of(request: HttpRequest) -> Facets:
    """What is no choice of ours counts for nothing."""
    given = request.GET
    label, kind, platform = given.get("label", ""), given.get("type", ""), given.get("platform", "")
    is_number = label.isascii() and label.isdigit() and len(label) <= _DIGITS_MAX
    return Facets(
        label=int(label) if is_number else None,
        type=kind if kind in KINDS else "",
        tagged=_TAGGED.get(given.get("tagged", "")),
        platform=platform if platform in PLATFORMS else "",
    )


def kept(facets: Facets) -> dict[str, str]:
    """The same as parameters of a link."""
    tagged = {True: "yes", False: "no"}.get(facets.tagged, "") if facets.tagged is not None else ""
    label = str(facets.label) if facets.label is not None else ""
    values = {"label": label, "type": facets.type, "platform": facets.platform, "tagged": tagged}
    return {name: value for name, value in values.items() if value}


@dataclass(frozen=True, slots=True)
class Choice:
    name: str
    label: str
    options: tuple[tuple[str, str], ...]
    value: str


def choices(facets: Facets, labels: list[Label], *, tagged: bool) -> list[Choice]:
    """``tagged``: whether untagged rows are in the table at all."""
    values: Mapping[str, str] = kept(facets)
    found = [
        ("label", _("Label"), [(str(label.pk), label.name) for label in labels]),
        ("type", _("Type"), [(kind, kind) for kind in KINDS]),
        ("platform", _("OS/Arch"), [(name, name) for name in PLATFORMS]),
    ]
    if tagged:
        found.append(("tagged", _("Tags"), [("yes", _("Tagged")), ("no", _("Untagged"))]))
    return [Choice(name, label, tuple(options), values.get(name, "")) for name, label, options in found if options]


def columns(request: HttpRequest, table: str) -> Columns:
    """``tags`` or ``artifacts``."""
    labels = {
        "command": _("Pull command"),
        "digest": _("Digest"),
        "type": _("Type"),
        "platform": _("OS/Arch"),
        "labels": _("Labels"),
        "size": _("Size"),
        "pushed": _("Pushed"),
        "pulled": _("Pulled"),
    }
    if table == "artifacts":
        del labels["digest"]
    return Columns.of(request, table, labels, hidden=frozenset({"labels"}))


def tag_actions(found: ProjectPage, name: str) -> list[Action]:
    if not found.may("tag:delete"):
        return []
    return [Action(_("Delete tags"), resolve_url("portal:tags-delete", found.project.pk, name), "trash-2", danger=True)]


def artifact_actions(found: ProjectPage, name: str) -> list[Action]:
    if not found.may("artifact:delete"):
        return []
    url = resolve_url("portal:artifacts-delete", found.project.pk, name)
    return [Action(_("Delete artifacts"), url, "trash-2", danger=True)]


def tag_menu(found: ProjectPage, name: str, tag: Tag) -> list[dict[str, object]]:
    """What can be done with a tag, by the rights of who looks."""
    project = found.project.pk
    history = resolve_url("portal:repository-history", project, name)
    items: list[dict[str, object]] = [{"label": _("History"), "url": f"{history}?tag={tag.name}", "icon": "history"}]
    items += artifact_menu(found, name, tag.artifact, deletes=False)
    if found.may("tag:delete"):
        url = f"{resolve_url('portal:tags-delete', project, name)}?pick={tag.pk}"
        items += row_menu((_("Delete tag"), url, "trash-2", True))
    return items


def artifact_menu(
    found: ProjectPage, name: str, artifact: Artifact, *, deletes: bool = True
) -> list[dict[str, object]]:
    at = (found.project.pk, name, artifact.digest)
    items: list[tuple[str, str, str, bool]] = []
    if found.may("tag:create") and not found.access.proxy:
        items.append((_("Add a tag"), resolve_url("portal:artifact-tag", *at), "tag", False))
    if found.may("artifact-label:create"):
        items.append((_("Labels"), resolve_url("portal:artifact-labels", *at), "tags", False))
    if found.access.roles or found.may("artifact:create"):
        items.append((_("Copy to …"), resolve_url("portal:artifact-copy", *at), "copy", False))
    if deletes and found.may("artifact:delete"):
        url = f"{resolve_url('portal:artifacts-delete', found.project.pk, name)}?pick={artifact.pk}"
        items.append((_("Delete artifact"), url, "trash-2", True))
    return row_menu(*items)

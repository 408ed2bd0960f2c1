"""What can be changed about one artifact: its tags and labels; and copying it."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from harbor_core.lib.errors import HarborError
from portal.forms.content import CopyForm, LabelsForm, TagForm
from portal.forms.submit import STATUS_WRONG, submit
from portal.isolation import named
from portal.project_pages import open_project
from portal.shortcuts import ProjectPage, actor_of, page, repository_or_404
from projects import access
from projects.models import Artifact, Repository
from projects.selectors import browsing
from projects.selectors.labels import labels_for, labels_of
from projects.services import copies
from projects.services import labels as label_services
from projects.services import tags as tag_services

_PROJECTS_OFFERED = 50
_NO_TAG = gettext_lazy("Letters, digits, “_”, “.” and “-”, at most 128; the first is no “.” or “-”.")
_TAKEN = gettext_lazy(
    "Another artifact of this repository has this tag. Delete it there first, or choose another name."
)


@dataclass(frozen=True, slots=True)
class _Subject:
    found: ProjectPage
    repository: Repository
    name: str
    artifact: Artifact


def _subject(request: HttpRequest, project: str, repository: str, digest: str, does: str) -> _Subject:
    found = open_project(request, project, sees="artifact:read", does=does)
    row = repository_or_404(found, repository)
    artifact = browsing.artifact_find(row, digest)
    if artifact is None:
        raise Http404
    artifact.repository = row
    return _Subject(found, row, repository, artifact)


def _answer(request: HttpRequest, subject: _Subject, form, title: str, action: str, text: str = "", **more):
    context = {
        "project": subject.found.project,
        "repository": subject.repository,
        "name": subject.name,
        "artifact": subject.artifact,
        "form": form,
        "title": title,
        "submit": action,
        "text": text,
    } | more
    return render(request, "portal/artifacts/form.html", context, status=STATUS_WRONG if form.errors else 200)


def _done(subject: _Subject) -> HttpResponse:
    return redirect("portal:artifact", subject.found.project.pk, subject.name, subject.artifact.digest)


@page("GET", "POST")
def tag_add(request: HttpRequest, project: str, repository: str, digest: str) -> HttpResponse:
    subject = _subject(request, project, repository, digest, "tag:create")
    form = TagForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        made = submit(
            form,
            lambda: tag_services.create(actor_of(request), subject.artifact, form.cleaned_data["name"]),
            {"BAD_REQUEST": ("name", _NO_TAG), "CONFLICT": ("name", _TAKEN)},
        )
        if made:
            messages.success(request, _("Tag %(name)s added.") % named(form.cleaned_data["name"]))
            return _done(subject)
    return _answer(request, subject, form, _("Add a tag"), _("Add tag"))


@page("GET", "POST")
def labels_set(request: HttpRequest, project: str, repository: str, digest: str) -> HttpResponse:
    """The boxes as ticked are the artifact's labels afterwards; only those that differ are changed."""
    subject = _subject(request, project, repository, digest, "artifact-label:create")
    usable = labels_for(subject.found.project.pk)
    now = {label.pk for label in labels_of([subject.artifact.pk]).get(subject.artifact.pk, [])}
    form = LabelsForm(request.POST if request.method == "POST" else None, usable=usable, initial={"labels": list(now)})
    if request.method == "POST":
        actor = actor_of(request)

        def write() -> None:
            offered = {label.pk for label in usable}
            for pk in sorted(form.chosen - now):
                label_services.add(actor, subject.artifact, pk)
            for pk in sorted((now & offered) - form.chosen):
                label_services.remove(actor, subject.artifact, pk)

        if submit(form, write):
            messages.success(request, _("Labels saved."))
            return _done(subject)
    text = "" if usable else _("There are no labels yet. They are made on the project's page “Labels”.")
    return _answer(request, subject, form, _("Labels of the artifact"), _("Save"), text)


@page("GET", "POST")
def artifact_copy(request: HttpRequest, project: str, repository: str, digest: str) -> HttpResponse:
    """Into another repository one may put things into, with tags, children and accessories."""
    subject = _subject(request, project, repository, digest, "artifact:read")
    actor = actor_of(request)
    if not actor.is_authenticated:
        raise Http404
    start = {"project": subject.found.project.name, "repository": f"{subject.name}-copy"}
    form = CopyForm(request.POST if request.method == "POST" else None, initial=start)

    def write() -> None:
        target = access.project_access(actor, form.cleaned_data["project"])
        if target is None or "artifact:create" not in target.permissions:
            raise HarborError("NOT_FOUND")
        copies.copy(actor, target, f"{target.project_name}/{form.cleaned_data['repository']}", subject.artifact)

    refusals = {
        "NOT_FOUND": ("project", _("There is no such project, or you may not put anything into it.")),
        "BAD_REQUEST": ("repository", _("Lower-case letters, digits, “.”, “_” and “-”, parts with “/” between them.")),
        "METHOD_NOT_ALLOWED": ("project", _("This project is a proxy cache: nothing can be put into it.")),
    }
    if request.method == "POST" and submit(form, write, refusals):
        name = f"{form.cleaned_data['project']}/{form.cleaned_data['repository']}"
        messages.success(request, _("Copied to %(name)s.") % named(name))
        target = access.find_project(form.cleaned_data["project"], by_name=True)
        where = target.pk if target else project
        return redirect("portal:artifact", where, form.cleaned_data["repository"], digest)
    projects = access.projects_granting(actor, "artifact:create").order_by("name")
    offered = list(projects.values_list("name", flat=True)[:_PROJECTS_OFFERED])
    text = _("Tags, children of an index, signatures and SBOMs come along. Layers are not stored twice.")
    return _answer(request, subject, form, _("Copy the artifact"), _("Copy"), text, offered=offered)

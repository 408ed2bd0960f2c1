"""Projects are made, and deleted once nothing is left in them."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from auth.actor import Actor
from harbor_core.lib.errors import HarborError
from portal.forms.project import NewProjectForm
from portal.forms.submit import STATUS_WRONG, submit
from portal.isolation import named
from portal.project_pages import ask_first, open_project
from portal.shortcuts import Confirmation, ProjectPage, actor_of, confirm, page
from projects import access
from projects.models import Project
from projects.selectors.projects import summary
from projects.selectors.repositories import repositories_in
from projects.services import projects

SHOWN_BLOCKERS = 20
_REFUSALS = {"CONFLICT": ("name", gettext_lazy("There is a project of this name already."))}


@page("GET", "POST")
def create(request: HttpRequest) -> HttpResponse:
    """A form; afterwards to the new project. 403 for who may not make projects."""
    actor = actor_of(request)
    if not projects.may_create(actor):
        raise HarborError("FORBIDDEN")
    administers = access.can(actor, "project:create")
    form = NewProjectForm(request.POST if request.method == "POST" else None, administers=administers)
    made: list[Project] = []
    if request.method == "POST" and submit(form, lambda: made.append(_create(actor, form)), _REFUSALS):
        messages.success(request, _("Project %(name)s was created.") % named(made[0].name))
        return redirect("portal:repositories", made[0].pk)
    status = STATUS_WRONG if form.errors else 200
    return render(request, "portal/projects/new.html", {"form": form}, status=status)


def _create(actor: Actor, form: NewProjectForm) -> Project:
    chosen = form.cleaned_data
    registry = chosen.get("registry")
    return projects.create(
        actor,
        chosen["name"],
        values={"public": "true" if chosen["access"] == "public" else "false"},
        storage_limit=form.storage_limit,
        registry_id=registry.pk if registry else None,
    )


@page("GET", "POST")
def delete(request: HttpRequest, project: str) -> HttpResponse:
    """What would go, or what stands in the way; POST deletes."""
    found = open_project(request, project, sees="project:read", does="project:delete")
    asked = _deletion(found)
    if request.method == "POST" and asked.blockers:
        return confirm(request, asked, status=STATUS_WRONG)
    name = found.project.name
    done = _("Project %(name)s was deleted.") % named(name)
    return ask_first(request, asked, lambda: projects.delete(actor_of(request), found.project.pk), done)


def _deletion(found: ProjectPage) -> Confirmation:
    project = found.project
    figures = summary(project, found.access.permissions)
    blockers = []
    if not projects.deletable(project.pk)[0]:
        names = [item.name.partition("/")[2] for item in repositories_in(project, SHOWN_BLOCKERS)]
        count = ngettext(
            "There is %(count)d repository in it:", "There are %(count)d repositories in it:", figures.repositories
        )
        blockers = [count % {"count": figures.repositories}, *names]
        if figures.repositories > len(names):
            blockers.append(_("… and %(count)d more") % {"count": figures.repositories - len(names)})
    members = sum((figures.members or {}).values())
    told = ngettext("%(count)d member loses its role.", "%(count)d members lose their roles.", members)
    return Confirmation(
        title=_("Delete project %(name)s?") % named(project.name),
        action=_("Delete project"),
        back=reverse(
            "portal:project-summary" if blockers else "portal:projects", args=[project.pk] if blockers else []
        ),
        consequences=[
            told % {"count": members},
            _("Its robot accounts stop working, its labels, rules, webhooks and settings are deleted."),
            _("What could have been restored from its trash is lost."),
            _("The name becomes free for others."),
        ],
        blockers=blockers,
        typed=project.name,
    )

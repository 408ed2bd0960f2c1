"""Rules of a project that keep tags as they are."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.forms.immutability import RuleForm
from portal.forms.submit import submit
from portal.project_pages import Switch, ask_first, ask_to_switch, form_page, framed, open_project, switch_menu
from portal.shortcuts import Confirmation, ProjectPage, actor_of, page
from projects.models import ImmutableRule
from projects.selectors import immutability as selectors
from projects.services import immutability as services

_SEES = "immutable-tag:list"
_REFUSALS = {"CONFLICT": (None, gettext_lazy("The project has a rule for exactly these tags already."))}


@page("GET")
def rule_list(request: HttpRequest, project: str) -> HttpResponse:
    found = open_project(request, project, sees=_SEES)
    rules = selectors.rules_in(found.project.pk)
    context = framed(found) | {"rows": [(rule, _initial(rule), _menu(found, rule)) for rule in rules]}
    return render(request, "portal/projects/immutability.html", context)


def _initial(rule: ImmutableRule) -> dict[str, str]:
    repositories, tags = rule.scope_selectors["repository"][0], rule.tag_selectors[0]
    return {
        "repository_decoration": repositories["decoration"],
        "repository_pattern": repositories["pattern"],
        "tag_decoration": tags["decoration"],
        "tag_pattern": tags["pattern"],
    }


def _menu(found: ProjectPage, rule: ImmutableRule) -> list[dict[str, object]]:
    enabled = not rule.disabled
    return switch_menu(found, rule.pk, resource="immutable-tag", route="portal:immutable-rule", enabled=enabled)


@page("GET", "POST")
def create(request: HttpRequest, project: str) -> HttpResponse:
    found = open_project(request, project, sees=_SEES, does="immutable-tag:create")
    form = RuleForm(request.POST if request.method == "POST" else None)

    def act() -> None:
        services.create(actor_of(request), found.project, form.values | {"disabled": False})

    if request.method == "POST" and submit(form, act, _REFUSALS):
        messages.success(request, _("The rule counts from now on."))
        return redirect("portal:immutable-rules", found.project.pk)
    return _form(request, found, form, _("New immutability rule"))


@page("GET", "POST")
def edit(request: HttpRequest, project: str, rule: int) -> HttpResponse:
    found = open_project(request, project, sees=_SEES, does="immutable-tag:update")
    row = selectors.rule_get(found.project.pk, rule)
    form = RuleForm(request.POST if request.method == "POST" else None, initial=_initial(row))

    def act() -> None:
        services.update(actor_of(request), found.project, row.pk, form.values | {"disabled": row.disabled})

    if request.method == "POST" and submit(form, act, _REFUSALS):
        messages.success(request, _("The rule was saved."))
        return redirect("portal:immutable-rules", found.project.pk)
    return _form(request, found, form, _("Edit immutability rule"))


def _form(request: HttpRequest, found: ProjectPage, form: RuleForm, title: str) -> HttpResponse:
    more = {
        "title": title,
        "back": reverse("portal:immutable-rules", args=[found.project.pk]),
        "preview": _preview(found, form),
    }
    return form_page(request, found, "portal/projects/immutability_form.html", form, more)


def _preview(found: ProjectPage, form: RuleForm) -> selectors.Preview | None:
    """Of what the fields hold now; None while they make no sense."""
    values = {name: form[name].value() or "" for name in form.fields}
    current = RuleForm(values)
    return selectors.preview(found.project.pk, *current.selectors) if current.is_valid() else None


@page("GET")
def preview(request: HttpRequest, project: str) -> HttpResponse:
    """What a rule with the fields of the query would protect: a part of the form's page."""
    found = open_project(request, project, sees=_SEES)
    context = {"preview": _preview(found, RuleForm(request.GET))}
    return render(request, "portal/projects/_immutability_preview.html", context)


@page("GET", "POST")
def toggle(request: HttpRequest, project: str, rule: int) -> HttpResponse:
    found = open_project(request, project, sees=_SEES, does="immutable-tag:update")
    row = selectors.rule_get(found.project.pk, rule)
    said = Switch(
        title=(_("Enable this rule?"), _("Disable this rule?")),
        consequence=(
            _("Tags that match can no longer be moved or deleted, whoever tries."),
            _("Tags it keeps can be moved and deleted again, unless another rule keeps them."),
        ),
        done=(_("The rule counts from now on."), _("The rule was disabled.")),
        back=reverse("portal:immutable-rules", args=[found.project.pk]),
    )

    def act(enabled: bool) -> None:
        values = {
            "action": services.ACTION,
            "template": services.TEMPLATE,
            "priority": row.priority,
            "tag_selectors": row.tag_selectors,
            "scope_selectors": row.scope_selectors,
            "disabled": not enabled,
        }
        services.update(actor_of(request), found.project, row.pk, values)

    return ask_to_switch(request, said, act, enabled=not row.disabled)


@page("GET", "POST")
def delete(request: HttpRequest, project: str, rule: int) -> HttpResponse:
    found = open_project(request, project, sees=_SEES, does="immutable-tag:delete")
    row = selectors.rule_get(found.project.pk, rule)
    asked = Confirmation(
        title=_("Delete this rule?"),
        action=_("Delete rule"),
        back=reverse("portal:immutable-rules", args=[found.project.pk]),
        text=_("Tags %(tags)s of repositories %(repositories)s")
        % {
            "tags": row.tag_selectors[0]["pattern"],
            "repositories": row.scope_selectors["repository"][0]["pattern"],
        },
        consequences=[_("Tags it keeps can be moved and deleted again, unless another rule keeps them.")],
    )
    act = lambda: services.delete(actor_of(request), found.project, row.pk)  # noqa: E731  # one line says it
    return ask_first(request, asked, act, _("The rule was deleted."))

"""Every component on one page, for developers; administrators see it."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone

from portal.bulk import Action, Selection
from portal.charts import Bar, BarChart, ColumnChart, Series
from portal.columns import Columns
from portal.listing import Listing
from portal.logview import log_chunk, offset_of
from portal.navigation import Link
from portal.shortcuts import Confirmation, actor_of, confirm, confirmed, page
from portal.templatetags.portal import size
from projects.models import Project

_LINES = [f"2026-03-31T14:05:{number:02d}Z [INFO] line {number} of a log that grows\n" for number in range(12)]
_STEP = 3  # lines the log gains each time it is asked


class SampleForm(forms.Form):
    name = forms.CharField(label="Name", max_length=20, help_text="Up to 20 characters.")
    kind = forms.ChoiceField(label="Kind", choices=[("a", "First"), ("b", "Second")])
    many = forms.MultipleChoiceField(
        label="Several", choices=[("x", "One"), ("y", "Other")], widget=forms.CheckboxSelectMultiple, required=False
    )
    flag = forms.BooleanField(label="A single box", required=False)
    text = forms.CharField(label="Text", widget=forms.Textarea(attrs={"rows": 3}), required=False)


def _only_administrators(request: HttpRequest) -> None:
    if not actor_of(request).is_sysadmin:
        raise Http404


@page("GET")
def components(request: HttpRequest) -> HttpResponse:
    _only_administrators(request)
    listing = Listing(request, sorts={"name": "name", "created": "creation_time"}, default="name")
    context: dict[str, Any] = {
        "listing": listing,
        "rows": listing.fill(Project.objects.filter(deleted=False)),
        "bulk": [Action("Delete", resolve_url("portal:component-confirm"), "trash-2", danger=True)],
        "columns": Columns.of(request, "components", {"access": "Access", "created": "Created"}),
        "tabs": [Link("First", "#tabs", "tags", "page", 3), Link("Second", "#tabs", "package", "", 12_345)],
        "items": [
            {"label": "Edit", "url": resolve_url("portal:component-form"), "icon": "pencil", "dialog": True},
            {
                "label": "Delete",
                "url": resolve_url("portal:component-confirm"),
                "icon": "trash-2",
                "danger": True,
                "dialog": True,
            },
        ],
        "columns_chart": _columns_chart(),
        "bars_chart": _bars_chart(),
        "log": {"text": "".join(_LINES[:_STEP]), "offset": _STEP, "url": resolve_url("portal:component-log")},
        "form": SampleForm({"name": "", "kind": "b", "many": ["x"]}),
        "moments": [timezone.now() - timedelta(hours=3), timezone.now() + timedelta(days=20)],
        "sizes": [0, 900, 1_530_000, 84_000_000_000],
        "digest_sample": "sha256:" + "0123456789abcdef" * 4,
        "quotas": [SimpleNamespace(used=used, hard=1 << 30) for used in (1 << 27, 950 << 20, 1 << 30)],
    }
    return render(request, "portal/developers/components.html", context)


def _columns_chart() -> ColumnChart:
    days = [f"3/{day}" for day in range(1, 31)]
    pulls = [(day * 37) % 90 for day in range(30)]
    pushes = [(day * 11) % 25 for day in range(30)]
    return ColumnChart("Pulls and pushes", [Series("pulls", pulls), Series("pushes", pushes, "second")], days)


def _bars_chart() -> BarChart:
    shares = [("payments/api", 9_000_000, 2_000_000), ("library/a-very-long-name/of-a-repository", 4_000_000, 900_000)]
    bars = [Bar(name, size(own + shared), [(own, "accent"), (shared, "second")]) for name, own, shared in shares]
    return BarChart("Unique and shared bytes", bars)


@page("GET")
def component_log(request: HttpRequest) -> HttpResponse:
    """A log that gains some lines each time, and ends."""
    _only_administrators(request)
    begin = offset_of(request)
    end = min(len(_LINES), begin + _STEP)
    return log_chunk("".join(_LINES[begin:end]), offset=end, ended=end == len(_LINES))


@page("GET", "POST", works_read_only=True)
def component_confirm(request: HttpRequest) -> HttpResponse:
    _only_administrators(request)
    rows = Project.objects.filter(deleted=False)
    selection = Selection.read(request).settled(rows)
    asked = Confirmation(
        title=f"Delete {selection.of(rows).count()} things?",
        action="Delete",
        back=resolve_url("portal:components"),
        consequences=["This is only a sample: nothing is deleted.", "A second consequence."],
        fields=list(selection.fields),
        typed="sample",
    )
    if confirmed(request, asked):
        messages.success(request, "Confirmed.")
        return redirect("portal:components")
    return confirm(request, asked, error="Type the word as it is shown." if request.method == "POST" else "")


@page("GET", "POST", works_read_only=True)
def component_form(request: HttpRequest) -> HttpResponse:
    _only_administrators(request)
    form = SampleForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        messages.success(request, "Saved.")
        return redirect("portal:components")
    status = 400 if form.is_bound else 200
    return render(request, "portal/developers/form.html", {"form": form}, status=status)

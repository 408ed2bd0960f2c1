"""The audit log as people look through it: a filter, words for what happened, and rows as CSV."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, time
from typing import Any, cast

from django import forms
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext_lazy as _

from harbor_core.lib.query import Condition, Exact, Fuzzy, Range
from harbor_core.lib.timefmt import rfc3339
from harbor_core.models import AuditLog

OPERATIONS = {
    "create": _("Create"),
    "update": _("Change"),
    "delete": _("Delete"),
    "pull": _("Pull"),
    "login": _("Sign in"),
    "logout": _("Sign out"),
    "stale": _("Not up to date"),
    "gone": _("Deleted upstream"),
}
TYPES = {
    "artifact": _("Artifact"),
    "tag": _("Tag"),
    "repository": _("Repository"),
    "project": _("Project"),
    "member": _("Member"),
    "metadata": _("Project metadata"),
    "label": _("Label"),
    "artifact-label": _("Artifact label"),
    "robot": _("Robot account"),
    "robot-trust": _("Trust of a robot account"),
    "immutable-tag-rule": _("Immutability rule"),
    "webhook": _("Webhook"),
    "quota": _("Quota"),
    "cve-allowlist": _("CVE allowlist"),
    "upstream-tag": _("Tag of the other registry"),
}
_RESULTS = (("", _("Any result")), ("true", _("Succeeded")), ("false", _("Failed")))
_PERIOD_END = "%Y-%m-%dT%H:%M:%S"
_COLUMNS = ("time", "user", "client_ip", "operation", "resource_type", "resource", "result", "description")
_CHUNK = 2000
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class AuditFilter(forms.Form):
    """Read from the query string; a field that makes no sense filters nothing."""

    user = forms.CharField(
        label=_("User"), required=False, max_length=255, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    resource = forms.CharField(
        label=_("Resource"), required=False, max_length=255, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    operation = forms.ChoiceField(
        label=_("Operation"), required=False, choices=[("", _("Any operation")), *OPERATIONS.items()]
    )
    type = forms.ChoiceField(label=_("Type"), required=False, choices=[("", _("Any type")), *TYPES.items()])
    result = forms.ChoiceField(label=_("Result"), required=False, choices=_RESULTS)
    since = forms.DateField(
        label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    until = forms.DateField(
        label=_("Through"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )

    def __init__(self, data: Mapping[str, str]) -> None:
        super().__init__({name: str(value).replace("\0", "") for name, value in data.items()})
        self.is_valid()

    @property
    def chosen(self) -> dict[str, str]:
        """What links have to carry along."""
        return {name: str(value) for name, value in self.cleaned_data.items() if value}

    @property
    def query(self) -> dict[str, Condition]:
        """For harbor_core.selectors.audit."""
        found = self.cleaned_data
        query: dict[str, Condition] = {}
        for name, key in (("user", "username"), ("resource", "resource")):
            if found.get(name):
                query[key] = Fuzzy(found[name])
        for name, key in (("operation", "operation"), ("type", "resource_type"), ("result", "operation_result")):
            if found.get(name):
                query[key] = Exact(found[name])
        since, until = found.get("since"), found.get("until")
        if since or until:
            low = f"{datetime.combine(since, time.min, UTC):{_PERIOD_END}}" if since else ""
            high = f"{datetime.combine(until, time.max, UTC):{_PERIOD_END}}" if until else ""
            query["op_time"] = Range(low, high)
        return query


def described(rows: Iterable[AuditLog]) -> list[dict[str, Any]]:
    """Each with its operation and type in words; those nobody translated are shown as they are. ``more`` is what the
    description says beyond those and the resource."""
    return [
        {
            "row": row,
            "operation": OPERATIONS.get(row.operation, row.operation),
            "type": TYPES.get(row.resource_type, row.resource_type),
            "more": "" if row.operation_description == _usual(row) else row.operation_description,
        }
        for row in rows
    ]


def _usual(row: AuditLog) -> str:
    return f"{row.operation} {row.resource_type} {row.resource}"


class _Line:
    """A file for csv.writer that hands its line back."""

    def write(self, line: str) -> str:
        return line


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _lines(rows: Iterable[AuditLog]) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield "\ufeff" + writer.writerow(_COLUMNS)  # the mark tells spreadsheets that it is UTF-8
    for row in rows:
        values = (row.username, row.client_ip, row.operation, row.resource_type, row.resource)
        result = "success" if row.operation_result else "failure"
        yield writer.writerow([rfc3339(row.op_time), *map(_cell, values), result, _cell(row.operation_description)])


def export(request: HttpRequest, rows: Any, name: str) -> HttpResponse:
    """``rows`` is a queryset; it is read in pieces while it is sent, whatever its length."""
    content = () if request.method == "HEAD" else _lines(rows.iterator(chunk_size=_CHUNK))
    response = StreamingHttpResponse(content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return cast(HttpResponse, response)  # what pages are wrapped in takes both

"""The REST API to try out in the browser (Swagger UI on the published schema)."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.shortcuts import page


@page("GET")
def api_reference(request: HttpRequest) -> HttpResponse:
    """For everybody, as the schema is. Calls made from it carry the visitor's session."""
    return render(request, "portal/api/reference.html")

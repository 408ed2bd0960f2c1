from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal.shortcuts import actor_of, page


@page("GET")
def home(request: HttpRequest) -> HttpResponse:
    """To the projects, past the sign-in form for who is not signed in."""
    return redirect("portal:projects" if actor_of(request).is_authenticated else "portal:sign-in")

"""Signing up, one's own account, the dashboard, and the search."""

from django.urls import path
from django.utils.translation import gettext_lazy as _

from portal.navigation import Entry, Section, add
from portal.views import dashboard, gate, profile, search, tokens

urlpatterns = [
    path("harbor", dashboard.dashboard, name="dashboard"),
    path("harbor/search", search.search, name="search"),
    path("account/sign-up", gate.sign_up, name="sign-up"),
    path("account/background", gate.background, name="background"),
    path("account/profile", profile.profile, name="profile"),
    path("account/about", profile.about, name="about"),
    path("account/tokens", tokens.token_list, name="tokens"),
    path("account/tokens/new", tokens.token_create, name="token-create"),
    path("account/tokens/<int:token>/revoke", tokens.token_revoke, name="token-revoke"),
]
add(Entry(Section.MAIN, 10, "portal:dashboard", _("Dashboard"), "layout-dashboard", signed_in=True, exact=True))

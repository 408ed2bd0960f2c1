"""Pages. A repository's name may hold slashes; what follows it is told apart by what no name can hold (a digest's
colon) or by the query string."""

from django.urls import path, re_path
from django.utils.translation import gettext_lazy as _

from portal import routes
from portal.navigation import Entry, Section, add
from portal.views import account, api_reference, artifacts, home, projects, repositories

app_name = "portal"
_PROJECT = "harbor/projects/<str:project>"

account_urls = [
    path("account/sign-in", account.sign_in, name="sign-in"),
    path("account/sign-out", account.sign_out, name="sign-out"),
    path("account/password", account.change_password, name="password"),
    path("account/preferences", account.set_preferences, name="preferences"),
]
project_urls = [
    path("harbor/projects", projects.project_list, name="projects"),
    path(_PROJECT, projects.project_home, name="project"),
    path(f"{_PROJECT}/repositories", repositories.repository_list, name="repositories"),
]
repository_urls = [
    # Where bookmarks made in Harbor's own portal point.
    re_path(
        r"^harbor/projects/(?P<project>[^/]+)/repositories/(?P<repository>.+)/(?P<tab>artifacts|info)-tab"
        r"(?:/artifacts/(?P<digest>[^/]+))?$",
        repositories.moved,
        name="moved",
    ),
    path(
        f"{_PROJECT}/repositories/<portal_repository:repository>/artifacts/<portal_digest:digest>",
        artifacts.artifact_detail,
        name="artifact",
    ),
    path(f"{_PROJECT}/repositories/<portal_repository:repository>", repositories.repository_detail, name="repository"),
]
add(
    Entry(Section.MAIN, 20, "portal:projects", _("Projects"), "boxes"),
    Entry(Section.PROJECT, 20, "portal:repositories", _("Repositories"), "layers", "repository:list"),
)

urlpatterns = [
    path("", home.home, name="home"),
    path("devcenter-api-2.0", api_reference.api_reference, name="api-reference"),
    *account_urls,
    *project_urls,
    *routes.urlpatterns,
    *repository_urls,
]

"""Pages. A repository's name may hold slashes; what follows it is told apart by what no name can hold (a digest's
colon) or by the query string."""

from django.urls import path, re_path, register_converter

from harbor_core.lib import names
from portal.views import account, artifacts, home, projects, repositories


class RepositoryConverter:
    regex = names.REPOSITORY

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class DigestConverter(RepositoryConverter):
    regex = names.DIGEST


register_converter(RepositoryConverter, "portal_repository")
register_converter(DigestConverter, "portal_digest")

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

urlpatterns = [path("", home.home, name="home"), *account_urls, *project_urls, *repository_urls]

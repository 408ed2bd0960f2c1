"""Who gets which answer: one row per route and verb, one status per persona in the order of tests.cast.PERSONAS."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """``path`` is filled from the world of the test; ``statuses`` in the order of PERSONAS."""

    route: str
    verb: str
    path: str
    statuses: str
    body: Any = None

    @property
    def expected(self) -> list[int]:
        return [int(status) for status in self.statuses.split()]


PROJECT = "projects/<str:project_name_or_id>"
REPOSITORY = "projects/<str:project_name>/repositories/<str:repository_name>"
ARTIFACT = f"{REPOSITORY}/artifacts/<str:reference>"
_app = "projects/team/repositories/app"
_image = f"{_app}/artifacts/1.0"

# sysadmin, project_admin, maintainer, developer, guest, limited_guest, robot, outsider, anonymous
_EVERYBODY = "200 200 200 200 200 200 200 200 200"
_ACCOUNTS = "200 200 200 200 200 200 200 200 401"
_SYSADMIN = "200 403 403 403 403 403 403 403 401"
_ADMINS = "200 200 403 403 403 403 403 403 401"
_MEMBERS = "200 200 200 200 200 200 403 403 401"
_MEMBERS_AND_ROBOT = "200 200 200 200 200 200 200 403 401"

ROWS = [
    Row("version", "GET", "/api/version", _EVERYBODY),
    Row("ping", "GET", "ping", _EVERYBODY),
    Row("health", "GET", "health", _EVERYBODY),
    Row("systeminfo", "GET", "systeminfo", _EVERYBODY),
    Row("systeminfo/getcert", "GET", "systeminfo/getcert", "404 404 404 404 404 404 404 404 404"),
    Row("systeminfo/volumes", "GET", "systeminfo/volumes", _SYSADMIN),
    Row("search", "GET", "search?q=team", _EVERYBODY),
    Row("statistics", "GET", "statistics", _ACCOUNTS),
    Row("users", "GET", "users", _SYSADMIN),
    Row(
        "users",
        "POST",
        "users",
        "201 403 403 403 403 403 403 403 401",
        {"username": "new", "realname": "New", "password": "Passw0rd-1"},
    ),
    Row("users/search", "GET", "users/search?username=a", _ACCOUNTS),
    Row("users/current", "GET", "users/current", "200 200 200 200 200 200 412 200 401"),
    Row("users/current/permissions", "GET", "users/current/permissions", _ACCOUNTS),
    Row("users/<str:user_id>", "GET", "users/{outsider}", "200 403 403 403 403 403 403 200 401"),
    Row("users/<str:user_id>", "PUT", "users/{outsider}", "200 403 403 403 403 403 403 200 401", {"comment": "hi"}),
    Row("users/<str:user_id>", "DELETE", "users/{guest}", "200 403 403 403 403 403 403 403 401"),
    Row(
        "users/<str:user_id>/password",
        "PUT",
        "users/{outsider}/password",
        "200 403 403 403 403 403 403 403 401",  # the outsider's own, but without the old one
        {"new_password": "Passw0rd-2"},
    ),
    Row("users/<str:user_id>/sysadmin", "PUT", "users/{outsider}/sysadmin", _SYSADMIN, {"sysadmin_flag": True}),
    Row(
        "users/<str:user_id>/cli_secret",
        "PUT",
        "users/{outsider}/cli_secret",
        "412 403 403 403 403 403 403 412 401",
        {"secret": "Passw0rd-2"},
    ),
    Row("projects", "GET", "projects", _EVERYBODY),
    Row("projects", "HEAD", "projects?project_name=team", _ACCOUNTS),
    Row("projects", "POST", "projects", "201 201 201 201 201 201 403 201 401", {"project_name": "fresh"}),
    Row(PROJECT, "GET", "projects/team", _MEMBERS),
    Row(PROJECT, "PUT", "projects/team", _ADMINS, {"metadata": {"public": "true"}}),
    Row(PROJECT, "DELETE", "projects/team", "412 412 403 403 403 403 403 403 401"),
    Row(f"{PROJECT}/_deletable", "GET", "projects/team/_deletable", _ADMINS),
    Row(f"{PROJECT}/summary", "GET", "projects/team/summary", _MEMBERS),
    Row(f"{PROJECT}/members", "GET", "projects/team/members", "200 200 200 200 200 403 403 403 401"),
    Row(
        f"{PROJECT}/members",
        "POST",
        "projects/team/members",
        "201 201 403 403 403 403 403 403 401",
        {"role_id": 3, "member_user": {"username": "outsider"}},
    ),
    Row(f"{PROJECT}/members/<str:mid>", "GET", "projects/team/members/{mid}", "200 200 200 200 200 403 403 403 401"),
    Row(f"{PROJECT}/members/<str:mid>", "PUT", "projects/team/members/{mid}", _ADMINS, {"role_id": 2}),
    Row(f"{PROJECT}/members/<str:mid>", "DELETE", "projects/team/members/{mid}", _ADMINS),
    Row(f"{PROJECT}/metadatas", "GET", "projects/team/metadatas/", _SYSADMIN),
    Row(f"{PROJECT}/metadatas", "POST", "projects/team/metadatas/", _ADMINS, {"auto_scan": "true"}),
    Row(
        f"{PROJECT}/metadatas/<str:meta_name>",
        "GET",
        "projects/team/metadatas/public",
        "200 200 200 403 403 403 403 403 401",
    ),
    Row(f"{PROJECT}/metadatas/<str:meta_name>", "PUT", "projects/team/metadatas/public", _ADMINS, {"public": "true"}),
    Row(f"{PROJECT}/metadatas/<str:meta_name>", "DELETE", "projects/team/metadatas/public", _ADMINS),
    Row(f"{PROJECT}/artifacts", "GET", "projects/team/artifacts", _MEMBERS_AND_ROBOT),
    Row("repositories", "GET", "repositories", _EVERYBODY),
    Row("projects/<str:project_name>/repositories", "GET", "projects/team/repositories", _MEMBERS),
    Row(REPOSITORY, "GET", _app, _MEMBERS),
    Row(REPOSITORY, "PUT", _app, "200 200 200 200 403 403 403 403 401", {"description": "ours"}),
    Row(REPOSITORY, "DELETE", _app, "200 200 200 403 403 403 403 403 401"),
    Row(f"{REPOSITORY}/artifacts", "GET", f"{_app}/artifacts", _MEMBERS_AND_ROBOT),
    Row(ARTIFACT, "GET", _image, _MEMBERS_AND_ROBOT),
    Row(ARTIFACT, "DELETE", _image, "200 200 200 403 403 403 403 403 401"),
    Row(f"{ARTIFACT}/tags", "GET", f"{_image}/tags", _MEMBERS),
    Row(f"{ARTIFACT}/tags", "POST", f"{_image}/tags", "201 201 201 201 403 403 201 403 401", {"name": "again"}),
    Row(f"{ARTIFACT}/tags/<str:tag_name>", "DELETE", f"{_image}/tags/1.0", "200 200 200 403 403 403 403 403 401"),
    Row(f"{ARTIFACT}/accessories", "GET", f"{_image}/accessories", _MEMBERS),
    Row(f"{ARTIFACT}/additions/<str:addition>", "GET", f"{_image}/additions/build_history", _MEMBERS),
]

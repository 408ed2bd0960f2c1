"""Projects and what they hold."""

from tests.security.matrix import (
    ACCOUNTS,
    ADMINS,
    APP,
    ARTIFACT,
    EVERYBODY,
    IMAGE,
    MEMBERS,
    MEMBERS_AND_ROBOT,
    PROJECT,
    REPOSITORY,
    Row,
)

SCANNER = {"uuid": "nobody"}

ROWS = [
    Row("search", "GET", "search?q=team", EVERYBODY),
    Row("statistics", "GET", "statistics", ACCOUNTS),
    Row("projects", "GET", "projects", EVERYBODY),
    Row("projects", "HEAD", "projects?project_name=team", ACCOUNTS),
    Row("projects", "POST", "projects", "201 201 201 201 201 201 403 403 403 201 201 401", {"project_name": "fresh"}),
    Row(PROJECT, "GET", "projects/team", MEMBERS),
    Row(PROJECT, "PUT", "projects/team", ADMINS, {"metadata": {"public": "true"}}),
    Row(PROJECT, "DELETE", "projects/team", "412 412 403 403 403 403 403 412 403 412 403 401"),
    Row(f"{PROJECT}/_deletable", "GET", "projects/team/_deletable", ADMINS),
    Row(f"{PROJECT}/summary", "GET", "projects/team/summary", MEMBERS),
    Row(f"{PROJECT}/scanner", "GET", "projects/team/scanner", "200 200 200 200 200 200 403 200 403 200 403 401"),
    Row(
        f"{PROJECT}/scanner", "PUT", "projects/team/scanner", "404 404 403 403 403 403 403 404 403 404 403 401", SCANNER
    ),
    Row(f"{PROJECT}/scanner/candidates", "GET", "projects/team/scanner/candidates", ADMINS),
    Row(f"{PROJECT}/members", "GET", "projects/team/members", "200 200 200 200 200 403 403 200 403 200 403 401"),
    Row(
        f"{PROJECT}/members",
        "POST",
        "projects/team/members",
        "201 201 403 403 403 403 403 201 403 201 403 401",
        {"role_id": 3, "member_user": {"username": "outsider"}},
    ),
    Row(
        f"{PROJECT}/members/<str:mid>",
        "GET",
        "projects/team/members/{mid}",
        "200 200 200 200 200 403 403 200 403 200 403 401",
    ),
    Row(f"{PROJECT}/members/<str:mid>", "PUT", "projects/team/members/{mid}", ADMINS, {"role_id": 2}),
    Row(f"{PROJECT}/members/<str:mid>", "DELETE", "projects/team/members/{mid}", ADMINS),
    # No role lists metadata, robots can be granted it.
    Row(f"{PROJECT}/metadatas", "GET", "projects/team/metadatas/", "200 403 403 403 403 403 403 200 403 200 403 401"),
    Row(f"{PROJECT}/metadatas", "POST", "projects/team/metadatas/", ADMINS, {"auto_scan": "true"}),
    Row(
        f"{PROJECT}/metadatas/<str:meta_name>",
        "GET",
        "projects/team/metadatas/public",
        "200 200 200 403 403 403 403 200 403 200 403 401",
    ),
    Row(f"{PROJECT}/metadatas/<str:meta_name>", "PUT", "projects/team/metadatas/public", ADMINS, {"public": "true"}),
    Row(f"{PROJECT}/metadatas/<str:meta_name>", "DELETE", "projects/team/metadatas/public", ADMINS),
    Row(f"{PROJECT}/artifacts", "GET", "projects/team/artifacts", MEMBERS_AND_ROBOT),
    Row("repositories", "GET", "repositories", EVERYBODY),
    Row("projects/<str:project_name>/repositories", "GET", "projects/team/repositories", MEMBERS),
    Row(REPOSITORY, "GET", APP, MEMBERS),
    Row(REPOSITORY, "PUT", APP, "200 200 200 200 403 403 403 200 403 200 403 401", {"description": "ours"}),
    Row(REPOSITORY, "DELETE", APP, "200 200 200 403 403 403 403 200 403 200 403 401"),
    Row(f"{REPOSITORY}/artifacts", "GET", f"{APP}/artifacts", MEMBERS_AND_ROBOT),
    Row(ARTIFACT, "GET", IMAGE, MEMBERS_AND_ROBOT),
    Row(ARTIFACT, "DELETE", IMAGE, "200 200 200 403 403 403 403 200 403 200 403 401"),
    Row(f"{ARTIFACT}/tags", "GET", f"{IMAGE}/tags", MEMBERS),
    Row(
        f"{ARTIFACT}/tags",
        "POST",
        f"{IMAGE}/tags",
        "201 201 201 201 403 403 201 201 403 201 403 401",
        {"name": "again"},
    ),
    Row(
        f"{ARTIFACT}/tags/<str:tag_name>",
        "DELETE",
        f"{IMAGE}/tags/1.0",
        "200 200 200 403 403 403 403 200 403 200 403 401",
    ),
    Row(f"{ARTIFACT}/accessories", "GET", f"{IMAGE}/accessories", MEMBERS),
    Row(f"{ARTIFACT}/additions/<str:addition>", "GET", f"{IMAGE}/additions/build_history", MEMBERS),
]

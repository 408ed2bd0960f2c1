"""Labels, immutable tags, icons, copies."""

from projects.manifests import icons
from tests.security.matrix import ARTIFACT, EVERYBODY, IMAGE, PROJECT, REPOSITORY, Row
from tests.security.things import FREE_LABEL

LABEL_READERS = "200 200 200 200 200 403 403 200 403 200 403 401"
MAINTAINERS = "200 200 200 403 403 403 403 200 403 200 403 401"
DEVELOPERS = "200 200 200 200 403 403 403 200 403 200 403 401"
RULE = {
    "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "v*"}],
    "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
}
RULES = f"{PROJECT}/immutabletagrules"

ROWS = [
    Row("labels", "GET", "labels?scope=p&project_id={team}", LABEL_READERS),
    Row(
        "labels",
        "POST",
        "labels",
        "201 403 403 403 403 403 403 403 403 201 403 401",
        {"name": "new", "scope": "g"},
    ),
    Row("labels/<str:label_id>", "GET", "labels/{label}", LABEL_READERS),
    Row("labels/<str:label_id>", "PUT", "labels/{label}", MAINTAINERS, {"name": "renamed"}),
    Row("labels/<str:label_id>", "DELETE", "labels/{label}", MAINTAINERS),
    Row(f"{ARTIFACT}/labels", "POST", f"{IMAGE}/labels", DEVELOPERS, {"id": FREE_LABEL}),
    Row(f"{ARTIFACT}/labels/<str:label_id>", "DELETE", f"{IMAGE}/labels/{{label}}", DEVELOPERS),
    Row(RULES, "GET", "projects/team/immutabletagrules", MAINTAINERS),
    Row(RULES, "POST", "projects/team/immutabletagrules", MAINTAINERS.replace("200", "201"), RULE),
    Row(
        f"{RULES}/<str:immutable_rule_id>",
        "PUT",
        "projects/team/immutabletagrules/{rule}",
        MAINTAINERS,
        RULE | {"disabled": True},
    ),
    Row(f"{RULES}/<str:immutable_rule_id>", "DELETE", "projects/team/immutabletagrules/{rule}", MAINTAINERS),
    Row(
        f"{REPOSITORY}/artifacts",
        "POST",
        "projects/team/repositories/copied/artifacts?from=team/app:1.0",
        DEVELOPERS.replace("200", "201"),
    ),
    Row("icons/<str:digest>", "GET", f"icons/{icons.of_artifact('IMAGE')}", EVERYBODY),
]

"""``/projects/{project_name_or_id}/immutabletagrules``."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ID, ProjectView
from harbor_core.lib.errors import HarborError
from harbor_core.lib.schema import CREATED, DONE, FLAG, INT, TEXT, array, mapping, obj
from harbor_core.lib.wire import LISTING, Flag, Items, Nested, Pairs, Text, Whole, compact
from projects.models import ImmutableRule
from projects.selectors.immutability import rule_list
from projects.services import immutability as services

SELECTOR = {
    "kind": Text(default=""),
    "decoration": Text(default=""),
    "pattern": Text(default=""),
    "extras": Text(max_length=1024, default=""),
}
RULE = {
    "id": Whole(default=0),
    "priority": Whole(default=0, low=-(2**31), high=2**31 - 1),
    "disabled": Flag(default=False),
    "action": Text(default=services.ACTION),
    "template": Text(default=services.TEMPLATE),
    "tag_selectors": Items(Nested(SELECTOR), default=[]),
    "scope_selectors": Pairs(Items(Nested(SELECTOR)), default={}),
}

_SELECTOR = obj("ImmutableSelector", {"kind": TEXT, "decoration": TEXT, "pattern": TEXT, "extras?": TEXT})
IMMUTABLE_RULE = obj(
    "ImmutableRule",
    {
        "id": INT,
        "priority?": INT,
        "disabled?": FLAG,
        "action": TEXT,
        "template": TEXT,
        "tag_selectors": array(_SELECTOR),
        "scope_selectors": mapping(array(_SELECTOR)),
    },
)


def rule_json(rule: ImmutableRule) -> dict[str, Any]:
    """ImmutableRule."""
    return compact(
        {
            "id": rule.pk,
            "priority": rule.priority,
            "disabled": rule.disabled,
            "action": services.ACTION,
            "template": services.TEMPLATE,
            "tag_selectors": [compact(item) for item in rule.tag_selectors],
            "scope_selectors": {key: [compact(item) for item in items] for key, items in rule.scope_selectors.items()},
        }
    )


class ImmutableRuleList(ProjectView):
    permissions = {"GET": "immutable-tag:list", "POST": "immutable-tag:create"}
    parameters = {"GET": LISTING}
    bodies = {"POST": RULE}
    answers = {"GET": [IMMUTABLE_RULE], "POST": CREATED}
    errors = {"POST": (409,)}

    def get(self, request: Request, project_name_or_id: str) -> Response:
        return self.page(rule_list(self.project.pk, self.listing), rule_json)

    def post(self, request: Request, project_name_or_id: str) -> Response:
        rule = services.create(self.actor, self.project, self.body)
        return self.created("projects", project_name_or_id, "immutabletagrules", rule.pk)


class ImmutableRuleItem(ProjectView):
    permissions = {"PUT": "immutable-tag:update", "DELETE": "immutable-tag:delete"}
    paths = {"immutable_rule_id": ID}
    bodies = {"PUT": RULE}
    answers = {"PUT": DONE, "DELETE": DONE}
    errors = {"PUT": (409,)}

    def put(self, request: Request, project_name_or_id: str, immutable_rule_id: int) -> Response:
        if self.body["id"] not in (0, immutable_rule_id):
            raise HarborError("BAD_REQUEST", f"the body is of rule {self.body['id']}, not {immutable_rule_id}")
        services.update(self.actor, self.project, immutable_rule_id, self.body)
        return self.done()

    def delete(self, request: Request, project_name_or_id: str, immutable_rule_id: int) -> Response:
        services.delete(self.actor, self.project, immutable_rule_id)
        return self.done()

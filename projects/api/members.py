"""``/projects/{project}/members``."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from auth.rbac import ROLE_NAMES, Role
from harbor_core.api.base import ID, ProjectView
from harbor_core.lib.schema import CREATED, DONE, INT, TEXT, choice, obj
from harbor_core.lib.wire import LISTING, Nested, Text, Whole, compact
from projects.models import Member
from projects.selectors import members as selectors
from projects.services import members as services
from projects.services.members import GroupReference, UserReference

USER = {"user_id": Whole(default=0), "username": Text(default="")}
GROUP = {
    "id": Whole(default=0),
    "group_name": Text(default=""),
    "group_type": Whole(default=0),
    "ldap_group_dn": Text(default=""),
}

MEMBER = obj(
    "ProjectMemberEntity",
    {
        "id": INT,
        "project_id": INT,
        "entity_id": INT,
        "entity_name": TEXT,
        "entity_type": choice("u", "g"),
        "role_id": INT,
        "role_name": TEXT,
    },
)


def member_json(member: Member) -> dict[str, Any]:
    """ProjectMemberEntity."""
    name = member.user.username if member.user else member.group.group_name if member.group else ""
    return compact(
        {
            "id": member.pk,
            "project_id": member.project_id,
            "entity_id": member.user_id or member.group_id,
            "entity_name": name,
            "entity_type": "u" if member.user_id else "g",
            "role_id": member.role,
            "role_name": ROLE_NAMES[Role(member.role)],
        }
    )


class MemberList(ProjectView):
    permissions = {"GET": "member:list", "POST": "member:create"}
    parameters = {"GET": LISTING | {"entityname": Text(default="")}}
    bodies = {"POST": {"role_id": Whole(default=0), "member_user": Nested(USER), "member_group": Nested(GROUP)}}
    answers = {"GET": [MEMBER], "POST": CREATED}
    errors = {"POST": (409,)}

    def get(self, request: Request, project_name_or_id: str) -> Response:
        found = selectors.member_list(self.project, self.listing, entityname=self.params["entityname"])
        return self.page(found, member_json)

    def post(self, request: Request, project_name_or_id: str) -> Response:
        user, group = self.body["member_user"], self.body["member_group"]
        member = services.add(
            self.actor,
            self.project,
            self.body["role_id"],
            user=UserReference(user["user_id"], user["username"]) if user and any(user.values()) else None,
            group=GroupReference(group["id"], group["group_name"], group["group_type"], group["ldap_group_dn"])
            if group and any(group.values())
            else None,
        )
        return self.created("projects", self.project.pk, "members", member.pk)


class MemberItem(ProjectView):
    permissions = {"GET": "member:read", "PUT": "member:update", "DELETE": "member:delete"}
    paths = {"mid": ID}
    bodies = {"PUT": {"role_id": Whole(default=0)}}
    answers = {"GET": MEMBER, "PUT": DONE, "DELETE": DONE}

    def get(self, request: Request, project_name_or_id: str, mid: int) -> Response:
        return Response(member_json(selectors.member_get(self.project, mid)))

    def put(self, request: Request, project_name_or_id: str, mid: int) -> Response:
        services.set_role(self.actor, self.project, mid, self.body["role_id"])
        return self.done()

    def delete(self, request: Request, project_name_or_id: str, mid: int) -> Response:
        services.remove(self.actor, self.project, mid)
        return self.done()

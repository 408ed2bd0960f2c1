"""``/usergroups``: groups of identity providers."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from auth.models import UserGroup
from auth.selectors import groups as selectors
from auth.services import groups as services
from harbor_core.api.base import ID, LOGIN, ApiView
from harbor_core.lib.schema import CREATED, DONE, INT, TEXT, obj
from harbor_core.lib.wire import PAGING, Text, Whole, compact

GROUP = {
    "group_name": Text(default=""),
    "group_type": Whole(default=0, about="1 LDAP, 2 HTTP, 3 OIDC"),
    "ldap_group_dn": Text(default=""),
}
USER_GROUP = obj("UserGroup", {"id": INT, "group_name": TEXT, "group_type": INT, "ldap_group_dn?": TEXT})
SEARCH_ITEM = obj("UserGroupSearchItem", {"id": INT, "group_name": TEXT, "group_type": INT})


def search_json(group: UserGroup) -> dict[str, Any]:
    """UserGroupSearchItem."""
    return {"id": group.pk, "group_name": group.group_name, "group_type": group.group_type}


def group_json(group: UserGroup) -> dict[str, Any]:
    """UserGroup."""
    return search_json(group) | compact({"ldap_group_dn": group.ldap_group_dn})


class GroupList(ApiView):
    permissions = {"GET": "user-group:list", "POST": "user-group:create"}
    parameters = {"GET": PAGING | {"group_name": Text(default=""), "ldap_group_dn": Text(default="")}}
    bodies = {"POST": GROUP}
    answers = {"GET": [USER_GROUP], "POST": CREATED}
    errors = {"POST": (409,)}

    def get(self, request: Request) -> Response:
        params = self.params
        found = selectors.group_list(self.listing, name=params["group_name"], dn=params["ldap_group_dn"])
        return self.page(found, group_json)

    def post(self, request: Request) -> Response:
        body = self.body
        group = services.create(
            self.actor, name=body["group_name"], group_type=body["group_type"], dn=body["ldap_group_dn"]
        )
        return self.created("usergroups", group.pk)


class GroupSearch(ApiView):
    """For whoever adds members."""

    permissions = {"GET": LOGIN}
    parameters = {"GET": PAGING | {"groupname": Text(required=True)}}
    answers = {"GET": [SEARCH_ITEM]}

    def get(self, request: Request) -> Response:
        return self.page(selectors.group_list(self.listing, name=self.params["groupname"]), search_json)


class GroupItem(ApiView):
    permissions = {"GET": "user-group:read", "PUT": "user-group:update", "DELETE": "user-group:delete"}
    paths = {"group_id": ID}
    bodies = {"PUT": {"group_name": Text(default="")}}
    answers = {"GET": USER_GROUP, "PUT": DONE, "DELETE": DONE}
    errors = {"PUT": (409,)}

    def get(self, request: Request, group_id: int) -> Response:
        return Response(group_json(selectors.group_get(group_id)))

    def put(self, request: Request, group_id: int) -> Response:
        services.rename(self.actor, group_id, self.body["group_name"])
        return self.done()

    def delete(self, request: Request, group_id: int) -> Response:
        services.delete(self.actor, group_id)
        return self.done()

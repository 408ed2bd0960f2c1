"""``/robots/{id}/trusts``: whose tokens stand for a robot (docs/tokens.md)."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from auth.api.robots import RobotView
from auth.models import RobotTrust
from auth.selectors import trusts as selectors
from auth.services import trusts as services
from harbor_core.api.base import ID, location
from harbor_core.lib.schema import ANY, DONE, INT, TEXT, TIME, array, created, mapping, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import LISTING, Pairs, Reader, Text, compact, unprocessable

JWKS = obj("JWKS", {"keys": array(mapping(ANY))}, "RFC 7517, public keys only")
TRUST = obj(
    "RobotTrust",
    {
        "id": INT,
        "name": TEXT,
        "issuer": TEXT,
        "audience": TEXT,
        "claims": mapping(TEXT),
        "jwks_uri?": TEXT,
        "jwks?": JWKS,
        "ca_certificate?": TEXT,
        "creation_time": TIME,
        "last_used_at?": TIME,
    },
)


class KeySet(Reader):
    """A JWKS document; what stands in its keys is the service's to judge."""

    def schema(self) -> dict[str, Any]:
        keys = {"type": "array", "items": {"type": "object"}}
        return {"type": "object", "properties": {"keys": keys}, "required": ["keys"]}

    def load(self, name: str, value: Any) -> dict[str, Any]:
        keys = value.get("keys") if isinstance(value, dict) else None
        if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
            raise unprocessable(name, "must be an object with a list of keys")
        return {"keys": keys}


WANTED: dict[str, Reader] = {
    "name": Text(required=True, max_length=services.NAME_MAX),
    "issuer": Text(required=True, max_length=services.TEXT_MAX, about="Exactly the claim iss."),
    "audience": Text(required=True, max_length=services.TEXT_MAX, about="Exactly the claim aud, or one of its values."),
    "claims": Pairs(Text(), required=True, about="Patterns of claims; * stands for any characters, ? for one."),
    "jwks_uri": Text(default="", about="Where the keys are, when it is not to be looked up at the issuer."),
    "jwks": KeySet(about="The keys themselves, for an issuer that cannot be reached."),
    "ca_certificate": Text(default="", about="PEM; trusted instead of the system's authorities."),
}


def trust_json(trust: RobotTrust) -> dict[str, Any]:
    fields = {
        "id": trust.pk,
        "name": trust.name,
        "issuer": trust.issuer,
        "audience": trust.audience,
        "claims": trust.claims,
        "jwks_uri": trust.jwks_uri,
        "jwks": trust.jwks,
        "ca_certificate": trust.ca_certificate,
        "creation_time": rfc3339(trust.creation_time),
        "last_used_at": rfc3339(trust.last_used_at) if trust.last_used_at else "",
    }
    return compact(fields)


class TrustList(RobotView):
    permissions = {"GET": "robot:read", "POST": "robot:create"}
    parameters = {"GET": LISTING}
    bodies = {"POST": WANTED}
    answers = {"GET": [TRUST], "POST": created(TRUST)}
    errors = {"POST": (409, 412)}

    def get(self, request: Request, robot_id: int) -> Response:
        return self.page(selectors.trust_list(self.robot, self.listing), trust_json)

    def post(self, request: Request, robot_id: int) -> Response:
        trust = services.create(self.actor, self.robot, services.Wanted(**self.body))
        headers = {"Location": location("robots", robot_id, "trusts", trust.pk)}
        return Response(trust_json(trust), status=201, headers=headers)


class TrustItem(RobotView):
    permissions = {"GET": "robot:read", "PUT": "robot:update", "DELETE": "robot:delete"}
    paths = {"robot_id": ID, "trust_id": ID}
    bodies = {"PUT": WANTED}
    answers = {"GET": TRUST, "PUT": DONE, "DELETE": DONE}
    errors = {"PUT": (409,)}

    def get(self, request: Request, robot_id: int, trust_id: int) -> Response:
        return Response(trust_json(selectors.trust_get(self.robot, trust_id)))

    def put(self, request: Request, robot_id: int, trust_id: int) -> Response:
        services.update(self.actor, self.robot, trust_id, services.Wanted(**self.body))
        return self.done()

    def delete(self, request: Request, robot_id: int, trust_id: int) -> Response:
        services.delete(self.actor, self.robot, trust_id)
        return self.done()

"""``/robots`` and ``/permissions``: accounts for machines, and what they can be granted."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from auth import robot_names
from auth.models import Robot
from auth.selectors import robots as selectors
from auth.services import robots as services
from harbor_core.api.base import ID, LOGIN, ApiView, location
from harbor_core.lib.schema import DONE, FLAG, INT, TEXT, TIME, array, created, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import LISTING, Flag, Items, Nested, Reader, Text, Whole, compact
from projects import access
from projects.models import Project

_ACCESS = Nested({"resource": Text(default=""), "action": Text(default=""), "effect": Text(default="")})
_PERMISSION = Nested(
    {"kind": Text(default=""), "namespace": Text(default=""), "access": Items(_ACCESS, default=())},
)
WANTED: dict[str, Reader] = {
    "name": Text(default=""),
    "level": Text(default=""),
    "description": Text(max_length=1024, default=""),
    "disable": Flag(default=False),
    "duration": Whole(about="Days from the creation on, -1 for ever."),
    "permissions": Items(_PERMISSION, default=()),
}
SECRET: dict[str, Reader] = {"secret": Text(default="", about="Generated when it is empty.")}
OVERLAP: dict[str, Reader] = {
    "overlap_hours": Whole(
        low=0, high=services.MAX_OVERLAP_HOURS, default=0, about="The secret before goes on working this long."
    )
}

ROBOT = obj(
    "Robot",
    {
        "id?": INT,
        "name?": TEXT,
        "description?": TEXT,
        "level?": TEXT,
        "duration?": INT,
        "editable": FLAG,
        "disable": FLAG,
        "expires_at?": INT,
        "permissions?": array(
            obj(
                "RobotPermission",
                {
                    "kind": TEXT,
                    "namespace": TEXT,
                    "access": array(obj("Access", {"resource": TEXT, "action": TEXT, "effect": TEXT})),
                },
            )
        ),
        "creator_type?": TEXT,
        "creator_ref?": INT,
        "creation_time": TIME,
        "update_time": TIME,
        "login_alias": TEXT,
        "last_used_at?": TIME,
        "previous_secret_until?": TIME,
    },
)
ROBOT_CREATED = obj(
    "RobotCreated",
    {"id": INT, "name": TEXT, "secret": TEXT, "creation_time": TIME, "expires_at": INT, "login_alias": TEXT},
)
PERMISSION = obj("Permission", {"resource": TEXT, "action": TEXT})


def _seconds(value: datetime | None) -> int:
    """``expires_at``: since 1970, -1 for never."""
    return int(value.timestamp()) if value else services.NEVER


def _pair(permission: str) -> dict[str, str]:
    resource, _, action = permission.partition(":")
    return {"resource": resource, "action": action}


def robot_json(robot: Robot) -> dict[str, Any]:
    """Robot. Beyond the contract: the alias it may sign in under, when it last did, and how long the secret before the
    last refresh works."""
    until, used = robot.previous_secret_until, robot.last_used_at
    fields = {
        "id": robot.pk,
        "name": robot_names.login(robot),
        "description": robot.description,
        "level": robot.level,
        "duration": robot.duration,
        "editable": True,
        "disable": robot.disabled,
        "expires_at": _seconds(robot.expires_at),
        "permissions": [
            {
                "kind": entry.kind,
                "namespace": entry.namespace,
                "access": [_pair(permission) | {"effect": "allow"} for permission in entry.permissions],
            }
            for entry in selectors.entries(robot)
        ],
        "creator_type": robot.creator_type,
        "creator_ref": robot.creator_ref,
        "creation_time": rfc3339(robot.creation_time),
        "update_time": rfc3339(robot.update_time),
        "login_alias": robot_names.alias(robot),
        "last_used_at": rfc3339(used) if used else None,
        "previous_secret_until": rfc3339(until) if until and until > timezone.now() else None,
    }
    return compact(fields, "editable", "disable")


def _wanted(body: dict[str, Any]) -> services.Wanted:
    return services.read_wanted(**{name: body[name] for name in WANTED})


class RobotList(ApiView):
    """Robots of the system, or of the project that the query or the new robot's permissions name."""

    permissions = {"GET": "robot:list", "POST": "robot:create"}
    parameters = {"GET": LISTING}
    bodies = {"POST": WANTED | SECRET}
    answers = {"GET": [ROBOT], "POST": created(ROBOT_CREATED)}
    errors = {"GET": (404,), "POST": (404, 409)}
    wanted: services.Wanted
    project: Project | None

    def authorize(self, permission: str) -> None:
        if self.request.method == "POST":
            self.wanted = _wanted(self.body)
            services.check_short_name(self.wanted.name)
            of_project = self.wanted.level == Robot.Level.PROJECT
            reference, by_name = (self.wanted.namespace if of_project else None), True
        else:
            reference, by_name = selectors.project_of_listing(self.listing.query), False
        self.project = None
        if reference is None:
            super().authorize(permission)
        else:
            self.project = access.get_project(self.actor, reference, permission, by_name=by_name)

    def get(self, request: Request) -> Response:
        return self.page(selectors.robot_list(self.project, self.listing), robot_json)

    def post(self, request: Request) -> Response:
        robot, secret = services.create(self.actor, self.wanted, project=self.project, secret=self.body["secret"])
        answer = {
            "id": robot.pk,
            "name": robot_names.login(robot),
            "secret": secret,
            "creation_time": rfc3339(robot.creation_time),
            "expires_at": _seconds(robot.expires_at),
            "login_alias": robot_names.alias(robot),
        }
        return Response(answer, status=201, headers={"Location": location("robots", robot.pk)})


class RobotView(ApiView):
    """Below one robot; the permission is asked for where it belongs. ``self.robot`` is there when the handler runs."""

    paths = {"robot_id": ID}
    robot: Robot

    def authorize(self, permission: str) -> None:
        self.require_login()
        self.robot = selectors.robot_get(self.actor, self.kwargs["robot_id"], permission)


class RobotItem(RobotView):
    permissions = {"GET": "robot:read", "PUT": "robot:update", "PATCH": "robot:update", "DELETE": "robot:delete"}
    bodies = {"PUT": WANTED, "PATCH": SECRET | OVERLAP}
    answers = {"GET": ROBOT, "PUT": DONE, "PATCH": obj("RobotSec", {"secret": TEXT}), "DELETE": DONE}

    def get(self, request: Request, robot_id: int) -> Response:
        return Response(robot_json(self.robot))

    def put(self, request: Request, robot_id: int) -> Response:
        services.update(self.actor, self.robot.pk, _wanted(self.body))
        return self.done()

    def patch(self, request: Request, robot_id: int) -> Response:
        secret = services.refresh_secret(self.actor, self.robot.pk, **self.body)
        return Response({"secret": secret})

    def delete(self, request: Request, robot_id: int) -> Response:
        services.delete(self.actor, self.robot.pk)
        return self.done()


class Permissions(ApiView):
    permissions = {"GET": LOGIN}
    errors = {"GET": (403,)}
    answers = {"GET": obj("Permissions", {"system": array(PERMISSION), "project": array(PERMISSION)})}

    def get(self, request: Request) -> Response:
        system, project = selectors.grantable(self.actor)
        return Response({"system": list(map(_pair, system)), "project": list(map(_pair, project))})

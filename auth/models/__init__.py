from auth.models.group import GroupMembership, UserGroup
from auth.models.robot import Robot, RobotPermission
from auth.models.token import PersonalToken, RobotTrust
from auth.models.user import ADMIN_ID, ANONYMOUS_ID, User

__all__ = [
    "ADMIN_ID",
    "ANONYMOUS_ID",
    "GroupMembership",
    "PersonalToken",
    "Robot",
    "RobotPermission",
    "RobotTrust",
    "User",
    "UserGroup",
]

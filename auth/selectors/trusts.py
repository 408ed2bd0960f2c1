"""Trusts of robots as lists and details show them."""

from auth.models import Robot, RobotTrust
from harbor_core.lib.errors import HarborError
from harbor_core.lib.filtering import Field, apply_filter, apply_sort, time, whole
from harbor_core.lib.pagination import Listing, Page, paginate

FIELDS = {
    "id": Field("id", whole),
    "name": Field("name"),
    "issuer": Field("issuer"),
    "audience": Field("audience"),
    "creation_time": Field("creation_time", time),
    "last_used_at": Field("last_used_at", time, nullable=True),
}


def trust_list(robot: Robot, listing: Listing) -> Page[RobotTrust]:
    """By name."""
    trusts = apply_filter(RobotTrust.objects.filter(robot=robot), listing.query, FIELDS)
    return paginate(apply_sort(trusts, listing.sort, FIELDS, ["name"]), listing)


def trust_get(robot: Robot, trust_id: int) -> RobotTrust:
    """Raises NOT_FOUND, also for a trust of another robot."""
    trust = RobotTrust.objects.filter(pk=trust_id, robot=robot).first()
    if trust is None:
        raise HarborError("NOT_FOUND", f"trust {trust_id} not found")
    return trust

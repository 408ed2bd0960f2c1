"""Who is asking, and how they proved it."""

from dataclasses import dataclass
from enum import StrEnum

from auth.scopes import TokenScope


class Kind(StrEnum):
    USER = "u"
    ROBOT = "r"
    ANONYMOUS = "a"


class Credential(StrEnum):
    """How the actor authenticated."""

    SESSION = "session"
    BASIC = "basic"
    BEARER = "bearer"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Actor:
    """``name`` is the login name as audit rows and tokens show it (``admin``, ``robot$ci``).

    ``scope`` narrows what the account may do to what a personal token is for. ``through`` is the key of a credential
    that can be taken away by itself: ``t:7`` a personal token, ``f:3`` a robot's trust.
    """

    kind: Kind
    id: int
    name: str
    is_sysadmin: bool = False
    credential: Credential = Credential.NONE
    scope: TokenScope | None = None
    through: str = ""

    # DRF and templates ask these two of request.user.
    is_active = True

    @property
    def is_authenticated(self) -> bool:
        return self.kind is not Kind.ANONYMOUS

    @property
    def is_robot(self) -> bool:
        return self.kind is Kind.ROBOT

    @property
    def user_id(self) -> int | None:
        return self.id if self.kind is Kind.USER else None

    @property
    def key(self) -> str:
        """``u:3``, ``r:5``, ``t:7``, ``f:3`` or ``a``: the identity in tokens, upload grants and caches."""
        return "a" if self.kind is Kind.ANONYMOUS else self.through or f"{self.kind}:{self.id}"


ANONYMOUS = Actor(kind=Kind.ANONYMOUS, id=0, name="anonymous")


def system_actor(name: str) -> Actor:
    """The system itself, under the name that audit rows show. It may do everything and is no account."""
    return Actor(Kind.USER, 0, name, is_sysadmin=True)

"""Who is asking, and how they proved it."""

from dataclasses import dataclass
from enum import StrEnum


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
    """``name`` is the login name as audit rows and tokens show it (``admin``, ``robot$ci``)."""

    kind: Kind
    id: int
    name: str
    is_sysadmin: bool = False
    credential: Credential = Credential.NONE

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
        """``u:3``, ``r:5`` or ``a``: the identity in tokens, upload grants and caches."""
        return "a" if self.kind is Kind.ANONYMOUS else f"{self.kind}:{self.id}"


ANONYMOUS = Actor(kind=Kind.ANONYMOUS, id=0, name="anonymous")

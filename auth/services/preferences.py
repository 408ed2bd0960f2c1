"""What an account's owner chose for the portal: kept with the account, no matter of record."""

from typing import Any

from auth.models import User


def store(user_id: int, chosen: dict[str, Any]) -> None:
    """Replace what was chosen before. Checking what it means is the portal's."""
    User.objects.filter(pk=user_id, deleted=False).update(preferences=chosen)

"""Passwords kept in our own database."""

from auth.models import User


class LocalBackend:
    """Also Django's session backend: it finds the user of a session again."""

    def authenticate(self, request, username: str | None = None, password: str | None = None) -> User | None:
        if not username or not password:
            return None
        user = User.objects.filter(username=username, deleted=False).first()
        if user is None:
            User().set_password(password)  # as slow as a real check, so that time does not tell which names exist
            return None
        return user if user.check_password(password) else None

    def get_user(self, user_id: int) -> User | None:
        return User.objects.filter(pk=user_id, deleted=False).first()

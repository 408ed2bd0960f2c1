"""The rows every installation starts with (Harbor's seed: contract 1.25)."""

from django.core.management.color import no_style
from django.db import connection, transaction

from auth.models import ADMIN_ID, ANONYMOUS_ID, User
from auth.rbac import Role
from harbor_core.services.config import config_get
from projects.models import Member, Project, Quota

LIBRARY_ID = 1
_LOCK = 0x68617262  # any number that nobody else locks


@transaction.atomic
def seed(admin_password: str) -> list[str]:
    """Create what is missing: users ``admin`` (1) and ``anonymous`` (2), project ``library`` (1). Returns what was
    created. Several callers at once are fine: the second waits and finds everything in place."""
    if connection.vendor == "postgresql":  # SQLite's transaction is the only writer anyway
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    created = _users(admin_password) + _library()
    if created:
        _advance_sequences()
    return created


def _users(admin_password: str) -> list[str]:
    created = []
    if not User.objects.filter(pk=ADMIN_ID).exists():
        admin = User(pk=ADMIN_ID, username="admin", realname="system admin", comment="admin user", sysadmin_flag=True)
        admin.set_password(admin_password)
        admin.save(force_insert=True)
        created.append("user admin")
    if not User.objects.filter(pk=ANONYMOUS_ID).exists():
        anonymous = User(pk=ANONYMOUS_ID, username="anonymous", realname="anonymous user", deleted=True)
        anonymous.set_unusable_password()
        anonymous.save(force_insert=True)
        created.append("user anonymous")
    return created


def _library() -> list[str]:
    """Also when an administrator deleted it the row stays, so it does not come back."""
    if Project.objects.filter(pk=LIBRARY_ID).exists():
        return []
    library = Project.objects.create(pk=LIBRARY_ID, name="library", owner_id=ADMIN_ID, public=True)
    Member.objects.create(project=library, user_id=ADMIN_ID, role=Role.PROJECT_ADMIN)
    Quota.objects.create(project=library, hard=config_get("storage_per_project"))
    return ["project library"]


def _advance_sequences() -> None:
    """Rows with a given id do not move PostgreSQL's sequences: the next user is 3, the next project 2."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [User, Project]):
            cursor.execute(statement)

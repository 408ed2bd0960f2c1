"""Is the documented initial password still in use?"""

from django.conf import settings
from django.contrib.auth.hashers import check_password

from auth.models import User
from auth.models.user import ADMIN_ID
from harbor_core.lib.ttl import TTLCache

_answers: TTLCache[bool] = TTLCache(8)
_ANSWER_SECONDS = 24 * 3600


def admin_has_default_password() -> bool:
    """True while ``admin`` still signs in with the default nobody replaced on purpose. One query; the slow comparison
    happens once per stored hash and process."""
    if not settings.ADMIN_PASSWORD_IS_DEFAULT:
        return False
    admin = User.objects.filter(pk=ADMIN_ID, deleted=False).only("password").first()
    if admin is None:
        return False
    answer = _answers.get(admin.password)
    if answer is None:
        # Not User.check_password: a mere look must not rewrite the stored hash.
        answer = check_password(settings.ADMIN_PASSWORD, admin.password)
        _answers.put(admin.password, answer, _ANSWER_SECONDS)
    return answer

"""From a filled-in form to a service and back: what the service refuses stands beside the field it is about."""

from collections.abc import Callable, Mapping

from django.forms import Form
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from harbor_core.lib.errors import HarborError
from portal.reasons import said

STATUS_WRONG = 400
# Where an error of the service belongs: a field (None: the whole form) and what to say in the reader's language.
Refusals = Mapping[str, tuple[str | None, str | Promise]]


def submit(form: Form, act: Callable[[], object], refusals: Refusals | None = None) -> bool:
    """Do it with a valid form. False when the form is wrong or the service refused; then the form says why.

    Errors without a text of their own are those no form can prevent; they are shown in the service's words
    (portal.reasons), except failures of the system itself, which are raised.
    """
    if not form.is_valid():
        return False
    try:
        act()
    except HarborError as error:
        field, text = (refusals or {}).get(error.code, (None, ""))
        if error.status >= 500 or error.code in ("UNAUTHORIZED", "FORBIDDEN"):
            raise
        form.add_error(field, str(text) or _("This was refused: %(reason)s") % {"reason": said(error.message)})
        return False
    return True

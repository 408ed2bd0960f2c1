"""What a deletion takes along, in sentences (projects.selectors.consequences)."""

from collections.abc import Iterable

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from harbor_core.services.config import config_get
from portal.templatetags.portal import count, size
from projects.selectors.consequences import COUNTED, Loss, Names


def number(value: int) -> str:
    """As far as it was counted."""
    return count(value) if value <= COUNTED else _("more than %(number)s") % {"number": count(COUNTED)}


def listed(names: Names) -> str:
    """``a, b, c and 12 more``"""
    first = ", ".join(names.first)
    if names.total > COUNTED:
        return _("%(names)s and many more") % {"names": first}
    return _("%(names)s and %(number)s more") % {"names": first, "number": count(names.more)} if names.more else first


def what_goes(loss: Loss) -> list[str]:
    lines = []
    if loss.artifacts:
        text = ngettext("%(number)s artifact is deleted.", "%(number)s artifacts are deleted.", loss.artifacts)
        lines.append(capfirst(text % {"number": number(loss.artifacts)}))
    if loss.tags.total:
        text = ngettext("%(number)s tag goes: %(names)s", "%(number)s tags go: %(names)s", loss.tags.total)
        lines.append(capfirst(text % {"number": number(loss.tags.total), "names": listed(loss.tags)}))
    elif loss.artifacts > COUNTED:
        lines.append(_("All their tags, signatures and other accessories go along."))
    if loss.accessories:
        text = ngettext(
            "%(number)s accessory (signature, SBOM …) goes along.",
            "%(number)s accessories (signatures, SBOMs …) go along.",
            loss.accessories,
        )
        lines.append(capfirst(text % {"number": number(loss.accessories)}))
    if loss.freed:
        lines.append(_("%(size)s of the project's storage becomes free.") % {"size": size(loss.freed)})
    return lines


def way_back() -> str:
    """What is deleted lies in the trash for some days, where the administrator keeps one."""
    days = config_get("trash_retention_days")
    if not days:
        return _("This cannot be undone: the trash is switched off.")
    text = ngettext(
        "It can be restored from the project's trash for %(days)s day.",
        "It can be restored from the project's trash for %(days)s days.",
        days,
    )
    return text % {"days": days}


def what_stays(loss: Loss) -> Iterable[str]:
    if loss.immutable.total:
        yield _("Immutable tags keep what they point to: %(names)s") % {"names": listed(loss.immutable)}
    elif loss.may_keep:
        yield _("Immutable tags, if there are any among them, keep what they point to.")
    if loss.parts.total:
        names = ", ".join(digest[:19] for digest in loss.parts.first)
        found = Names(tuple(names.split(", ")), loss.parts.total)
        yield _("Parts of an index stay until the index is deleted: %(names)s") % {"names": listed(found)}

"""What storage audits find, in words."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from jobservice.models import StorageFinding

Kind, State = StorageFinding.Kind, StorageFinding.State
# kind -> what it is called, and what that means.
KINDS: dict[str, tuple[str | Promise, str | Promise]] = {
    Kind.BLOB: (_("Unknown bytes"), _("Content in storage under a digest that the database does not know.")),
    Kind.LINK: (_("Unknown layer links"), _("They show a layer in a repository that the database does not know of.")),
    Kind.MANIFEST: (_("Unknown manifests"), _("They belong to a repository, and there is no such artifact.")),
    Kind.UPLOAD: (_("Unknown uploads"), _("Nobody can go on with them.")),
    Kind.FILE: (_("Unknown files"), _("Such as a write that was cut off.")),
    Kind.TREE: (_("Empty folders"), _("Of repositories without content.")),
    Kind.MISSING: (_("Missing bytes"), _("Artifacts or the trash name them, and storage has them not.")),
    Kind.SIZE: (_("Wrong size"), _("Storage has another number of bytes than the database says.")),
}
STATES: dict[str, tuple[str | Promise, str]] = {
    State.OPEN: (_("Unsettled"), "warning"),
    State.ADOPTED: (_("Adopted"), "success"),
    State.DELETED: (_("Deleted"), "neutral"),
    State.REFUSED: (_("Refused"), "danger"),
    State.GONE: (_("Not there any more"), "neutral"),
}

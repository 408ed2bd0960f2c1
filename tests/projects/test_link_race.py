"""A link that is collected while a push looks at storage, and made anew by another upload that has not arrived yet."""

from typing import Any

import pytest

from harbor_core.lib import storage
from harbor_core.lib.errors import HarborError
from projects.models import Artifact, RepositoryBlob
from projects.services import blobs
from tests.cast import World, push_image

pytestmark = pytest.mark.django_db
REPOSITORY = "team/racing"


def test_a_push_does_not_build_on_a_link_that_another_upload_is_making(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is there again when the push holds it, the file is not: nothing may be recorded."""
    looked: list[str] = []
    real = storage.linked_sizes

    def look(repository: str, digests: list[str]) -> dict[str, Any]:
        sizes = real(repository, digests)
        if not looked:
            looked.append(digests[0])
            RepositoryBlob.objects.get(repository_name=repository, blob__digest=digests[0]).delete()
            storage.delete(storage.layer_link(repository, digests[0]))
            blobs.lease(repository, digests[0])
        return sizes

    monkeypatch.setattr(storage, "linked_sizes", look)
    with pytest.raises(HarborError, match="MANIFEST_BLOB_UNKNOWN"):
        push_image(world.actor("developer"), REPOSITORY, "1.0")
    assert looked and not Artifact.objects.filter(repository__name=REPOSITORY).exists()


def test_a_push_goes_on_when_the_other_upload_arrived(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    real = storage.linked_sizes

    def look(repository: str, digests: list[str]) -> dict[str, Any]:
        sizes = real(repository, digests)
        if not looked:
            looked.append(digests[0])
            RepositoryBlob.objects.get(repository_name=repository, blob__digest=digests[0]).delete()
            blobs.lease(repository, digests[0])
        else:
            looked.append("again")
        return sizes

    monkeypatch.setattr(storage, "linked_sizes", look)
    push_image(world.actor("developer"), REPOSITORY, "1.0")
    assert looked[1:] == ["again"] and Artifact.objects.filter(repository__name=REPOSITORY).count() == 1

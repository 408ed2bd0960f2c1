"""A pull as the registry's front notes it."""

from projects.services import pulls
from tests.cast import World


def pull(world: World) -> None:
    pulls.note(
        pulls.Pull(world.project.pk, world.artifact.repository_id, world.artifact.pk, None, "guest", "team/app:1.0")
    )
    pulls.flush()

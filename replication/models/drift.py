from django.db import models
from django.utils import timezone

from replication.models.policy import ReplicationPolicy


class PolicyDrift(models.Model):
    """What the last comparison of a policy's two ends found that came to its end, as of ``taken_at``.

    ``compared`` tags, of which so many are ``missing``, ``different`` or ``extra``. ``rows`` are the first of those,
    objects with the fields of replication.services.drift.Drift.
    """

    policy = models.OneToOneField(ReplicationPolicy, on_delete=models.CASCADE, related_name="drift")
    taken_at = models.DateTimeField(default=timezone.now)
    compared = models.IntegerField()
    missing = models.IntegerField()
    different = models.IntegerField()
    extra = models.IntegerField()
    rows = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"drift of {self.policy_id}"

    @property
    def found(self) -> int:
        return self.missing + self.different + self.extra

    @property
    def partial(self) -> bool:
        """There are more than ``rows``."""
        return self.found > len(self.rows)

from django.db import models
from django.utils import timezone


class PersonalToken(models.Model):
    """A named secret of a user for clients, with no more rights than ``scopes`` name and the user has.

    Long and random, so one keyed SHA-256 is kept; ``hint`` is its end, to tell tokens apart.
    """

    user = models.ForeignKey("harbor_auth.User", on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=255)
    secret_digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=8)
    scopes = models.JSONField(default=list)
    projects = models.JSONField(default=list)  # project ids it is limited to; empty: all
    expires_at = models.DateTimeField(null=True)  # None: never
    creation_time = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True)
    last_used_address = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="personal_token_name")]

    def __str__(self) -> str:
        return self.name


class RobotTrust(models.Model):
    """Whoever shows a token of ``issuer`` with this audience and these claims acts as the robot (RFC 8693).

    ``claims`` maps claim names to glob patterns, all of which must match. Keys come from the issuer's discovery
    document, from ``jwks_uri``, or are given as ``jwks`` for issuers that cannot be reached.
    """

    robot = models.ForeignKey("harbor_auth.Robot", on_delete=models.CASCADE, related_name="trusts")
    name = models.CharField(max_length=255)
    issuer = models.CharField(max_length=512)
    audience = models.CharField(max_length=512)
    claims = models.JSONField(default=dict)
    jwks_uri = models.CharField(max_length=512, blank=True)
    jwks = models.JSONField(null=True)
    ca_certificate = models.TextField(blank=True)
    creation_time = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["robot", "name"], name="robot_trust_name")]
        indexes = [models.Index(fields=["issuer", "audience"], name="robot_trust_issuer")]

    def __str__(self) -> str:
        return self.name

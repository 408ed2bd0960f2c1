from django.db import models
from django.utils import timezone


class UserGroup(models.Model):
    """A group of an identity provider; type 1 LDAP, 2 HTTP, 3 OIDC (Harbor's numbers)."""

    class Type(models.IntegerChoices):
        LDAP = 1
        HTTP = 2
        OIDC = 3

    group_name = models.CharField(max_length=255)
    group_type = models.IntegerField(choices=Type.choices)
    ldap_group_dn = models.CharField(max_length=512, blank=True)
    creation_time = models.DateTimeField(default=timezone.now)
    members = models.ManyToManyField("harbor_auth.User", through="GroupMembership", related_name="user_groups")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["group_name", "group_type", "ldap_group_dn"], name="user_group_identity"),
            models.UniqueConstraint(
                fields=["ldap_group_dn"], condition=~models.Q(ldap_group_dn=""), name="user_group_dn_once"
            ),
        ]

    def __str__(self) -> str:
        return self.group_name


class GroupMembership(models.Model):
    """A user was in this group when the provider was last asked."""

    group = models.ForeignKey(UserGroup, on_delete=models.CASCADE)
    user = models.ForeignKey("harbor_auth.User", on_delete=models.CASCADE)
    synced_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "group"], name="group_membership_once")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.group_id}"

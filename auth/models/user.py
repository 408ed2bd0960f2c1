from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

ADMIN_ID = 1
ANONYMOUS_ID = 2  # a deleted row that holds the id, so that the first real user is number 3 (Harbor's seed)


class User(AbstractBaseUser):
    """A person who signs in.

    A deleted user keeps the row (audit names it) under ``name#id``, so that name and e-mail are free again.
    """

    username = models.CharField(max_length=300, unique=True)
    email = models.CharField(max_length=300, null=True, unique=True)  # None: no address
    realname = models.CharField(max_length=255, blank=True)
    comment = models.CharField(max_length=255, blank=True)
    sysadmin_flag = models.BooleanField(default=False)
    deleted = models.BooleanField(default=False)
    preferences = models.JSONField(null=True)  # what was chosen in the portal; None: nothing yet
    creation_time = models.DateTimeField(default=timezone.now)
    update_time = models.DateTimeField(auto_now=True)

    objects = BaseUserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = []

    class Meta:
        indexes = [models.Index(Lower("username"), name="user_lower_name")]

    def __str__(self) -> str:
        return self.username

    @property
    def is_active(self) -> bool:  # type: ignore[override]  # Django reads it only
        return not self.deleted

from django.contrib.auth.hashers import Argon2PasswordHasher


class OwaspArgon2Hasher(Argon2PasswordHasher):
    """Argon2id with OWASP's 19 MiB profile: Django's 100 MiB per check would let a burst of logins exhaust memory."""

    time_cost = 2
    memory_cost = 19456
    parallelism = 1

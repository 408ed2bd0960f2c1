import threading

from django.contrib.auth.hashers import Argon2PasswordHasher

# More at a time would not be faster, each takes its 19 MiB, and threads that wait here leave the processors to others.
_turn = threading.BoundedSemaphore(2)


class OwaspArgon2Hasher(Argon2PasswordHasher):
    """Argon2id with OWASP's 19 MiB profile: Django's 100 MiB per check would let a burst of logins exhaust memory."""

    time_cost = 2
    memory_cost = 19456
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        with _turn:
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with _turn:
            return super().verify(password, encoded)

"""A password hash for test accounts."""

from auth.hashers import OwaspArgon2Hasher


class QuickHasher(OwaspArgon2Hasher):
    """Argon2id with the least it can do, under a name of its own."""

    algorithm = "quick"
    time_cost = 1
    memory_cost = 8

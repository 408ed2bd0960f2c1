"""Every page of the portal on two registries, one with little and one with a lot in it (tests.bench.lists)."""

from tests.bench import lists

SMALL = {"artifacts": 100, "tags": 100, "audit": 100, "rows": 20}


def measure(rounds: int, words: list[str]) -> lists.Table:
    """A line per page (that has one of the words in its name)."""
    return lists.compare("page", "fill:pages", (SMALL, lists.LARGE), rounds, words)

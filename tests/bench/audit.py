"""The audit log with ten thousand and with ten million rows: what is asked of it must not tell them apart."""

from tests.bench import lists

SIZES = ({"audit": 10_000}, {"audit": 10_000_000})


def measure(rounds: int, words: list[str]) -> lists.Table:
    """A line per question (that has one of the words in its name)."""
    return lists.compare("audit log,", "fill:audit", SIZES, rounds, words)

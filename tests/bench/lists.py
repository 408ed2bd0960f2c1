"""Every list of the API on two registries, one with little and one with a lot in it: latency must not tell them apart.

The small one has 1 000 artifacts, 50 tags and 20 rows of everything else, the large one 100 000 artifacts in one
repository, 5 000 tags on one of them, 100 000 rows in the audit log, 1 000 projects and as many of everything else.
"""

import contextlib
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from tests.bench import load
from tests.bench.load import Line, Sample
from tests.bench.rows import LISTING_MAX
from tests.bench.servers import Ours

SMALL = {"artifacts": 1_000, "tags": 50, "audit": 1_000, "rows": 20}
LARGE = {"artifacts": 100_000, "tags": 5_000, "audit": 100_000, "rows": 1_000}
SECONDS = 2.0
Table = list[tuple[str, ...]]
Size = dict[str, int]


def measure(rounds: int, words: list[str]) -> Table:
    """A line per list (that has one of the words in its path)."""
    return compare("list", "fill:lists", (SMALL, LARGE), rounds, words)


def compare(kind: str, fill: str, sizes: tuple[Size, Size], rounds: int, words: list[str]) -> Table:
    """A line for each of the targets (whose names have one of the words) that ``fill`` prints as JSON, name -> (path,
    credential), on a small and a large registry: the median of the ratios of both p95."""
    with contextlib.ExitStack() as stack:
        servers: list[Ours] = []
        targets: list[dict[str, Line]] = []
        for size in sizes:
            server = Ours()
            stack.callback(server.stop)
            servers.append(server)
            server.hold_jobs()
            printed = json.loads(server.run(f"{fill}({size!r})"))
            targets.append({name: Line(*target) for name, target in printed.items()})
        folder = Path(tempfile.mkdtemp(prefix="harbor-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        names = [name for name in targets[0] if not words or any(word in name for word in words)]
        table = []
        for name in names:
            sides = [(server, found[name]) for server, found in zip(servers, targets, strict=True)]
            table.append(_line(f"{kind} {name}", sides, folder, rounds))
            sys.stderr.write(f"bench: {' '.join(table[-1][:4])}\n")
        return table


def _line(title: str, sides: list[tuple[Ours, Line]], folder: Path, rounds: int) -> tuple[str, ...]:
    samples: tuple[list[Sample], list[Sample]] = ([], [])
    for number in range(rounds + 1):  # the first warms up
        for (server, line), found in zip(sides, samples, strict=True):
            sample = load.requests(server, folder, [line], SECONDS, connections=1)
            if number:
                found.append(sample)
    small, large = samples
    goal = f"<= {LISTING_MAX}"
    faults = [sample.fault for sample in (*small, *large) if sample.fault]
    if faults:
        return (title, goal, "-", f"not measured: {faults[0]}", *[""] * 7)
    ratio = statistics.median(many.p95 / few.p95 for few, many in zip(small, large, strict=True))
    verdict = "yes" if ratio <= LISTING_MAX else "NO"
    p95 = [f"{statistics.median(sample.p95 for sample in found):.1f} ms" for found in (large, small)]
    return (title, goal, f"{ratio:.2f}", verdict, "", "", "", "", p95[0], "", p95[1])

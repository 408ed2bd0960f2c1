"""``python -m tests.bench [--rounds N] [--seconds S] [words ...]``: measure and print the table.

Words choose rows by part of their title; ``lists`` stands for every list of the API, ``pages`` for every page of
the portal, ``gc`` for garbage collection, ``audit`` for the audit log at 10^7 rows, ``proxy`` for pulls from a proxy
cache, ``replication`` for that of 50 images against ``skopeo sync``, and words beside them for parts of their names.
Fails only when something cannot be measured at all, never for a goal.
"""

import argparse
import contextlib
import shutil
import statistics
import sys
import time
from collections.abc import Callable

from tests.bench import audit, collection, lists, pages, proxy, replication
from tests.bench import rows as bench_rows
from tests.bench.load import Sample
from tests.bench.rows import Bench, Row
from tests.bench.servers import Bare, EmptyView, Ours

# A small registry against a large one, and what is not measured against anything else.
COMPARED = {
    "lists": lists.measure,
    "pages": pages.measure,
    "gc": collection.measure,
    "audit": audit.measure,
    "proxy": proxy.measure,
    "replication": replication.measure,
}
HEADER = ("", "goal", "ratio", "", "cold", "CPU ms: ours", "cold", "base", "per second: ours", "cold", "base")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Ratios against a bare docker-registry")
    parser.add_argument("--rounds", type=int, default=3, help="alternating rounds per row (3)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one round on one server (3)")
    parser.add_argument("words", nargs="*", help="only rows whose title contains one of these")
    options = parser.parse_args()
    started = time.monotonic()
    table = [HEADER]
    words = [word for word in options.words if word not in COMPARED]
    wanted = [name for name in COMPARED if name in options.words]
    if not wanted:
        table += _registry(options)
    for name in wanted or ([] if words else COMPARED):
        _say(name)
        table += COMPARED[name](options.rounds, words)
    _print(table)
    _say(f"{options.rounds} alternating rounds, {time.monotonic() - started:.0f} s in all")
    return 0


def _registry(options: argparse.Namespace) -> list[tuple[str, ...]]:
    """The rows of one registry and what it is compared with."""
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        ours = Ours()
        stack.callback(ours.stop)
        time.sleep(5)
        idle = ours.memory_mb()
        bare = Bare()
        stack.callback(bare.stop)
        empty = EmptyView(ours.stack)
        stack.callback(empty.stop)
        bench = Bench(ours, bare, empty, options.seconds, options.rounds)
        stack.callback(shutil.rmtree, bench.folder, ignore_errors=True)
        bench.prepare()
        _say(f"started and filled after {time.monotonic() - started:.0f} s")
        table = []
        for row in bench.rows():
            if _wanted(row.title, options.words):
                table.append(_measure(bench, row, options.rounds))
        if _wanted("list of artifacts", options.words):
            table += _listing(bench, options.rounds)
        table.append(_memory("memory at rest", idle))
        table.append(_memory("memory after the bench", ours.memory_mb()))
    return table


def _say(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")


def _wanted(title: str, words: list[str]) -> bool:
    return not words or any(word.lower() in title.lower() for word in words)


def _warm_up(bench: Bench, *measures: Callable[[], Sample]) -> None:
    """Files are in the page cache, processes and connections have done it before."""
    seconds, bench.seconds = bench.seconds, 1
    for measure in measures:
        measure()
    bench.seconds = seconds


def _measure(bench: Bench, row: Row, rounds: int) -> tuple[str, ...]:
    _say(row.title)
    ours: list[Sample] = []
    base: list[Sample] = []
    cold: list[Sample] = []
    _warm_up(bench, row.base, row.ours)
    for number in range(rounds):
        turns = [(base, row.base), (ours, row.ours)]
        if row.cold:
            turns.append((cold, row.cold))
        for samples, measure in turns if number % 2 else reversed(turns):
            samples.append(measure())
    faults = [sample.fault for sample in (*ours, *base, *cold) if sample.fault]
    if faults:
        return (row.title, f">= {row.goal:g}", "-", f"not measured: {faults[0]}", *[""] * 7)
    ratio = statistics.median(one.rate / other.rate for one, other in zip(ours, base, strict=True))
    cold_ratio = (
        statistics.median(one.rate / other.rate for one, other in zip(cold, base, strict=True)) if cold else None
    )
    scale = 1e6 if row.unit == "byte" else 1  # large blobs in MB
    return (
        f"{row.title}" + (f" (against {row.base_name})" if row.base_name != "registry" else ""),
        f">= {row.goal:g}",
        f"{ratio:.2f}",
        "yes" if ratio >= row.goal else "NO",
        f"{cold_ratio:.2f}" if cold_ratio is not None else "",
        *(_median(samples, lambda sample: sample.cpu * scale, 3) for samples in (ours, cold, base)),
        *(_median(samples, lambda sample: sample.rate / scale, 1) for samples in (ours, cold, base)),
    )


def _median(samples: list[Sample], value, digits: int) -> str:
    return f"{statistics.median(map(value, samples)):.{digits}f}" if samples else ""


def _listing(bench: Bench, rounds: int) -> list[tuple[str, ...]]:
    _say("list of artifacts")
    bench.fill_lists()
    _warm_up(bench, lambda: bench.listing("bench-0/small"), lambda: bench.listing("bench-0/big"))
    small, big, deep_small, deep_big = [], [], [], []
    for _ in range(rounds):
        small.append(bench.listing("bench-0/small"))
        big.append(bench.listing("bench-0/big"))
        deep_small.append(bench.listing("bench-0/small", bench_rows.SMALL // 10))
        deep_big.append(bench.listing("bench-0/big", bench_rows.BIG // 10))
    queries = bench.listing_queries()
    found = [
        _latency("list of artifacts p95, 100 000 : 1 000", big, small, f"<= {bench_rows.LISTING_MAX}"),
        _latency("  the same, last page", deep_big, deep_small, ""),
    ]
    verdict = "yes" if queries <= bench_rows.QUERIES_MAX else "NO"
    found.append(("  queries", f"<= {bench_rows.QUERIES_MAX}", str(queries), verdict, *[""] * 7))
    return found


def _latency(title: str, ours: list[Sample], base: list[Sample], goal: str) -> tuple[str, ...]:
    faults = [sample.fault for sample in (*ours, *base) if sample.fault]
    if faults:
        return (title, goal, "-", f"not measured: {faults[0]}", *[""] * 7)
    ratio = statistics.median(one.p95 / other.p95 for one, other in zip(ours, base, strict=True))
    verdict = ("yes" if ratio <= bench_rows.LISTING_MAX else "NO") if goal else ""
    cpu = [_median(samples, lambda sample: sample.cpu, 3) for samples in (ours, [], base)]
    rate = [_median(samples, lambda sample: sample.rate, 1) for samples in (ours, [], base)]
    return (title, goal, f"{ratio:.2f}", verdict, "", *cpu, *rate)


def _memory(title: str, used: float) -> tuple[str, ...]:
    verdict = "yes" if used <= bench_rows.MEMORY_MAX_MB else "NO"
    goal = f"<= {bench_rows.MEMORY_MAX_MB} MB"
    return (f"{title}, core + worker + gateway", goal, f"{used:.0f} MB", verdict, *[""] * 7)


def _print(table: list[tuple[str, ...]]) -> None:
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADER))]
    for line in table:
        cells = [
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


if __name__ == "__main__":
    sys.exit(main())

"""Garbage collection of many small blobs: how fast, in how much memory, and what it costs those who push meanwhile."""

import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.bench import load, processes
from tests.bench.servers import Ours, Storage

# Blobs to collect, and how many a second there shall be. The S3 server of the tests stores some fifty objects a second.
STORES: dict[Storage, tuple[int, int]] = {"filesystem": (100_000, 1_000), "s3": (3_000, 500)}
PUSHES = 0.8  # of the rate without collection, at least
MEMORY = 1.2  # times what the first tenth took, at most
PUSH_SECONDS = 8.0
REPOSITORY = "bench-0/kept"
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Blobs per second, the most memory of the worker against that of the first tenth, what ``meanwhile`` gave."""

    rate: float
    growth: float
    meanwhile: Any = None


def measure(rounds: int, words: list[str]) -> list[Row]:
    """Lines per storage (that has one of the words in its name). One round: it takes long enough."""
    return [row for store in STORES if not words or store in words for row in _of(store)]


def _of(store: Storage) -> list[Row]:
    count, goal = STORES[store]
    with contextlib.ExitStack() as stack:
        server = Ours(storage=store)
        stack.callback(server.stop)
        folder = Path(tempfile.mkdtemp(prefix="harbor-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        server.run("fill:projects(1)")
        alone = _collect(server, 0, count, workers=4)
        rows = [
            _row(f"collection, {store}, blobs per second", alone.rate, f">= {goal}", alone.rate >= goal),
            _row(f"collection, {store}, memory at its end", alone.growth, f"<= {MEMORY}", alone.growth <= MEMORY),
        ]
        if store == "filesystem":
            rows.append(_pushes(server, folder, count))
        return rows


def _pushes(server: Ours, folder: Path, count: int) -> Row:
    """Pushes while blobs are collected as they are by schedule, with one worker, against pushes with nothing else."""
    login = f"Bearer {json.loads(server.run(f'fill:tokens({REPOSITORY!r}, 1)'))[0]}"

    def push(name: str) -> load.Sample:
        made = [load.artifact(REPOSITORY, f"{name}-{number}", login) for number in range(int(PUSH_SECONDS * 200))]
        return load.push(server, folder, made, PUSH_SECONDS)

    title = "pushes during collection"
    push("warm")
    idle = push("idle")
    busy = _collect(server, count, count, lambda: push("busy"), workers=1).meanwhile
    for sample in (idle, busy):
        if sample.fault:
            return _row(title, 0, f">= {PUSHES}", False, f"not measured: {sample.fault}")
    ratio = busy.rate / idle.rate
    return _row(title, ratio, f">= {PUSHES}", ratio >= PUSHES)


def _row(title: str, value: float, goal: str, good: bool, said: str = "") -> Row:
    return (
        title,
        goal,
        f"{value:.2f}" if value < 100 else f"{value:.0f}",
        said or ("yes" if good else "NO"),
        *[""] * 7,
    )


def _collect(server: Ours, first: int, count: int, meanwhile: Callable[[], Any] | None = None, *, workers: int) -> Run:
    """Fill, collect, and look on until all of it is gone."""
    server.hold_jobs()
    server.run(f"fill:condemned({first}, {count})")
    server.release_jobs()
    with psycopg.connect(server.postgres.url("harbor"), autocommit=True) as database, server.stack.api() as api:
        asked = {"schedule": {"type": "Manual"}, "parameters": {"workers": workers}}
        api.post("/api/v2.0/system/gc/schedule", json=asked).raise_for_status()
        until = time.monotonic() + 900
        while _left(database) == count:
            _wait(until)
        began, found = time.monotonic(), meanwhile() if meanwhile else None
        first_tenth = most = 0.0
        while left := _left(database):
            memory = processes.memory_mb(server.stack.pid("worker"))
            most = max(most, memory)
            if left > count * 0.9:
                first_tenth = max(first_tenth, memory)
            _wait(until)
        return Run(count / (time.monotonic() - began), most / (first_tenth or most or 1.0), found)


def _left(database: psycopg.Connection[Any]) -> int:
    row = database.execute(
        "SELECT COUNT(*) FROM harbor_projects_repositoryblob l JOIN harbor_projects_blob b ON b.id = l.blob_id "
        "WHERE l.repository_name = 'bench-0/condemned'"
    ).fetchone()
    assert row is not None
    return int(row[0])


def _wait(until: float) -> None:
    if time.monotonic() > until:
        raise RuntimeError("the collection does not come to its end")
    time.sleep(0.2)

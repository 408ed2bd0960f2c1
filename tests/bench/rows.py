"""The rows of the table: what is asked of whom, and the goal."""

import base64
import itertools
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import load
from tests.bench.load import PASSWORD, Artifact, Layer, Line, Sample
from tests.bench.servers import Bare, EmptyView, Ours
from tests.support import oci

Measure = Callable[[], Sample]
REPOSITORY = "library/bench"
MANY = [f"bench-{number}/app" for number in range(load.PUSHERS)]
LAYER_BYTES = 30_000_000
SMALL, BIG = 1_000, 100_000
OTHER_BLOBS = 4_000  # small ones for one round of one second
TOKEN_PATH = f"/service/token?service=harbor-registry&scope=repository:{REPOSITORY}:pull"
API_PATH = "/api/v2.0/projects/library"
QUERIES_MAX, MEMORY_MAX_MB, LISTING_MAX = 8, 600, 1.5


@dataclass(frozen=True, slots=True)
class Row:
    """``ours`` against ``base``, each giving one sample per call; ``cold`` is ours with credentials never seen before.
    The goal is a ratio of rates, at least."""

    title: str
    goal: float
    unit: str
    ours: Measure
    base: Measure
    cold: Measure | None = None
    base_name: str = "registry"


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@dataclass
class Bench:
    """Servers with content, and credentials to hand out: some that are used over and over, others once."""

    ours: Ours
    bare: Bare
    empty: EmptyView
    seconds: float
    rounds: int
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="harbor-bench-")))

    def prepare(self) -> None:
        self.small, self.large = oci.image(600), oci.image(1)
        self.layer = load.layers(1, LAYER_BYTES)[0]
        self.admin = basic(*self.ours.stack.admin)
        self.ours.run(f"fill:projects({load.PUSHERS})")
        per_round = int(self.seconds * 200)
        self.ours.run(f"fill:users({2 * self.rounds * per_round})")
        self._per_round = per_round
        self._users = itertools.count()
        self._token = f"Bearer {self._tokens(REPOSITORY, 1)[0]}"
        self._many = [f"Bearer {self._tokens(name, 1)[0]}" for name in MANY]
        self._fresh = iter(self._tokens(REPOSITORY, int(self.rounds * self.seconds * (3 * 3000 + 200))))
        self._tags = itertools.count()
        count = OTHER_BLOBS * (self.rounds + 1)
        self._digests = load.write_blobs(self.bare.storage, REPOSITORY, count)
        self.ours.run(f"fill:blobs({REPOSITORY!r}, {count})")
        for url, authorization in ((self.ours.url, self._token), (self.bare.url, "-")):
            self._push_content(url, authorization)

    def _tokens(self, repository: str, count: int) -> list[str]:
        return json.loads(self.ours.run(f"fill:tokens({repository!r}, {count})"))

    def _push_content(self, url: str, authorization: str) -> None:
        import httpx

        headers = {} if authorization == "-" else {"Authorization": authorization}
        with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
            assert oci.push(client, REPOSITORY, "v1", self.small).status_code == 201
            assert oci.push_blob(client, REPOSITORY, self.layer.content).status_code == 201

    # ------------------------------------------------------------------ requests
    def _fresh_lines(self, target: str, method: str) -> list[Line]:
        count = int(self.seconds * 3000)
        return [Line(target, f"Bearer {token}", method) for token in itertools.islice(self._fresh, count)]

    def _strangers(self, target: str) -> list[Line]:
        """Accounts that never signed in before."""
        numbers = itertools.islice(self._users, self._per_round)
        return [Line(target, basic(f"cold-{number}", PASSWORD)) for number in numbers]

    def _requests(self, server: load.Server, lines: list[Line], **options: bool | int) -> Sample:
        return load.requests(server, self.folder, lines, self.seconds, **options)

    def _pull_row(self, title: str, goal: float, target: str, method: str = "GET") -> Row:
        return Row(
            title,
            goal,
            "request",
            ours=lambda: self._requests(self.ours, [Line(target, self._token, method)]),
            base=lambda: self._requests(self.bare, [Line(target, "-", method)]),
            cold=lambda: self._requests(self.ours, self._fresh_lines(target, method), once=True),
        )

    def _other_blobs_row(self) -> Row:
        """HEADs for which the gateway has no decision, although the token is known: another blob every time."""

        def measure(server: load.Server, authorization: str, digests: Iterator[str]) -> Sample:
            some = itertools.islice(digests, OTHER_BLOBS)
            lines = [Line(f"/v2/{REPOSITORY}/blobs/{digest}", authorization, "HEAD") for digest in some]
            return load.requests(server, self.folder, lines, 1.0, once=True)

        ours, base = iter(self._digests), iter(self._digests)
        return Row(
            "HEAD blob 1 KiB, another each time",
            2,
            "request",
            ours=lambda: measure(self.ours, self._token, ours),
            base=lambda: measure(self.bare, "-", base),
        )

    def _django_row(self, title: str, goal: float, target: str) -> Row:
        return Row(
            title,
            goal,
            "request",
            ours=lambda: self._requests(self.ours, [Line(target, self.admin)]),
            base=lambda: self._requests(self.empty, [Line("/empty")]),
            cold=lambda: self._requests(self.ours, self._strangers(target), once=True),
            base_name="empty view",
        )

    def _large_blob_row(self) -> Row:
        target = f"/v2/{REPOSITORY}/blobs/{self.layer.digest}"

        def get(server: load.Server, authorization: str) -> Sample:
            return self._requests(server, [Line(target, authorization)], connections=2, by_bytes=True)

        return Row("GET blob 30 MB", 1.5, "byte", lambda: get(self.ours, self._token), lambda: get(self.bare, "-"))

    # ------------------------------------------------------------------ pushes
    def _artifacts(self, repositories: list[str], authorizations: Callable[[int], str]) -> list[Artifact]:
        count = int(self.seconds * 400)
        return [
            load.artifact(repositories[number % len(repositories)], f"t{next(self._tags)}", authorizations(number))
            for number in range(count)
        ]

    def _push(self, server: load.Server, repositories: list[str], authorizations: Callable[[int], str]) -> Sample:
        return load.push(server, self.folder, self._artifacts(repositories, authorizations), self.seconds * 1.5)

    def _push_rows(self) -> list[Row]:
        one, many = [f"{REPOSITORY}-push"], MANY
        token = f"Bearer {self._tokens(one[0], 1)[0]}"
        count = int(self.seconds * 400) * self.rounds
        fresh = iter(self._tokens(one[0], count))
        return [
            Row(
                "push 1 KiB artifacts, one repository",
                0.6,
                "artifact",
                ours=lambda: self._push(self.ours, one, lambda number: token),
                base=lambda: self._push(self.bare, one, lambda number: "-"),
                cold=lambda: self._push(self.ours, one, lambda number: f"Bearer {next(fresh)}"),
            ),
            Row(
                "push 1 KiB artifacts, many repositories",
                0.6,
                "artifact",
                ours=lambda: self._push(self.ours, many, lambda number: self._many[number % len(many)]),
                base=lambda: self._push(self.bare, many, lambda number: "-"),
            ),
        ]

    def _large_push_row(self) -> Row:
        contents: list[Layer] = []

        def send(server: load.Server, authorization: str) -> Sample:
            contents[:] = load.layers(3, LAYER_BYTES)
            return load.push_layers(server, REPOSITORY, authorization, contents)

        return Row("push layer 30 MB", 0.9, "byte", lambda: send(self.ours, self._token), lambda: send(self.bare, "-"))

    def rows(self) -> list[Row]:
        blob = f"/v2/{REPOSITORY}/blobs/{oci.digest_of(self.small.layer)}"
        return [
            self._pull_row("GET blob 1 KiB", 20, blob),
            self._pull_row("HEAD blob 1 KiB", 20, blob, "HEAD"),
            self._other_blobs_row(),
            self._large_blob_row(),
            self._pull_row("GET manifest by tag", 1.5, f"/v2/{REPOSITORY}/manifests/v1"),
            *self._push_rows(),
            self._large_push_row(),
            self._django_row("token, Basic", 0.4, TOKEN_PATH),
            self._django_row("API GET project, Basic", 0.3, API_PATH),
        ]

    # ------------------------------------------------------------------ the list of artifacts
    def fill_lists(self) -> None:
        for name, count in (("bench-0/small", SMALL), ("bench-0/big", BIG)):
            self.ours.run(f"fill:artifacts({name!r}, {count})")

    def listing(self, name: str, page: int = 1) -> Sample:
        """One page after the other, one client: latency is what counts."""
        lines = [Line(_list_path(name, page), self.admin)]
        return self._requests(self.ours, lines, connections=1)

    def listing_queries(self) -> int:
        return int(self.ours.run(f"fill:queries({_list_path('bench-0/big', 1)!r}, {self.admin!r})"))


def _list_path(name: str, page: int) -> str:
    project, _, repository = name.partition("/")
    return f"/api/v2.0/projects/{project}/repositories/{repository}/artifacts?with_accessory=true&page={page}"

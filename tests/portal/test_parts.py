"""Parts of pages on their own: tables' state, commands, figures, the announcement."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import RequestFactory
from django.utils import timezone, translation

from portal import banner, commands
from portal.commands import Registry
from portal.isolation import isolated
from portal.job_facts import facts
from portal.listing import Listing
from portal.templatetags import portal as tags
from projects.manifests.parse import Descriptor, Manifest
from projects.selectors.contents import build_history

HTTP = Registry("localhost:8080", True)
HTTPS = Registry("registry.example", False)
DIGEST = "sha256:" + "a" * 64


def _listing(query: str = "") -> Listing:
    listing = Listing(
        RequestFactory().get(f"/list?{query}"),
        sorts={"name": "name", "pulled": "pull_time"},
        default="name",
        keep={"view": "artifacts"},
    )
    listing.total = 230
    return listing


def test_links_keep_the_state_of_the_table() -> None:
    listing = _listing("q=a%26b&sort=-pulled&page=3&page_size=50")
    assert listing.url(page=4) == "/list?view=artifacts&sort=-pulled&page_size=50&q=a%26b&page=4"
    assert listing.sort_url("name") == "/list?view=artifacts&sort=name&page_size=50&q=a%26b"
    assert listing.state == {"view": "artifacts", "sort": "-pulled", "page_size": "50"}
    assert (listing.first, listing.last, listing.pages) == (101, 150, 5)
    assert [number for number, _ in listing.page_links] == [1, 2, 3, 4, 5]
    assert _listing().url() == "/list?view=artifacts"


def test_page_links_leave_out_the_middle() -> None:
    listing = _listing("page=8")
    assert [number for number, _ in listing.page_links] == [1, None, 7, 8, 9, None, 16]


def test_sorting_turns_around() -> None:
    assert _listing().sort_url("name").endswith("sort=-name")
    assert _listing("sort=-name").sort_url("name").endswith("sort=name")
    assert _listing().sort_url("pulled", descending_first=True).endswith("sort=-pulled")
    assert _listing("sort=-pulled").direction("pulled") == "descending"
    assert _listing().direction("pulled") == ""


@pytest.mark.parametrize(
    ("registry", "runtime", "kind", "expected"),
    [
        (HTTPS, "docker", "IMAGE", "docker pull registry.example/a/b:1"),
        (HTTP, "docker", "IMAGE", "docker pull localhost:8080/a/b:1"),
        (HTTP, "podman", "IMAGE", "podman pull --tls-verify=false localhost:8080/a/b:1"),
        (HTTP, "nerdctl", "IMAGE", "nerdctl pull --insecure-registry localhost:8080/a/b:1"),
        (HTTP, "ctr", "IMAGE", "ctr images pull --plain-http localhost:8080/a/b:1"),
        (HTTPS, "ctr", "CNAB", "ctr images pull registry.example/a/b:1"),
        (HTTPS, "crictl", "IMAGE", "crictl pull registry.example/a/b:1"),
        (HTTPS, "crictl", "CHART", "helm pull oci://registry.example/a/b --version 1"),
        (HTTP, "docker", "WASM", "oras pull --plain-http localhost:8080/a/b:1"),
    ],
)
def test_pull_commands(registry: Registry, runtime: str, kind: str, expected: str) -> None:
    assert commands.pull(registry, runtime, kind, "a/b", tag="1") == expected


def test_pull_by_digest() -> None:
    assert commands.pull(HTTPS, "docker", "IMAGE", "a/b", digest=DIGEST) == f"docker pull registry.example/a/b@{DIGEST}"
    helm = commands.pull(HTTPS, "docker", "CHART", "a/b", digest=DIGEST)
    assert helm == f"helm pull oci://registry.example/a/b@{DIGEST}"


def test_push_guides() -> None:
    assert commands.push_guide(HTTPS, "crictl", "a/REPOSITORY", "dev").tool == "docker"
    guide = commands.push_guide(HTTP, "podman", "a/b", "dev")
    assert guide.lines[0] == "podman login --tls-verify=false -u dev localhost:8080"
    assert guide.lines[-1] == "podman push --tls-verify=false localhost:8080/a/b:TAG"
    assert (
        "ctr images push --plain-http --user dev localhost:8080/a/b:TAG"
        in commands.push_guide(HTTP, "ctr", "a/b", "dev").lines
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (900, "900 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (1536, "1.50 KiB"),
        (15 * 1024, "15.0 KiB"),
        (1024**2 - 1, "1.00 MiB"),
        (512 * 1024**2, "512 MiB"),
        (3 * 1024**4, "3.00 TiB"),
        (None, "–"),
    ],
)
def test_sizes(value: int | None, text: str) -> None:
    assert tags.size(value) == text


def test_relative_times() -> None:
    now = timezone.now()
    assert "just now" in tags.ago(now)
    assert ">2\xa0hours ago<" in tags.ago(now - timedelta(hours=2, minutes=5))
    assert "just now" in tags.ago(now + timedelta(hours=1))  # a clock that is ahead
    with translation.override("zh-hans"):
        assert "前<" in tags.ago(now - timedelta(days=3))
    assert "never" in tags.ago(None, "never")
    assert 'title="Jan. 2, 2026 03:04:05 UTC"' in tags.ago(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


def test_platforms() -> None:
    arm = {"os": "linux", "architecture": "arm", "variant": "v7"}
    unknown = {"os": "unknown", "architecture": "unknown"}
    assert tags.platforms([arm, unknown, arm, {}, "x", {"os": 3}]) == ["linux/arm/v7"]


NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stored", "message", "kind"),
    [
        ("", None, None),
        ("  ", None, None),
        ("words", "words", "info"),
        ('{"message":"m","type":"danger"}', "m", "danger"),
        ('{"message":"m","type":"other"}', "m", "info"),
        ('{"message":"m","fromDate":"2026-05-02T00:00:00Z"}', None, None),
        ('{"message":"m","toDate":"2026-04-30T00:00:00Z"}', None, None),
        ('{"message":"m","fromDate":"2026-04-30T00:00:00Z","toDate":"2026-05-02T00:00:00Z"}', "m", "info"),
        ('{"message":"m","fromDate":7,"toDate":"2026-99-99T00:00:00Z"}', "m", "info"),
        ('{"message":3}', None, None),
        ('{"other":1}', None, None),
        ("[1]", "[1]", "info"),
    ],
)
def test_banner(stored: str, message: str | None, kind: str | None) -> None:
    found = banner.current(stored, NOW)
    assert (found and found.message) == message and (found and found.kind) == kind


def _manifest(*sizes: int) -> Manifest:
    layers = [Descriptor("x", DIGEST, size, {}, [], {}) for size in sizes]
    return Manifest("", "", None, layers, [], None)


def test_history_matches_layers_only_where_it_can() -> None:
    config = {"history": [{"created_by": "a"}, {"created_by": "b", "empty_layer": True}, {"created_by": "c"}]}
    assert [step.size for step in build_history(_manifest(1, 2), config)] == [1, None, 2]
    assert [step.size for step in build_history(_manifest(1), config)] == [None, None, None]


@pytest.mark.parametrize("history", [None, 3, {}, ["x", 1, None], [{"created": 5, "created_by": []}]])
def test_history_of_any_shape(history: object) -> None:
    steps = build_history(_manifest(1), {"history": history})
    assert all(step.created is None and step.command == "" for step in steps)
    odd = build_history(_manifest(1), {"history": [{"created": "2026-99-99T00:00:00Z"}]})
    assert odd[0].created is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("grace hopper", "grace hopper"),
        ("李伟", "李伟"),
        ("שלום", "\u2068שלום\u2069"),
        ("مرحبا 7", "\u2068مرحبا 7\u2069"),
        ("\u202egnp.exe", "gnp.exe"),  # turned around by a control
        ("שלום\u2069 out", "\u2068שלום out\u2069"),  # cannot leave its isolate
    ],
)
def test_a_name_turns_no_word_around_it(name: str, shown: str) -> None:
    assert isolated(name) == shown


def test_what_came_of_a_job_is_told_in_words() -> None:
    found = {
        "freed_space": 2048,
        "dry_run": True,
        "purged_blobs": 1200,
        "trigger_revision": 7,
        "message": "",
        "size": None,
    }
    assert facts(found) == [
        ("Blobs removed", "1,200", True),
        ("Dry run", "yes", True),
        ("Freed", "2.00 KiB", True),
        ("trigger_revision", "7", False),
    ]

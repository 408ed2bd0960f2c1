"""What artifacts hold besides their layers: charts, models, documents, icons, configs of every kind."""

import base64
import gzip
import io
import json
import tarfile
import zlib
from typing import Any

import pytest

from harbor_core.lib import media_types as mt
from harbor_core.lib import storage
from projects.models import Artifact
from tests.cast import IMAGE_CONFIG, World, image, push_manifest, put_blob

APP = "projects/team/repositories/app/artifacts"
CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json"
CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
PROVENANCE = "application/vnd.cncf.helm.chart.provenance.v1.prov"
METADATA = {"name": "web", "version": "1.2.3", "apiVersion": "v2", "appVersion": "9", "keywords": ["a", "b"]}
CHART_YAML = b"""apiVersion: v2
name: web
version: 1.2.3
dependencies:
  - name: redis
    version: ^1.0
    repository: https://charts.example
    tags: [cache, 2026-01-01]
    import-values: [data, {child: a, parent: b}, {child: 1}]
    enabled: true
    other: ignored
  - nonsense
"""
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 64


def tar(files: dict[str, bytes], *, compress: bool = True, extra: tuple[tarfile.TarInfo, ...] = ()) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for entry in extra:
            archive.addfile(entry)
    return gzip.compress(buffer.getvalue(), mtime=0) if compress else buffer.getvalue()


def push(
    world: World, tag: str, config_type: str, config: bytes, layers: list[dict[str, Any]], **of_config: Any
) -> dict[str, Any]:
    """As anybody sees it."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": mt.OCI_MANIFEST,
        "config": {"mediaType": config_type} | put_blob("team/app", config) | of_config,
        "layers": layers,
    }
    push_manifest(world.actor("developer"), "team/app", tag, manifest)
    return world.api("guest", "GET", f"{APP}/{tag}").json()


def layer(media_type: str, content: bytes, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type} | put_blob("team/app", content) | more


def push_chart(world: World, archive: bytes, tag: str = "chart") -> dict[str, Any]:
    layers = [layer(PROVENANCE, b"signed"), layer(CHART_LAYER, archive)]
    return push(world, tag, CHART_CONFIG, json.dumps(METADATA).encode(), layers)


def addition(world: World, name: str, tag: str = "chart") -> Any:
    return world.api("guest", "GET", f"{APP}/{tag}/additions/{name}")


# ---------------------------------------------------------------------- charts


def test_chart(world: World) -> None:
    files = {
        "web/Chart.yaml": CHART_YAML,
        "web/values.yaml": "größe: 1\n".encode(),
        "web/README.md": b"# Web",
        "web/templates/values.yaml": b"not this one",
        "web/charts/redis/README.md": b"nor this",
    }
    seen = push_chart(world, tar(files))
    assert (seen["type"], seen["media_type"], seen["extra_attrs"]) == ("CHART", CHART_CONFIG, METADATA)
    assert list(seen["addition_links"]) == ["values.yaml", "readme.md", "dependencies"]
    for name, link in seen["addition_links"].items():
        assert link == {"href": f"/api/v2.0/{APP}/{seen['digest']}/additions/{name}", "absolute": False}
        assert world.api("guest", "GET", link["href"]).status_code == 200
    values, readme = addition(world, "values.yaml"), addition(world, "readme.md")
    assert (values.content.decode(), values["Content-Type"]) == ("größe: 1\n", "text/plain; charset=utf-8")
    assert (readme.content, readme["Content-Type"]) == (b"# Web", "text/markdown; charset=utf-8")
    assert readme["X-Content-Type-Options"] == "nosniff"
    dependencies = addition(world, "dependencies")
    assert dependencies["Content-Type"] == "application/json; charset=utf-8"
    assert dependencies.json() == [
        {
            "name": "redis",
            "repository": "https://charts.example",
            "version": "^1.0",
            "tags": ["cache"],
            "import-values": ["data", {"child": "a", "parent": "b"}],
            "enabled": True,
        }
    ]
    assert addition(world, "build_history").status_code == 400
    assert addition(world, "license").status_code == 400


def test_an_old_chart(world: World) -> None:
    """API version 1 keeps its dependencies in a file of their own."""
    push_chart(world, tar({"web/Chart.yaml": b"name: web", "web/requirements.yaml": b"dependencies: [{name: db}]"}))
    assert addition(world, "dependencies").json() == [{"name": "db", "repository": ""}]


def test_a_chart_without_them(world: World) -> None:
    push_chart(world, tar({"web/Chart.yaml": b"name: web"}))
    for name, empty in (("values.yaml", b""), ("readme.md", b""), ("dependencies", b"[]")):
        answer = addition(world, name)
        assert (answer.status_code, answer.content) == (200, empty)


def link_out() -> tarfile.TarInfo:
    entry = tarfile.TarInfo("web/values.yaml")
    entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return entry


@pytest.mark.parametrize(
    "archive",
    [
        b"no archive at all",
        b"\x1f\x8b" + b"broken" * 20,
        tar({"web/values.yaml": b"x" * 100})[:-20],
        tar({"web/values.yaml": b"x" * (4 * 1024 * 1024 + 1)}),
        gzip.compress(b"\0" * (65 * 1024 * 1024)),
    ],
    ids=["text", "gzip", "cut", "large", "bomb"],
)
def test_archives_that_are_none(archive: bytes, world: World) -> None:
    push_chart(world, archive)
    if archive.startswith(b"\x1f\x8b") and len(archive) > 60_000:  # zeros end a tar at once
        assert addition(world, "values.yaml").content == b""
        return
    answer = addition(world, "values.yaml")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "NOT_FOUND")


def test_what_unpacks_to_too_much(world: World) -> None:
    entry = tarfile.TarInfo("web/zeros")
    entry.size = 100 * 1024 * 1024
    packer = zlib.compressobj(wbits=31)
    archive = packer.compress(entry.tobuf()) + packer.compress(b"\0" * entry.size) + packer.flush()
    push_chart(world, archive)
    assert addition(world, "readme.md").status_code == 404


def test_links_lead_nowhere(world: World) -> None:
    push_chart(world, tar({"web/Chart.yaml": b"name: web"}, extra=(link_out(),)))
    assert addition(world, "values.yaml").content == b""


def test_a_large_layer_is_not_looked_into(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projects.selectors.additions.LAYER_MAX", 10)
    push_chart(world, tar({"web/Chart.yaml": b"name: web"}))
    assert addition(world, "values.yaml").status_code == 413


@pytest.mark.parametrize(
    "document",
    [
        b"dependencies: &a [*a]",
        b"a: &a [x]\nb: &b [*a,*a]\ndependencies: [*b]",
        b"[" * 5000,
        b"dependencies: [" + b"[" * 60 + b"]" * 60 + b"]",
        b"\xff\xfe\xfd",
        b"dependencies: !!python/object/apply:os.system [ls]",
        b"a: b: c",
    ],
)
def test_yaml_from_anybody(document: bytes, world: World) -> None:
    push_chart(world, tar({"web/Chart.yaml": document}))
    assert addition(world, "dependencies").status_code == 404


@pytest.mark.parametrize("document", [b"", b"- 1", b"x", b"dependencies: 5", b"dependencies: {a: 1}", b"? [a]\n: b"])
def test_yaml_that_says_nothing(document: bytes, world: World) -> None:
    push_chart(world, tar({"web/Chart.yaml": document}))
    assert addition(world, "dependencies").status_code in (200, 404)


def test_storage_that_lost_the_layer(world: World) -> None:
    archive = tar({"web/Chart.yaml": b"name: web"})
    push_chart(world, archive)
    storage.delete(storage.blob_path(put_blob("team/app", archive)["digest"]))
    assert addition(world, "values.yaml").status_code == 503


# ---------------------------------------------------------------------- models


@pytest.mark.parametrize("spec", ["cncf", "cnai"])
def test_model(spec: str, world: World) -> None:
    def at(path: str) -> dict[str, Any]:
        return {"annotations": {f"org.{spec}.model.filepath": path}}

    prefix = f"application/vnd.{spec}.model"
    layers = [
        layer(f"{prefix}.weight.v1.raw", b"w" * 10, **at("weights/a/model.bin")),
        layer(f"{prefix}.weight.v1.raw", b"w" * 11, **at("./weights/../b.bin")),
        layer(f"{prefix}.doc.v1.tar", tar({"docs/readme.MD": b"# Model"}, compress=False), **at("README.md")),
        layer(f"{prefix}.doc.v1.raw", b"MIT", **at("LICENSE")),
        layer(f"{prefix}.code.v1.tar", b"c", **at("empty/")),
        layer(f"{prefix}.code.v1.tar", b"cc", **at("b.bin/below-a-file")),
        layer(f"{prefix}.code.v1.tar", b"ccc"),
    ]
    seen = push(world, "model", f"{prefix}.config.v1+json", b'{"descriptor":{"name":"m"}}', layers)
    assert (seen["type"], seen["extra_attrs"]) == ("CNAI", {"descriptor": {"name": "m"}})
    assert list(seen["addition_links"]) == ["readme.md", "license", "files"]
    readme, licence = addition(world, "readme.md", "model"), addition(world, "license", "model")
    assert (readme.content, readme["Content-Type"]) == (b"# Model", "text/markdown; charset=utf-8")
    assert (licence.content, licence["Content-Type"]) == (b"MIT", "text/plain; charset=utf-8")
    packed = layers[2]["size"]
    assert addition(world, "files", "model").json() == [
        {"name": "b.bin", "type": "directory", "children": [{"name": "below-a-file", "type": "file", "size": 2}]},
        {"name": "empty", "type": "directory"},
        {
            "name": "weights",
            "type": "directory",
            "children": [
                {
                    "name": "a",
                    "type": "directory",
                    "children": [{"name": "model.bin", "type": "file", "size": 10}],
                },
                {"name": "b.bin", "type": "file", "size": 11},
            ],
        },
        {"name": "LICENSE", "type": "file", "size": 3},
        {"name": "README.md", "type": "file", "size": packed},
    ]


def test_a_model_without_documents(world: World) -> None:
    push(world, "model", "application/vnd.cncf.model.config.v1+json", b"{}", [])
    assert addition(world, "files", "model").json() == []
    assert addition(world, "readme.md", "model").status_code == 404
    assert addition(world, "license", "model").status_code == 404


# ---------------------------------------------------------------------- reports


def test_reports_that_are_not_there(world: World) -> None:
    for name in ("vulnerabilities", "sbom"):
        answer = addition(world, name, "1.0")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "NOT_FOUND")


def test_an_attached_sbom(world: World) -> None:
    document = b'{"spdxVersion":"SPDX-2.3"}'
    digest = world.artifact.digest
    manifest = {
        "schemaVersion": 2,
        "mediaType": mt.OCI_MANIFEST,
        "config": layer("application/vnd.goharbor.harbor.sbom.v1", b"{}"),
        "layers": [layer("application/vnd.goharbor.harbor.sbom.v1+json", document)],
        "subject": {"mediaType": mt.OCI_MANIFEST, "digest": digest, "size": len(bytes(world.artifact.manifest))},
    }
    accessory = push_manifest(world.actor("developer"), "team/app", "", manifest)
    assert Artifact.objects.get(digest=accessory).accessory.type == "sbom.harbor"
    for reference in ("1.0", accessory):
        answer = addition(world, "sbom", reference)
        assert (answer.content, answer["Content-Type"]) == (document, "application/json; charset=utf-8")


# ---------------------------------------------------------------------- icons and configs


def icon(world: World, digest: str) -> tuple[str, bytes]:
    answer = world.api("anonymous", "GET", f"icons/{digest}")
    assert answer.status_code == 200, answer.content
    return answer.json()["content-type"], base64.b64decode(answer.json()["content"])


def test_icons_of_kinds(world: World) -> None:
    push_chart(world, tar({"web/Chart.yaml": b"name: web"}))
    subject = {"mediaType": mt.OCI_MANIFEST, "digest": world.artifact.digest, "size": 1}
    push_manifest(world.actor("developer"), "team/app", "", image("team/app", subject=subject))
    listed = world.api("guest", "GET", f"{APP}?with_accessory=true").json()
    digests = {row["icon"] for row in listed} | {row["icon"] for item in listed for row in item.get("accessories", ())}
    assert len(digests) == 3  # chart, image, accessory
    for digest in digests:
        media_type, content = icon(world, digest)
        assert (media_type, content[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
        width, height = int.from_bytes(content[16:20]), int.from_bytes(content[20:24])
        assert width == height <= 50
        pixels = zlib.decompress(content[content.index(b"IDAT") + 4 : content.rindex(b"IEND") - 8])
        assert len(pixels) == height * (1 + 4 * width)
        assert 100 < sum(alpha > 128 for alpha in pixels_alpha(pixels, width)) < 1500


def pixels_alpha(pixels: bytes, width: int) -> list[int]:
    line = 1 + 4 * width
    return [pixels[start + 4 * x + 4] for start in range(0, len(pixels), line) for x in range(width)]


def test_an_icon_of_its_own(world: World) -> None:
    annotated = {"annotations": {"io.goharbor.artifact.v1alpha1.icon": ""}}
    kinds = {"png": PNG, "jpeg": b"\xff\xd8\xff" + b"j" * 50, "gif": b"GIF89a" + b"g" * 50}
    for name, content in kinds.items():
        described = layer(f"image/{name}", content, **annotated)
        seen = push(world, name, "application/vnd.acme.rocket.config.v1+json", b"{}", [layer("x/y", b"1"), described])
        assert (seen["type"], seen["icon"]) == ("ROCKET", described["digest"])
        assert icon(world, seen["icon"]) == (f"image/{name}", content)
    # Gone with its artifact.
    world.api("maintainer", "DELETE", f"{APP}/png")
    assert world.api("anonymous", "GET", f"icons/{put_blob('team/app', PNG)['digest']}").status_code == 404


def test_layers_that_are_no_icon(world: World) -> None:
    annotated = {"annotations": {"io.goharbor.artifact.v1alpha1.icon": ""}}
    custom = "application/vnd.acme.rocket.config.v1+json"
    text, large = layer("image/png", b"<script>", **annotated), layer("image/png", PNG + b"0" * 2**20, **annotated)
    plain = push(world, "plain", custom, b"{}", [layer("image/png", PNG)])["icon"]
    assert push(world, "text", custom, b"{}", [text])["icon"] == plain
    assert push(world, "large", custom, b"{}", [large])["icon"] == plain
    shown = push(world, "image", IMAGE_CONFIG, b"{}", [layer("image/png", PNG, **annotated)])
    assert shown["icon"] != put_blob("team/app", PNG)["digest"]
    # Nobody reads a layer as an icon that is none.
    for digest in (text["digest"], large["digest"], world.artifact.digest, "sha256:" + "0" * 64):
        assert world.api("anonymous", "GET", f"icons/{digest}").status_code == 404
    for digest in ("x", "sha512:" + "0" * 128, "..", "sha256:" + "G" * 64):
        assert world.api("anonymous", "GET", f"icons/{digest}").status_code == 400


def test_configs_of_every_kind(world: World) -> None:
    custom = "application/vnd.acme.rocket.config.v1+json"
    skip = {"annotations": {"io.goharbor.artifact.v1alpha1.skip-list": "secret,other"}}

    def attrs(config: bytes, tag: str, **more: Any) -> Any:
        return push(world, tag, custom, config, [], **more).get("extra_attrs")

    assert attrs(b'{"fuel":{"kind":"solid"},"secret":1,"other":2}', "a", **skip) == {"fuel": {"kind": "solid"}}
    assert attrs(b'{"n":NaN,"i":1e999,"z":"\\u0000","s":"\\ud800"}', "b") == {
        "n": None,
        "i": None,
        "z": "\ufffd",
        "s": "\ufffd",
    }
    for number, config in enumerate((b"not json", b"[1]", b"\xff", b'{"a":' * 66 + b"1" + b"}" * 66)):
        assert attrs(config, f"c{number}") is None, config[:20]
    assert attrs(json.dumps({"a": "x" * 300_000}).encode(), "large") is None

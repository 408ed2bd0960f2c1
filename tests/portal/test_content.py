"""Repositories, artifacts, tags and the trash: who sees and does what, what is asked first, and what it costs."""

import io
import json
import re
import tarfile

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from auth.rbac import Role
from harbor_core.services import config
from portal import markdown
from projects.models import (
    Accessory,
    Artifact,
    ArtifactLabel,
    ImmutableRule,
    Label,
    Repository,
    Tag,
    TagEvent,
    TrashedArtifact,
)
from tests.portal import content
from tests.portal.conftest import World, signed_in
from tests.support.oci import OCI_MANIFEST, descriptor

pytestmark = pytest.mark.django_db
CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json"


@pytest.fixture
def maintainer(world: World) -> Client:
    account = content.user("maintainer")
    for project in (world.library, world.secret):
        content.member(project, account, Role.MAINTAINER)
    return signed_in(account)


def _base(world: World, name: str = "app") -> str:
    return f"/harbor/projects/{world.library.pk}/repositories/{name}"


def _immutable(world: World, pattern: str) -> None:
    ImmutableRule.objects.create(
        project=world.library,
        tag_selectors=[{"kind": "doublestar", "decoration": "matches", "pattern": pattern}],
        scope_selectors={"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
    )


def _rich_chart() -> Artifact:
    files = {
        "app/Chart.yaml": "name: app\nversion: 1.2.3\ndependencies:\n- {name: redis, version: 19.x, repository: oci://x}\n",
        "app/values.yaml": "replicas: 3\n",
        "app/README.md": "# App\n\n<script>alert(1)</script> [x](javascript:alert(1))\n",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    settings = json.dumps({"name": "app", "version": "1.2.3", "appVersion": "7.1", "apiVersion": "v2"}).encode()
    for part in (settings, packed.getvalue()):
        content.put_blob("library/charts/rich", part)
    layer = descriptor(packed.getvalue(), "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(settings, CHART_CONFIG),
        "layers": [layer],
    }
    return content._put("library/charts/rich", "1.2.3", json.dumps(document).encode(), OCI_MANIFEST)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        # anonymous, outsider, maintainer, administrator; the project is public
        ("{repo}/-/info", (200, 200, 200, 200)),
        ("{repo}/-/history", (200, 200, 200, 200)),
        ("{repo}/-/deleted", (403, 403, 200, 200)),
        ("{repo}/-/tags/delete?pick={tag}", (403, 403, 200, 200)),
        ("{repo}/-/artifacts/delete?pick={artifact}", (403, 403, 200, 200)),
        ("{repo}/artifacts/{digest}/-/tag", (403, 403, 200, 200)),
        ("{repo}/artifacts/{digest}/-/labels", (403, 403, 200, 200)),
        ("{repo}/artifacts/{digest}/-/copy", (404, 200, 200, 200)),
        ("{project}/repositories/-/delete?pick={repository}", (403, 403, 200, 200)),
        ("{project}/trash", (404, 404, 200, 200)),
        ("{project}/trash/discard?pick_all=1", (404, 404, 403, 302)),
        ("/harbor/trash", (404, 404, 404, 200)),
    ],
)
def test_status_per_persona(
    world: World, anonymous: Client, outsider: Client, maintainer: Client, admin: Client, path: str, expected: tuple
) -> None:
    tag = Tag.objects.get(repository__name="library/app", name="1.0")
    url = path.format(
        repo=_base(world),
        project=f"/harbor/projects/{world.library.pk}",
        digest=world.image.digest,
        artifact=world.image.pk,
        tag=tag.pk,
        repository=tag.repository_id,
    )
    assert tuple(client.get(url).status_code for client in (anonymous, outsider, maintainer, admin)) == expected


def test_hidden_project_is_not_there(world: World, outsider: Client) -> None:
    base = f"/harbor/projects/{world.secret.pk}/repositories/inner/app"
    for path in ("/-/info", "/-/history", "/-/deleted", "/-/tags/delete?pick=1", "/-/artifacts/delete?pick=1"):
        assert outsider.get(base + path).status_code == 404


def test_tags_are_deleted_and_restored(world: World, maintainer: Client) -> None:
    tags = {tag.name: tag for tag in Tag.objects.filter(repository__name="library/app")}
    url = f"{_base(world)}/-/tags/delete"
    asked = maintainer.get(url, {"pick": [tags["1.0"].pk]})
    assert "1.0" in asked.content.decode()
    assert Tag.objects.filter(pk=tags["1.0"].pk).exists()  # asking does nothing
    assert maintainer.post(url, {"pick": [tags["1.0"].pk]}).status_code == 302
    assert not Tag.objects.filter(pk=tags["1.0"].pk).exists()
    assert Artifact.objects.filter(pk=world.image.pk).exists()
    assert "1.0" in maintainer.get(f"{_base(world)}/-/deleted").content.decode()
    maintainer.post(f"{_base(world)}/-/restore", {"tag": "1.0", "digest": world.image.digest})
    assert Tag.objects.get(repository__name="library/app", name="1.0").artifact == world.image


def test_immutable_tags_stay_and_say_why(world: World, maintainer: Client) -> None:
    _immutable(world, "1.*")
    tag = Tag.objects.get(repository__name="library/app", name="1.0")
    assert "Immutable" in maintainer.get(_base(world)).content.decode()
    page = maintainer.get(f"{_base(world)}/-/tags/delete", {"pick": [tag.pk]}).content.decode()
    assert "This is not possible now" in page
    repositories = f"/harbor/projects/{world.library.pk}/repositories/-/delete"
    page = maintainer.get(repositories, {"pick": [tag.repository_id]}).content.decode()
    assert "This is not possible now" in page and "library/app:1.0" in page
    followed = maintainer.post(f"{_base(world)}/-/tags/delete", {"pick": [tag.pk]}, follow=True).content.decode()
    assert "Refused" in followed
    assert Tag.objects.filter(pk=tag.pk).exists()


def test_everything_that_matches_is_deleted(world: World, maintainer: Client) -> None:
    for number in range(20):
        content.push_image("library/many", f"v{number}", words=str(number))
    content.push_image("library/many", "keep", words="keep")
    url = f"{_base(world, 'many')}/-/tags/delete"
    page = maintainer.get(url, {"pick_all": "1", "q": "v"}).content.decode()
    newest = re.search(r'name="newest" value="(\d+)"', page)
    assert newest is not None
    content.push_image("library/many", "v-later", words="later")
    maintainer.post(f"{url}?pick_all=1&q=v", {"pick_all": "1", "newest": newest[1]})
    assert set(Tag.objects.filter(repository__name="library/many").values_list("name", flat=True)) == {
        "keep",
        "v-later",
    }


def test_of_very_many_it_says_that_they_are_many(world: World, maintainer: Client) -> None:
    """Asking costs the same: nothing is counted beyond a thousand."""
    names = [f"build-{number:04}" for number in range(1001)]
    repository = world.image.repository
    Tag.objects.bulk_create(Tag(repository=repository, artifact=world.image, name=name) for name in names)
    _immutable(world, "none-of-them")
    tags = maintainer.get(f"{_base(world)}/-/tags/delete", {"pick_all": "1", "q": "build-"}).content.decode()
    assert "Delete more than 1,000 tags?" in tags and "and many more" in tags and "if there are any among them" in tags
    common = {"type": "IMAGE", "media_type": "m", "manifest_media_type": "m", "artifact_type": "m", "manifest": b"{}"}
    Artifact.objects.bulk_create(
        Artifact(project=world.library, repository=repository, digest=f"sha256:{number:064x}", size=1, **common)
        for number in range(1001)
    )
    artifacts = maintainer.get(f"{_base(world)}/-/artifacts/delete", {"pick_all": "1"}).content.decode()
    assert "More than 1,000 artifacts are deleted." in artifacts and "accessories go along" in artifacts
    pick = {"pick": [repository.pk]}
    whole = maintainer.get(f"/harbor/projects/{world.library.pk}/repositories/-/delete", pick).content.decode()
    assert "More than 1,000 artifacts are deleted." in whole and "More than 1,000 tags go: 1.0, build-0000" in whole
    assert "A repository with immutable tags stays as it is." in whole


def test_of_many_accessories_the_newest_are_shown(world: World, maintainer: Client) -> None:
    common = {"type": "IMAGE", "media_type": "m", "manifest_media_type": "m", "artifact_type": "m", "manifest": b"{}"}
    repository = world.image.repository
    made = Artifact.objects.bulk_create(
        Artifact(project=world.library, repository=repository, digest=f"sha256:{number:064x}", size=1, **common)
        for number in range(53)
    )
    Accessory.objects.bulk_create(
        Accessory(
            artifact=signature,
            subject=world.image,
            subject_digest=world.image.digest,
            repository=repository,
            type="signature.cosign",
        )
        for signature in made
    )
    page = maintainer.get(f"{_base(world)}/artifacts/{world.image.digest}").content.decode()
    assert page.count('data-label="Digest"') >= 50 and "and 4 more" in page  # it has one of its own
    assert f"{52:064x}" in page and f"sha256:{0:064x}" not in page


def test_a_repository_goes_with_its_name_typed(world: World, maintainer: Client) -> None:
    row = Repository.objects.get(name="library/app")
    url = f"/harbor/projects/{world.library.pk}/repositories/-/delete?pick={row.pk}"
    wrong = maintainer.post(url, {"pick": [row.pk], "typed": "library/ap"})
    assert wrong.status_code == 400
    assert Repository.objects.filter(pk=row.pk).exists()
    assert maintainer.post(url, {"pick": [row.pk], "typed": "library/app"}).status_code == 302
    assert not Repository.objects.filter(pk=row.pk).exists()
    assert TrashedArtifact.objects.filter(repository_name="library/app").exists()


def test_parts_of_an_index_cannot_go(world: World, maintainer: Client) -> None:
    child = Artifact.objects.filter(parents__parent=world.index).first()
    assert child is not None
    url = f"{_base(world, 'multi/arch')}/-/artifacts/delete"
    assert "Parts of an index stay" in maintainer.get(url, {"pick": [child.pk]}).content.decode()


def test_trash_is_restored_and_emptied(world: World, maintainer: Client, admin: Client) -> None:
    maintainer.post(f"{_base(world)}/-/artifacts/delete", {"pick": [world.image.pk]})
    trash = f"/harbor/projects/{world.library.pk}/trash"
    row = TrashedArtifact.objects.get(digest=world.image.digest)
    listed = maintainer.get(trash).content.decode()
    assert world.image.digest[:19] in listed and "in 7 days" in listed.replace("\xa0", " ")
    assert "library" in admin.get("/harbor/trash").content.decode()
    assert maintainer.get(f"{trash}/restore", {"pick": [row.pk]}).status_code == 200
    maintainer.post(f"{trash}/restore", {"pick": [row.pk]})
    restored = Artifact.objects.get(repository__name="library/app", digest=world.image.digest)
    maintainer.post(f"{_base(world)}/-/artifacts/delete", {"pick": [restored.pk]})
    assert maintainer.post(f"{trash}/discard?pick_all=1", {"pick_all": "1"}).status_code == 403
    assert admin.post(f"{trash}/discard?pick_all=1", {"pick_all": "1", "typed": "no"}).status_code == 400
    admin.post(f"{trash}/discard?pick_all=1", {"pick_all": "1", "typed": "library"})
    assert not TrashedArtifact.objects.filter(project=world.library).exists()


def test_tag_form_keeps_what_was_typed(world: World, maintainer: Client) -> None:
    url = f"{_base(world)}/artifacts/{world.image.digest}/-/tag"
    for wrong in ("not a tag", "latest"):
        answer = maintainer.post(url, {"name": wrong})
        assert answer.status_code == 400
        assert f'value="{wrong}"' in answer.content.decode()
        assert "field-error" in answer.content.decode()
    assert maintainer.post(url, {"name": "stable"}).status_code == 302
    assert Tag.objects.get(repository__name="library/app", name="stable").artifact == world.image


def test_labels_are_set_and_filtered_by(world: World, maintainer: Client) -> None:
    mine = Label.objects.create(name="checked", color="#0065AB", project=world.library)
    other = Label.objects.create(name="elsewhere", project=world.secret)
    url = f"{_base(world)}/artifacts/{world.image.digest}/-/labels"
    content.push_image("library/app", "plain", words="plain")
    assert maintainer.post(url, {"labels": [mine.pk]}).status_code == 302
    assert maintainer.post(url, {"labels": [other.pk]}).status_code == 400
    assert list(ArtifactLabel.objects.values_list("label_id", flat=True)) == [mine.pk]
    page = maintainer.get(_base(world), {"label": mine.pk}).content.decode()
    assert ">1.0<" in page and ">plain<" not in page
    assert "Nothing matches these filters" in maintainer.get(_base(world), {"label": other.pk}).content.decode()
    maintainer.post(url, {})
    assert not ArtifactLabel.objects.exists()


def test_filters_by_type_platform_and_tag(world: World, admin: Client) -> None:
    index = f"{_base(world, 'multi/arch')}?platform="
    assert ">2.0<" in admin.get(f"{index}linux/arm64").content.decode()
    assert "Nothing matches" in admin.get(f"{index}windows/amd64").content.decode()
    assert "Nothing matches" in admin.get(f"{_base(world)}?type=CHART").content.decode()
    untagged = admin.get(f"{_base(world)}?view=artifacts&tagged=no").content.decode()
    assert world.image.digest not in untagged


def test_copy_goes_where_one_may_push_only(world: World, maintainer: Client, outsider: Client) -> None:
    url = f"{_base(world)}/artifacts/{world.image.digest}/-/copy"
    refused = outsider.post(url, {"project": "secret", "repository": "mine"})
    assert refused.status_code == 400
    assert "There is no such project" in refused.content.decode()
    assert maintainer.post(url, {"project": "secret", "repository": "Not A Name"}).status_code == 400
    made = maintainer.post(url, {"project": "secret", "repository": "copied/app"})
    assert (
        made["Location"] == f"/harbor/projects/{world.secret.pk}/repositories/copied/app/artifacts/{world.image.digest}"
    )
    assert Artifact.objects.filter(repository__name="secret/copied/app").exists()


def test_description_is_previewed_saved_and_harmless(
    world: World, maintainer: Client, anonymous: Client, outsider: Client
) -> None:
    url = f"{_base(world)}/-/info"
    text = "# Title\n\n<img src=x onerror=alert(1)> **bold**"
    preview = maintainer.post(url, {"description": text, "preview": "1"}).content.decode()
    assert "<strong>bold</strong>" in preview and "<img src=x" not in preview
    assert Repository.objects.get(name="library/app").description == ""
    assert outsider.post(url, {"description": text}).status_code == 403
    maintainer.post(url, {"description": text})
    shown = anonymous.get(url).content.decode()
    assert "<strong>bold</strong>" in shown and "<img src=x" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "[x](data:text/html;base64,xx)",
        '![x" onerror="alert(1)](javascript:alert(1))',
        "<a href='javascript:alert(1)'>x</a>",
        '[x](https://a.example/"onclick=alert(1))',
    ],
)
def test_markdown_has_no_way_to_run_anything(text: str) -> None:
    written = str(markdown.render(text))
    assert not re.search(r"<(script|img|iframe|style)", written)
    assert not re.search(r'<[^>]*(href="(javascript|data):|\son\w+=)', written)


def test_chart_shows_its_files(world: World, anonymous: Client) -> None:
    chart = _rich_chart()
    url = f"{_base(world, 'charts/rich')}/artifacts/{chart.digest}"
    overview = anonymous.get(url).content.decode()
    assert "7.1" in overview and "helm pull oci://" in overview
    readme = anonymous.get(url, {"show": "readme.md"}).content.decode()
    assert "<h2>App</h2>" in readme and "<script>alert" not in readme
    assert "replicas: 3" in anonymous.get(url, {"show": "values.yaml"}).content.decode()
    assert "19.x" in anonymous.get(url, {"show": "dependencies"}).content.decode()
    broken = f"{_base(world, 'charts/app')}/artifacts/{world.chart.digest}?show=values.yaml"
    assert anonymous.get(broken).status_code == 200


def test_layers_say_who_else_has_them(world: World, admin: Client) -> None:
    twin = content.push_image("library/twin", "1", annotations={"twin": "1"})
    page = admin.get(f"{_base(world, 'twin')}/artifacts/{twin.digest}").content.decode()
    assert "library/app" in page and "other artifact" in page
    hidden = content.push_image("secret/inner/app", "own", words="secret only")
    page = admin.get(f"{_base(world)}/artifacts/{world.image.digest}").content.decode()
    assert hidden.digest not in page and "secret/" not in page  # other projects are nobody's business here


def test_history_hides_who_from_outsiders(world: World, outsider: Client, maintainer: Client) -> None:
    assert TagEvent.objects.filter(repository__name="library/app").exists()
    url = f"{_base(world)}/-/history"
    assert "pusher" not in outsider.get(url).content.decode()
    assert "pusher" in maintainer.get(url).content.decode()
    assert ">latest<" not in maintainer.get(url, {"tag": "1.0"}).content.decode()


LIMITS = {
    "info": 12,
    "history": 13,
    "deleted": 15,
    "trash": 15,
    "tags-delete": 12,
    "artifacts-delete": 20,
    "repositories-delete": 18,
}


def _cost(client: Client, url: str) -> int:
    cache.clear()
    config.forget()
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


def test_constant_queries(world: World, maintainer: Client) -> None:
    row = Repository.objects.get(name="library/app")
    project = f"/harbor/projects/{world.library.pk}"
    urls = {
        "info": f"{_base(world)}/-/info",
        "history": f"{_base(world)}/-/history?page_size=100",
        "deleted": f"{_base(world)}/-/deleted?page_size=100",
        "trash": f"{project}/trash?page_size=100",
        "tags-delete": f"{_base(world)}/-/tags/delete?pick_all=1",
        "artifacts-delete": f"{_base(world)}/-/artifacts/delete?pick_all=1",
        "repositories-delete": f"{project}/repositories/-/delete?pick={row.pk}",
    }
    gone = content.push_image("library/app", "gone", words="gone")
    maintainer.post(f"{_base(world)}/-/artifacts/delete", {"pick": [gone.pk]})
    maintainer.get(urls["info"])
    before = {name: _cost(maintainer, url) for name, url in urls.items()}
    for number in range(12):
        made = content.push_image("library/app", f"g{number}", words=f"g{number}")
        if number % 2:
            maintainer.post(f"{_base(world)}/-/artifacts/delete", {"pick": [made.pk]})
    after = {name: _cost(maintainer, url) for name, url in urls.items()}
    assert after == before
    assert all(after[name] <= limit for name, limit in LIMITS.items()), after

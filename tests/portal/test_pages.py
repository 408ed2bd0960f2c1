"""Every page as it is served: what it shows, to whom, and how it answers what it does not like."""

import re

import pytest
from django.test import Client

from projects.models import Artifact, Project, Repository, Tag
from tests.portal import content
from tests.portal.conftest import World


def _pages(world: World) -> list[str]:
    base = f"/harbor/projects/{world.library.pk}"
    return [
        "/harbor/projects",
        f"{base}/repositories",
        f"{base}/repositories/app",
        f"{base}/repositories/app?view=artifacts",
        f"{base}/repositories/app/artifacts/{world.image.digest}",
        f"{base}/repositories/multi/arch",
        f"{base}/repositories/multi/arch/artifacts/{world.index.digest}",
        f"{base}/repositories/app/artifacts/{world.signature.digest}",
        f"{base}/repositories/charts/app/artifacts/{world.chart.digest}",
        f"/harbor/projects/{world.empty.pk}/repositories",
        "/harbor/projects?q=nothing-like-it",
        f"{base}/repositories?q=nothing-like-it",
        f"{base}/repositories/app?q=nothing-like-it",
    ]


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_page_renders_whole_and_as_htmx_part(world: World, admin: Client, language: str) -> None:
    admin.cookies["harbor_lang"] = language
    for url in _pages(world):
        page = admin.get(url)
        text = page.content.decode()
        assert page.status_code == 200, url
        assert text.count("<main") == 1 and text.rstrip().endswith("</html>"), url
        assert f'<html lang="{language}"' in text
        assert ">None<" not in text and "{{" not in text and "{%" not in text, url
        part = admin.get(url, headers={"HX-Request": "true"})
        assert part.status_code == 200
        if "/artifacts/sha256:" not in url:
            assert part.content.lstrip().startswith(b'<section id="list"'), url
            assert b"<html" not in part.content
        assert "HX-Request" in page["Vary"] and "private" in page["Cache-Control"]


def test_history_restore_of_htmx_gets_the_whole_page(world: World, admin: Client) -> None:
    page = admin.get("/harbor/projects", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert b"<html" in page.content


def test_nothing_is_inline(world: World, admin: Client) -> None:
    for url in [*_pages(world), "/harbor/projects/none"]:
        page = admin.get(url)
        text = page.content.decode()
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", text), url
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text), url
        assert "script-src 'self'" in page["Content-Security-Policy"]


def test_home_leads_to_projects_or_sign_in(world: World, admin: Client, anonymous: Client) -> None:
    assert admin.get("/")["Location"] == "/harbor/projects"
    assert anonymous.get("/")["Location"] == "/account/sign-in"


def test_project_list_shows_what_one_may_see(
    world: World, admin: Client, developer: Client, outsider: Client, anonymous: Client
) -> None:
    def shown(client: Client, query: str = "") -> list[str]:
        page = client.get(f"/harbor/projects{query}", headers={"HX-Request": "true"}).content.decode()
        return re.findall(r'<a href="/harbor/projects/\d+/repositories">([^<]+)</a>', page)

    assert shown(admin) == ["empty", "library", "secret"]
    assert shown(developer) == ["empty", "library", "secret"]
    assert shown(outsider) == shown(anonymous) == ["library"]
    assert shown(admin, "?access=private") == ["empty", "secret"]
    assert shown(admin, "?access=public") == ["library"]
    assert shown(admin, "?q=CRE") == ["secret"]
    assert shown(admin, "?sort=-name") == ["secret", "library", "empty"]
    assert shown(admin, "?sort=-created") == ["empty", "secret", "library"]


def test_project_list_shows_figures_and_role(world: World, developer: Client) -> None:
    page = developer.get("/harbor/projects").content.decode()
    row = page[page.index(">secret</a>") :]
    assert "Developer" in row[: row.index("</tr>")]
    assert re.search(r"<b>3</b> projects", page) and re.search(r"<b>4</b> repositories", page)


def test_what_one_may_not_see_is_404_and_like_what_does_not_exist(
    world: World, outsider: Client, anonymous: Client, guest: Client
) -> None:
    private = f"/harbor/projects/{world.secret.pk}"
    digest = Artifact.objects.get(repository__name="secret/inner/app").digest
    paths = ["", "/repositories", "/repositories/inner/app", f"/repositories/inner/app/artifacts/{digest}"]
    for client in (outsider, anonymous):
        for path in paths:
            hidden, missing = client.get(private + path), client.get("/harbor/projects/999999" + path)
            assert hidden.status_code == missing.status_code == 404
            assert b"secret" not in hidden.content
            without_path = [
                re.sub(rb'(value|href)="[^"]*(projects/|projects%2F)(\d+)[^"]*"', b"", page.content)
                for page in (hidden, missing)
            ]
            assert _same(without_path[0], without_path[1])
    assert all(guest.get(private + path, follow=True).status_code == 200 for path in paths)


def _same(one: bytes, other: bytes) -> bool:
    token = rb'name="csrfmiddlewaretoken" value="[^"]+"'
    return re.sub(token, b"", one) == re.sub(token, b"", other)


def test_404_offers_sign_in_and_the_way_back(world: World, anonymous: Client, outsider: Client) -> None:
    path = f"/harbor/projects/{world.secret.pk}/repositories?sort=-name"
    page = anonymous.get(path).content.decode()
    assert f"/account/sign-in?next=%2Fharbor%2Fprojects%2F{world.secret.pk}%2Frepositories%3Fsort%3D-name" in page
    assert "/account/sign-in" not in outsider.get(path).content.decode()


def test_repositories_with_their_figures(world: World, anonymous: Client) -> None:
    page = anonymous.get(f"/harbor/projects/{world.library.pk}/repositories").content.decode()
    assert re.findall(r'<a href="/harbor/projects/\d+/repositories/([^"]+)">', page) == [
        "app",
        "charts/app",
        "multi/arch",
    ]
    assert "How to push" not in page
    part = anonymous.get(f"/harbor/projects/{world.library.pk}/repositories?q=lib").content.decode()
    assert "Nothing matches" in part  # every full name begins with library/


def test_project_is_found_by_name_too(world: World, anonymous: Client) -> None:
    answer = anonymous.get("/harbor/projects/library")
    assert answer["Location"] == f"/harbor/projects/{world.library.pk}/repositories"


def test_tags_show_command_digest_platform_and_times(world: World, anonymous: Client) -> None:
    base = f"/harbor/projects/{world.library.pk}/repositories"
    page = anonymous.get(f"{base}/app").content.decode()
    assert "docker pull localhost:8080/library/app:1.0" in page
    assert f'data-copy="{world.image.digest}"' in page
    assert "linux/amd64" in page and "never" in page
    multi = anonymous.get(f"{base}/multi/arch").content.decode()
    assert "linux/amd64, linux/arm64" in multi
    assert (
        "helm pull oci://localhost:8080/library/charts/app --version 0.1.0 --plain-http"
        in anonymous.get(f"{base}/charts/app").content.decode()
    )


def test_artifacts_hide_children_and_accessories(world: World, anonymous: Client) -> None:
    base = f"/harbor/projects/{world.library.pk}/repositories"
    page = anonymous.get(f"{base}/multi/arch?view=artifacts", headers={"HX-Request": "true"}).content.decode()
    assert re.findall(r'/artifacts/(sha256:[0-9a-f]{64})"', page) == [world.index.digest]
    app = anonymous.get(f"{base}/app?view=artifacts", headers={"HX-Request": "true"}).content.decode()
    assert world.signature.digest not in app
    assert f"docker pull localhost:8080/library/app@{world.image.digest}" in app
    assert "latest" in app


def test_artifact_overview(world: World, anonymous: Client) -> None:
    base = f"/harbor/projects/{world.library.pk}/repositories"
    page = anonymous.get(f"{base}/app/artifacts/{world.image.digest}").content.decode()
    for text in (
        "ADD one.tar /",
        "buildkit",
        "PATH=/usr/bin",
        "team=one",
        "org.opencontainers.image.title",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "signature.notation",
        world.signature.digest,
        "docker pull localhost:8080/library/app:latest",
    ):
        assert text in page, text
    index = anonymous.get(f"{base}/multi/arch/artifacts/{world.index.digest}").content.decode()
    assert "linux/arm64" in index and "Platforms" in index
    child = world.index.references.first().child
    assert world.index.digest in anonymous.get(f"{base}/multi/arch/artifacts/{child.digest}").content.decode()
    assert anonymous.get(f"{base}/app/artifacts/sha256:{'0' * 64}").status_code == 404
    assert anonymous.get(f"{base}/app/artifacts/sha256:xyz").status_code == 404


def test_artifact_page_survives_storage_that_is_away(world: World, anonymous: Client) -> None:
    from harbor_core.lib import storage
    from projects.selectors.contents import manifest_of

    config = manifest_of(world.image).config
    assert config is not None
    storage.backend().storage.delete(storage.blob_path(config.digest))
    page = anonymous.get(f"/harbor/projects/{world.library.pk}/repositories/app/artifacts/{world.image.digest}")
    assert page.status_code == 200 and "The storage does not answer" in page.content.decode()


def test_harbor_bookmarks_lead_to_the_page(world: World, anonymous: Client) -> None:
    base = f"/harbor/projects/{world.library.pk}/repositories"
    answer = anonymous.get(f"{base}/multi%252Farch/artifacts-tab")
    assert answer["Location"] == f"{base}/multi/arch?view=artifacts"
    answer = anonymous.get(f"{base}/app/artifacts-tab/artifacts/{world.image.digest}")
    assert answer["Location"] == f"{base}/app/artifacts/{world.image.digest}"


def test_a_repository_may_be_called_like_a_bookmark(world: World, anonymous: Client) -> None:
    artifact = content.push_image("library/odd/artifacts-tab", "1")
    base = f"/harbor/projects/{world.library.pk}/repositories/odd/artifacts-tab"
    assert "library/odd/artifacts-tab:1" in anonymous.get(base).content.decode()
    assert artifact.digest in anonymous.get(f"{base}/artifacts/{artifact.digest}").content.decode()


def test_empty_project_tells_how_to_push(world: World, developer: Client, guest: Client) -> None:
    path = f"/harbor/projects/{world.empty.pk}/repositories"
    page = developer.get(path).content.decode()
    assert "docker push localhost:8080/empty/REPOSITORY:TAG" in page and "docker login -u dev localhost:8080" in page
    assert "docker push" not in guest.get(path).content.decode()


@pytest.mark.parametrize(
    "query",
    ["page=0", "page=-1", "page=99999999999999999999", "page=x", "page_size=7", "page_size=1e9", "sort=password",
     "sort=--name", "q=%00", "q=%25_%5C'", "access=%00", "view=x", "q=" + "a" * 5000, "page=%D9%A1"],
)  # fmt: skip
def test_odd_queries_give_a_page(world: World, admin: Client, query: str) -> None:
    for url in _pages(world)[:4]:
        assert admin.get(f"{url.partition('?')[0]}?{query}").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/harbor/projects/%00", "/harbor/projects/" + "9" * 400, "/harbor/projects/1/repositories/%00",
     "/harbor/projects/library/repositories/..", "/harbor/projects/library/repositories/App",
     "/harbor/projects/library/repositories/app/artifacts/", "/harbor/projects/library/repositories/app/",
     "/harbor/projects/library/repositories/a%0Ab/artifacts-tab", "/nothing", "/harbor/projects/%ff"],
)  # fmt: skip
def test_odd_paths_are_404(world: World, admin: Client, path: str) -> None:
    assert admin.get(path).status_code == 404


def test_other_methods_are_405(world: World, admin: Client) -> None:
    for url in _pages(world)[:5]:
        answer = admin.post(url)
        assert answer.status_code == 405 and answer["Allow"] == "GET, HEAD"
    assert admin.get("/account/sign-out").status_code == 405


def test_paging_covers_everything_once(world: World, anonymous: Client) -> None:
    repository = Repository.objects.get(name="library/app")
    Tag.objects.bulk_create(
        Tag(repository=repository, artifact=world.image, name=f"build-{number:03}") for number in range(60)
    )
    Repository.objects.filter(pk=repository.pk).update(revision=repository.revision + 1)
    base = f"/harbor/projects/{world.library.pk}/repositories/app"
    found: list[str] = []
    url = f"{base}?sort=name&page_size=50"
    while url:
        page = anonymous.get(url, headers={"HX-Request": "true"}).content.decode()
        found += re.findall(r'role="cell" class="lead"><a href="[^"]+">([^<]+)</a>', page)
        following = re.search(r'<a href="([^"]+)"[^>]*rel="next"', page)
        url = following[1].replace("&amp;", "&") if following else ""
    assert found == sorted(found) and len(found) == len(set(found)) == 62


@pytest.mark.django_db
def test_names_and_texts_are_never_markup(world: World, admin: Client) -> None:
    evil = """<script>alert(1)</script>"'>&{{7*7}}\u202e</td>"""
    Repository.objects.filter(name="library/app").update(description=evil)
    Artifact.objects.filter(pk=world.image.pk).update(
        annotations={evil: evil}, extra_attrs={"os": evil, "architecture": evil, "author": evil}, type=evil[:64]
    )
    name = evil.replace("/", "")  # the grammar of repository names lets nothing else through
    Project.objects.filter(pk=world.library.pk).update(name=name)
    for repository in Repository.objects.filter(project=world.library):
        Repository.objects.filter(pk=repository.pk).update(name=f"{name}/{repository.name.partition('/')[2]}")
    base = f"/harbor/projects/{world.library.pk}/repositories"
    for url in ("/harbor/projects", base, f"{base}/app", f"{base}/app?view=artifacts",
                f"{base}/app/artifacts/{world.image.digest}"):  # fmt: skip
        page = admin.get(url)
        assert page.status_code == 200, url
        text = page.content.decode()
        assert "alert(1)" in text and "<script>alert" not in text and "{{7*7}}" in text, url
        assert """"'>&""" not in text, url


def test_error_pages(admin: Client, world: World, settings) -> None:
    assert "Page not found" in admin.get("/nothing").content.decode()
    assert admin.get("/api/nothing").headers["Content-Type"].startswith("application/json")
    from django.test import RequestFactory

    from portal.views.errors import server_error

    page = server_error(RequestFactory().get("/harbor/projects"))
    assert page.status_code == 500 and b"Something went wrong" in page.content
    assert server_error(RequestFactory().get("/api/v2.0/users")).headers["Content-Type"].startswith("application/json")

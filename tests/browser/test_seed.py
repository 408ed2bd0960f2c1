"""The first hour with a registry: what its administrator and the first developer do, in the browser and with docker."""

import os
import re
import shlex
import uuid

from playwright.sync_api import Browser, Page, expect

from tests.browser import sample
from tests.browser.chromium import context
from tests.e2e.clients import Docker
from tests.support.stack import Stack


def _sign_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()


def _copied(page: Page, button: str) -> list[list[str]]:
    """Arguments for docker of the commands that the page's button puts into the clipboard."""
    page.get_by_role("button", name=button).first.click()
    commands = [shlex.split(line) for line in page.evaluate("navigator.clipboard.readText()").splitlines()]
    assert {command[0] for command in commands} == {"docker"}
    return [command[1:] for command in commands]


def test_from_the_first_sign_in_to_a_developers_push_in_the_log(browser: Browser, site: Stack, docker: Docker) -> None:
    host, content = f"127.0.0.1:{site.port}", os.urandom(50_000)
    name, user = f"plans-{uuid.uuid4().hex[:8]}", f"eve-{uuid.uuid4().hex[:8]}"
    address = f"http://{host}"  # docker speaks plain http to it, and pages show the address they are reached under
    made = context(browser, site)
    made.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
    page = made.new_page()
    page.goto(address)
    _sign_in(page, *site.admin)
    page.get_by_role("link", name="library", exact=True).click()
    page.locator("summary", has_text="How to push").click()
    login, tag, push = _copied(page, "Copy commands")
    docker.build("first:1.0", content)
    docker(*login, "--password-stdin", stdin=site.admin[1].encode()).ok()
    for command in (tag, push):  # what is written in capitals is for the reader to fill in
        filled = (word.replace("SOURCE:TAG", "first:1.0").replace("REPOSITORY:TAG", "first:1.0") for word in command)
        docker(*filled).ok()
    docker("rmi", "--force", "first:1.0", f"{host}/library/first:1.0").ok()

    page.reload()
    page.get_by_role("link", name="first", exact=True).click()
    expect(page.get_by_role("row", name="1.0")).to_contain_text("linux/amd64")
    [pull] = _copied(page, "Copy command")
    assert pull == ["pull", f"{host}/library/first:1.0"]
    docker(*pull).ok()
    assert docker.read(f"{host}/library/first:1.0") == content

    page.get_by_role("link", name="Projects", exact=True).first.click()
    page.get_by_role("link", name="New project").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill(name)
    expect(dialog.get_by_role("radio", name=re.compile("^Private"))).to_be_checked()
    dialog.get_by_role("button", name="Create project").click()
    page.wait_for_url("**/repositories")
    project = page.url.removesuffix("/repositories")

    page.get_by_role("link", name="Users", exact=True).click()
    page.get_by_role("link", name="New user").click()
    fields = {"User name": user, "First and last name": "Eve", "Password": sample.PASSWORD}
    for label, value in (fields | {"Password again": sample.PASSWORD}).items():
        dialog.get_by_label(label, exact=True).fill(value)
    dialog.get_by_role("button", name="Create user").click()
    expect(page.get_by_role("row", name=user)).to_be_visible()

    image = f"{host}/{name}/app:1.0"
    docker("tag", f"{host}/library/first:1.0", image).ok()
    docker.login(host, (user, sample.PASSWORD)).ok()
    docker("push", image).refused("denied", "unauthorized")
    page.goto(f"{project}/members")
    page.get_by_role("link", name="Add member").click()
    dialog.get_by_label("User name").fill(user)
    dialog.get_by_role("radio", name=re.compile("^Developer")).check()
    dialog.get_by_role("button", name="Add member").click()
    expect(page.get_by_role("row", name=user)).to_contain_text("Developer")
    docker("push", image).ok()

    page.get_by_role("link", name="Logs", exact=True).last.click()
    push = page.locator("#list tbody tr", has_text=user).filter(has_text=f"{name}/app:1.0")
    expect(push).to_contain_text("Create")
    expect(push).to_contain_text("Artifact")
    expect(push).to_contain_text("Succeeded")
    made.close()

"""Pictures of every page in both themes, widths and languages: ``python -m tests.screenshots [folder]``.

Starts a private registry, fills it as a small team would, and writes PNGs to build/screenshots.
"""

import itertools
import sys
from pathlib import Path

from playwright.sync_api import Page

from tests.browser import sample
from tests.browser.chromium import NARROW, WIDE, chromium, context, sign_in
from tests.support.stack import Stack

Pages = dict[str, str]


def pages(stack: Stack) -> Pages:
    """Name of the picture -> path."""
    with stack.api() as api:
        ids = {item["name"]: item["project_id"] for item in api.get("/api/v2.0/projects").json()}
        index = api.get("/api/v2.0/projects/payments/repositories/api/artifacts/latest").json()["digest"]
        image = api.get("/api/v2.0/projects/payments/repositories/api/artifacts/2.3.0").json()["digest"]
    payments = f"/harbor/projects/{ids['payments']}/repositories"
    return {
        "projects": "/harbor/projects",
        "projects-nothing-found": "/harbor/projects?q=zzz",
        "repositories": payments,
        "repositories-empty": f"/harbor/projects/{ids['empty']}/repositories",
        "tags": f"{payments}/api",
        "artifacts": f"{payments}/api?view=artifacts",
        "artifact-image": f"{payments}/api/artifacts/{image}",
        "artifact-index": f"{payments}/api/artifacts/{index}",
        "password": "/account/password",
        "not-found": "/harbor/projects/99999",
    }


def shoot(page: Page, folder: Path, name: str, path: str) -> None:
    page.goto(path)
    page.screenshot(path=folder / f"{name}.png", full_page=True)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with Stack() as stack, chromium() as browser:
        stack.start(database="sqlite", HARBOR_ADMIN_PASSWORD="")
        sample.fill(stack)
        for theme, language, (width, size) in itertools.product(
            ("light", "dark"), ("en", "zh-hans"), (("wide", WIDE), ("narrow", NARROW))
        ):
            suffix = f"{theme}-{width}-{language}"
            made = context(browser, stack, size=size, theme=theme, language=language)
            page = made.new_page()
            shoot(page, folder, f"sign-in-{suffix}", "/account/sign-in")
            page.click("main form button")
            page.screenshot(path=folder / f"sign-in-refused-{suffix}.png", full_page=True)
            sign_in(made, *stack.admin)
            for name, path in pages(stack).items():
                shoot(page, folder, f"{name}-{suffix}", path)
            page.goto("/harbor/projects")
            page.click(".topbar .menu:last-of-type summary" if width == "wide" else ".nav-open")
            page.screenshot(path=folder / f"menu-{suffix}.png")
            made.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("build/screenshots"))

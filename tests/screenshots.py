"""Pictures of every page in both themes, widths and languages: ``python -m tests.screenshots [folder]``.

Starts a private registry, fills it as a small team would, and writes PNGs to build/screenshots.
"""

import argparse
import itertools
import re
from pathlib import Path

from playwright.sync_api import Page

from tests.browser import administration, sample
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
        "dashboard": "/harbor",
        "search": "/harbor/search?q=api",
        "profile": "/account/profile",
        "tokens": "/account/tokens",
        "token-new": "/account/tokens/new",
        "about": "/account/about",
        "components": "/harbor/components",
        "projects": "/harbor/projects",
        "projects-nothing-found": "/harbor/projects?q=zzz",
        "repositories": payments,
        "repositories-empty": f"/harbor/projects/{ids['empty']}/repositories",
        "tags": f"{payments}/api",
        "artifacts": f"{payments}/api?view=artifacts",
        "artifact-image": f"{payments}/api/artifacts/{image}",
        "artifact-index": f"{payments}/api/artifacts/{index}",
        "artifact-add-tag": f"{payments}/api/artifacts/{image}/-/tag",
        "artifact-copy": f"{payments}/api/artifacts/{image}/-/copy",
        "repository-info": f"{payments}/api/-/info?edit=1",
        "repository-history": f"{payments}/api/-/history",
        "repository-deleted": f"{payments}/api/-/deleted",
        "tags-delete": f"{payments}/api/-/tags/delete?pick_all=1",
        "trash": f"/harbor/projects/{ids['payments']}/trash",
        "trash-overview": "/harbor/trash",
        "password": "/account/password",
        "not-found": "/harbor/projects/99999",
    }


def project_pages(stack: Stack) -> Pages:
    """A project besides its repositories, and the forms there."""
    with stack.api() as api:
        found = api.get("/api/v2.0/projects/payments", headers={"X-Is-Resource-Name": "true"}).json()
    names = ("summary", "members", "labels", "robot-accounts", "immutable-tags", "webhooks", "logs", "configuration")
    forms = ("members/new", "labels/new", "robot-accounts/new", "immutable-tags/new", "webhooks/new", "delete")
    retention = ("tag-retention", *(f"tag-retention/{name}" for name in ("new-rule", "settings", "preview")))
    base = f"/harbor/projects/{found['project_id']}"
    return {"new-project": "/harbor/new-project"} | {
        f"project-{name.replace('/', '-')}": f"{base}/{name}" for name in (*names, *forms, *retention)
    }


def administration_pages(ids: dict[str, int]) -> Pages:
    """What administrators see, and the forms there. ``ids`` are those of ``administration.fill``."""
    rows = {
        "users": ("user", ("", "/password", "/administrator", "/tokens")),
        "robot-accounts": ("robot", ("", "/edit", "/secret", "/state", "/delete", "/trusts", "/trusts/new")),
        "registries": ("registry", ("", "/delete")),
        "replications": (
            "rule",
            ("", "/edit", "/preview", "/differences", "/compare", "/repair", "/run", "/state", "/delete"),
        ),
        "labels": ("label", ("", "/delete")),
        "project-quotas": ("quota", ("",)),
        "clearing-job/gc": ("run", ("",)),
    }
    lists = (
        "users",
        "groups",
        "robot-accounts",
        "registries",
        "replications",
        "labels",
        "project-quotas",
        "webhooks",
        "logs",
        "system",
    )
    forms = (
        "users/new",
        "robot-accounts/new",
        "registries/new",
        "replications/compare",
        "replications/new",
        "labels/new",
        "project-quotas/default",
        "webhooks/new",
    )
    jobs = [f"clearing-job/{job}{form}" for job in ("gc", "audit-log-purge") for form in ("", "/run", "/schedule")]
    jobs += [f"job-service-dashboard{tab}" for tab in ("", "/schedules", "/workers", "/executions")]
    jobs += [f"job-service-dashboard/executions/{ids['run']}", "clearing-job/gc/blob"]
    jobs += ["storage-audit", "storage-audit/start", "storage-audit/schedule"]
    tabs = [f"configuration{tab}" for tab in ("", "/general", "/banner", "/security")]
    single = [f"{name}/{ids[row]}{form}" for name, (row, forms_of) in rows.items() for form in forms_of]
    picked = [f"users/delete?pick={ids['user']}", "project-quotas/resync"]
    paths = (*lists, *forms, *jobs, *tabs, *single, *picked)
    named = {re.sub(r"\d+", "one", path): path for path in paths}
    return {f"admin-{re.sub('[^a-z]+', '-', name).strip('-')}": f"/harbor/{path}" for name, path in named.items()}


def every_page(stack: Stack, ids: dict[str, int]) -> Pages:
    """All of them."""
    every = pages(stack) | project_pages(stack) | administration_pages(ids)
    return every | {"api-reference": "/devcenter-api-2.0"}


def shoot(page: Page, folder: Path, name: str, path: str) -> None:
    page.goto(path, wait_until="networkidle")
    page.screenshot(path=folder / f"{name}.png", full_page=True)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with Stack() as stack, chromium() as browser:
        stack.start(database="sqlite", HARBOR_ADMIN_PASSWORD="")
        sample.fill(stack)
        shown = every_page(stack, administration.fill(stack))
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
            for name, path in shown.items():
                shoot(page, folder, f"{name}-{suffix}", path)
            page.goto("/harbor/projects")
            page.click(".topbar .menu:last-of-type summary" if width == "wide" else ".nav-open")
            page.screenshot(path=folder / f"menu-{suffix}.png")
            made.close()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", nargs="?", type=Path, default=Path("build/screenshots"))
    main(arguments.parse_args().folder)

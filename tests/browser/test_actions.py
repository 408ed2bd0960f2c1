"""What administrators and maintainers do on the pages of administration, rules and jobs, through the real stack."""

from playwright.sync_api import Page, expect

from tests.browser import sample
from tests.browser.test_projects import base_of
from tests.support.receiver import receiving
from tests.support.services import wait_until
from tests.support.stack import Stack


def test_a_limit_is_set_and_stops_a_push(page: Page, site: Stack) -> None:
    page.goto("/harbor/new-project")
    page.get_by_label("Name", exact=True).fill("small")
    page.get_by_role("button", name="Create project").click()
    page.wait_for_url("**/repositories")
    page.goto("/harbor/project-quotas?q=small")
    row = page.get_by_role("row", name="small")
    row.locator("summary").click()
    row.get_by_role("link", name="Change limit").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Storage limit").fill("")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.locator(".field-error")).to_contain_text("Enter a number.")
    dialog.get_by_label("Storage limit").fill("1")
    dialog.get_by_label("Unit").select_option("MiB")
    dialog.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("0 B of 1.00 MiB")
    with site.api() as api:
        began = api.post("/v2/small/app/blobs/uploads/")
        assert began.status_code == 202
        sent = api.patch(began.headers["Location"], content=bytes(2 << 20))
        assert sent.status_code == 403 and "Quota exceeded" in sent.text


def test_settings_are_kept_and_wrong_ones_named(page: Page, site: Stack) -> None:
    page.goto("/harbor/configuration/general")
    page.get_by_label("Session timeout (minutes)").fill("0")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".field-error")).to_be_visible()
    expect(page.get_by_label("Session timeout (minutes)")).to_have_value("0")
    page.get_by_label("Session timeout (minutes)").fill("90")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".notice-success")).to_be_visible()
    with site.api() as api:
        assert api.get("/api/v2.0/configurations").json()["session_timeout"]["value"] == 90


def test_an_announcement_is_previewed_and_shown(page: Page) -> None:
    page.goto("/harbor/configuration/banner")
    page.get_by_label("Text", exact=True).fill("Maintenance <b>tonight</b>")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("main").get_by_text("Maintenance <b>tonight</b>").first).to_be_visible()
    page.get_by_role("button", name="Save").click()
    page.goto("/harbor/projects")
    expect(page.get_by_text("Maintenance <b>tonight</b>")).to_be_visible()
    page.goto("/harbor/configuration/banner")
    page.get_by_label("Text", exact=True).fill("")
    page.get_by_role("button", name="Save").click()
    page.goto("/harbor/projects")
    expect(page.get_by_text("Maintenance")).to_have_count(0)


def test_a_retention_rule_from_its_form_to_a_dry_run(page: Page, site: Stack) -> None:
    for number in range(3):
        sample.push_image(site, "platform-tools/kept", f"1.{number}", seed=90 + number)
    page.goto(f"{base_of(site, 'platform-tools')}/tag-retention")
    page.get_by_role("link", name="New rule").click()
    page.get_by_label("Keep", exact=True).select_option("latestPushedK")
    page.get_by_label("Number").fill("")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".field-error")).to_contain_text("Enter a number.")
    page.get_by_label("Number").fill("1")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Preview").click()
    expect(page.get_by_role("main")).to_contain_text("platform-tools/kept")
    page.go_back()
    page.get_by_role("link", name="Dry run").click()
    page.get_by_role("dialog").get_by_role("button").last.click()
    page.wait_for_url("**/runs/*")
    expect(page.get_by_role("main")).to_contain_text("Success", timeout=60_000)
    with site.api() as api:
        found = api.get("/api/v2.0/projects/platform-tools/repositories/kept/artifacts").json()
    assert len(found) == 3, "a dry run deletes nothing"


def test_a_webhook_is_tried_and_its_delivery_sent_again(page: Page, site: Stack) -> None:
    with receiving() as receiver:
        page.goto(f"{base_of(site)}/webhooks/new")
        page.get_by_label("Name", exact=True).fill("deploy")
        page.get_by_role("checkbox", name="Artifact pushed").check()
        page.get_by_label("Address").fill(receiver.url("/ok"))
        page.get_by_role("button", name="Save").click()
        page.get_by_role("link", name="deploy", exact=True).click()
        page.get_by_role("link", name="Send a ping").click()
        page.get_by_role("dialog").get_by_role("button", name="Send a ping").click()
        expect(page.locator("#list tbody tr").first).to_contain_text("Success", timeout=60_000)
        page.locator("#list tbody tr").first.get_by_role("link").first.click()
        expect(page.get_by_role("main")).to_contain_text("PING")
        page.get_by_role("link", name="Redeliver").click()
        page.get_by_role("dialog").get_by_role("button", name="Redeliver").click()
        wait_until(lambda: len(receiver.seen()) == 2, 60, "the delivery to be sent again")
        first, second = receiver.seen()
        assert first["body"] == second["body"] and first["path"] == "/ok"


def test_a_queue_is_paused_and_resumed(page: Page) -> None:
    page.goto("/harbor/job-service-dashboard")
    row = page.locator("#list tbody tr", has_text="Garbage collection")
    row.get_by_role("link", name="Pause").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Pause").click()
    expect(row).to_contain_text("Paused")
    row.get_by_role("link", name="Resume").click()
    dialog.get_by_role("button", name="Resume").click()
    expect(row).to_contain_text("Open")


def test_the_log_of_the_system_is_exported(page: Page) -> None:
    page.goto("/harbor/logs")
    page.get_by_label("Type", exact=True).select_option("project")
    expect(page.locator("#list tbody tr", has_not_text="Project")).to_have_count(0)
    with page.expect_download() as started:
        page.get_by_role("link", name="Export as CSV").click()
    lines = started.value.path().read_text("utf-8-sig").splitlines()
    assert len(lines) > 3 and all(",project," in line for line in lines[1:])

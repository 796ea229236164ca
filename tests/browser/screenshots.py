"""Makes docs/screenshots/: `make run`, then `python -m tests.browser.screenshots`."""

import argparse
import json
import subprocess
from pathlib import Path

from playwright.sync_api import ViewportSize, sync_playwright

from tests.browser.mailclient import WIDE, MailClient, launch, mail_client
from tests.browser.sent import followed, loaded, message_id, sent, until_counted
from tests.browser.synced import synced
from tests.journeys.people import AddIn, sign_in_anew
from tests.journeys.test_tracking import switched_on
from tests.running import Stack
from tests.tracking import recorded_agents as agents
from tracking.classify import JUST_BEFORE

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "screenshots"
NARROW: ViewportSize = {"width": 400, "height": 860}
DASHBOARD = {
    "home": "",
    "connections": "connections/",
    "everybody": "connections/everybody/",
    "email-sync": "email-sync/",
    "policy": "policy/",
    "members": "members/",
    "withdrawn": "analytics/withdrawn/",
    "audit": "audit/",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("state", nargs="?", type=Path, default=ROOT / ".local", help="where it keeps run.json")
    state = parser.parse_args().state
    facts = json.loads((state / "run.json").read_text())
    FOLDER.mkdir(parents=True, exist_ok=True)
    stack = Stack(subprocess.Popen("true"), state, facts, 0, state)  # it runs already
    alice = switched_on(sign_in_anew(stack, "acme", "alice"))
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for scheme in ("light", "dark"):
            with mail_client(browser, facts["public_url"], scheme) as client:
                tour(client, stack, alice, scheme)
                what_came_of_it(client, stack, alice, scheme)
        browser.close()


def what_came_of_it(client: MailClient, stack: Stack, alice: AddIn, scheme: str) -> None:
    """Of a mail to three people, beside it and on the dashboard."""
    client.page.set_viewport_size(WIDE)
    client.page.goto(client.public_url)
    client.open_mail("Introduction")
    people = ("sofia.rossi@rossi-vini.example", "procurement@rossi-vini.example", "marco@rossi-vini.example")
    message = sent(stack, alice, message_id(client), *people)
    loaded(message, 0, agents.THUNDERBIRD)
    loaded(message, 1, agents.APPLE_PRIVACY)
    followed(message, 1, agents.CHROME_MAC, "HEAD")
    followed(message, 0, agents.SAFARI_IPHONE)
    until_counted(alice, message, 4)
    client.page.wait_for_timeout(JUST_BEFORE.total_seconds() * 1_000)  # else the sender may have opened it himself
    client.open_mail("Fleet tracking")
    client.open_mail("Introduction")
    client.pane.locator(".tracked summary").click()
    keep(client, f"tracking-{scheme}")
    client.page.goto(f"{client.public_url}/dashboard/analytics/")
    keep(client, f"dashboard-analytics-{scheme}")
    client.page.set_viewport_size(NARROW)
    keep(client, f"dashboard-analytics-narrow-{scheme}")


def tour(client: MailClient, stack: Stack, alice: AddIn, scheme: str) -> None:
    """Alice's way: the mail with its cards, a form, then the dashboard."""
    facts, acme = stack.facts, stack.org("acme")
    client.page.goto(facts["public_url"] + "/connect/salesforce/")
    keep(client, f"connect-{scheme}")
    client.page.goto(facts["public_url"])
    client.sign_in("alice", acme)
    client.open_mail("Fleet tracking")
    client.card("Liam O'Connor")
    keep(client, f"mailbox-{scheme}")
    client.open_mail("Question about harbour sensors")
    client.card("Abernathy, Grace (Tidewater)").get_by_role("button", name="Create Lead").click()
    client.pane.locator("form.record-form").wait_for()
    keep(client, f"create-{scheme}")
    connect_google(client, scheme)
    synced(stack, alice)
    for name, path in DASHBOARD.items():
        client.page.goto(f"{facts['public_url']}/dashboard/{path}")
        keep(client, f"dashboard-{name}-{scheme}")
    try_out(client, scheme)
    client.page.set_viewport_size(NARROW)
    for name in ("connections", "email-sync", "policy"):
        client.page.goto(f"{facts['public_url']}/dashboard/{DASHBOARD[name]}")
        keep(client, f"dashboard-{name}-narrow-{scheme}")


def try_out(client: MailClient, scheme: str) -> None:
    client.page.goto(f"{client.public_url}/dashboard/email-sync/try/")
    client.page.get_by_role("button", name="Google").click()
    client.page.locator("#found").wait_for(timeout=60_000)
    keep(client, f"dashboard-try-out-{scheme}")


def connect_google(client: MailClient, scheme: str) -> None:
    """Once: in the second round it is connected already."""
    page = client.page
    page.goto(f"{client.public_url}/connect/google/?next=/dashboard/connections/")
    keep(client, f"connect-google-{scheme}")
    if page.get_by_text("Connected:").count():
        return
    page.get_by_role("button", name="Continue to Google").click()
    page.locator("button[value='alice']").click()
    page.locator("#submit_approve_access").click()
    page.wait_for_url("**/dashboard/connections/")


def keep(client: MailClient, name: str) -> None:
    client.page.mouse.move(0, 0)
    client.pane.evaluate("scrollTo(0, 0)") if client.page.locator("#pane").count() else None
    client.page.wait_for_timeout(300)  # until fonts and frames have settled
    client.page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()

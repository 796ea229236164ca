"""A person at the demo mailbox, in a real browser: opens mail, signs in through the pop-up, uses the pane."""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Frame,
    Locator,
    Page,
    Playwright,
    ViewportSize,
    expect,
)

HERE = Path(__file__).parent
CHROMIUM = Path(shutil.which("chromium") or "/usr/bin/chromium")
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
SWITCHES = (
    "--headless=new",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
#: Milliseconds: a limit, not a promise. Other tests run beside.
PATIENCE = 15_000
WIDE: ViewportSize = {"width": 1360, "height": 860}
#: A refused form or a revoked connection is an answer, not a fault of the page.
_EXPECTED = re.compile(r"status of (400|401|403|404|409|422|503)")


def launch(playwright: Playwright) -> Browser:
    root = ("--no-sandbox",) if os.geteuid() == 0 else ()
    return playwright.chromium.launch(executable_path=str(CHROMIUM), args=[*SWITCHES, *root])


@dataclass
class MailClient:
    """One person's browser with the demo mailbox open."""

    context: BrowserContext
    page: Page
    public_url: str
    complaints: list[str] = field(default_factory=list)

    @property
    def pane(self) -> Frame:
        return next(frame for frame in self.page.frames if "/addins/outlook/taskpane/" in frame.url)

    def open_mail(self, subject: str) -> None:
        self.page.get_by_role("navigation", name="Messages").get_by_role("link").filter(has_text=subject).click()
        expect(self.page.locator("#reader h1")).to_contain_text(subject)

    def sign_in(self, who: str, org: dict[str, Any]) -> None:
        """Through the pop-up and the simulated Salesforce's own pages, as a person does."""
        with self.page.expect_popup() as opening:
            self.pane.get_by_role("button", name="Sign in with Salesforce").click()
        popup = opening.value
        watch(popup, self.complaints)
        self.choose_login(popup, org)
        log_in_at_salesforce(popup, who, org)
        expect(self.pane.locator("#bar")).to_be_visible()

    def choose_login(self, popup: Page, org: dict[str, Any]) -> None:
        popup.get_by_label("My Domain or site", exact=True).check()
        popup.get_by_label("Address of your My Domain or site").fill(org["api_url"])
        popup.get_by_role("button", name="Continue to Salesforce").click()

    def sign_out(self) -> None:
        self.pane.locator("summary[aria-label='Your account']").click()
        self.pane.get_by_role("button", name="Sign out").click()
        expect(self.pane.get_by_role("button", name="Sign in with Salesforce")).to_be_visible()
        expect(self.pane.locator("#announcer")).to_have_text("Signed out")

    def card(self, name: str) -> Locator:
        """The card headed `name`, unfolded."""
        card = self.pane.locator("li.person").filter(has=self.pane.get_by_role("heading", name=name, level=3))
        expect(card).to_have_count(1)
        if not card.locator("> details").evaluate("node => node.open"):
            card.locator("> details > summary").click()
        return card


def log_in_at_salesforce(popup: Page, who: str, org: dict[str, Any]) -> None:
    """Types user name and password into Salesforce's page, and allows access where it asks."""
    popup.wait_for_url(re.compile(re.escape(org["pages_url"])))
    with popup.expect_event("framenavigated"):
        type_name_and_password(popup, who, org)
    finish_at_salesforce(popup)


def type_name_and_password(popup: Page, who: str, org: dict[str, Any]) -> None:
    user = next(user for user in org["users"] if user["key"] == who)
    popup.locator("#username").fill(user["username"])
    popup.locator("#password").fill(user["password"])
    popup.locator("#Login").click()


def finish_at_salesforce(popup: Page) -> None:
    """Allows access where Salesforce asks for it, and waits until the pop-up has closed itself."""
    with contextlib.suppress(Error):  # it may close while we look at it
        popup.wait_for_load_state()
        if popup.locator("#oaapprove").count():
            popup.locator("#oaapprove").click()
    if not popup.is_closed():
        popup.wait_for_event("close")


@contextlib.contextmanager
def mail_client(browser: Browser, public_url: str, scheme: str = "light") -> Iterator[MailClient]:
    """Fails at its end if any page wrote an error or broke its Content-Security-Policy."""
    context = browser.new_context(viewport=WIDE, color_scheme=scheme, locale="en-GB")  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    client = MailClient(context, context.new_page(), public_url)
    watch(client.page, client.complaints)
    client.page.goto(public_url + "/")
    try:
        yield client
        assert client.complaints == []
    finally:
        context.close()


def watch(page: Page, complaints: list[str]) -> None:
    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not _EXPECTED.search(message.text):
            complaints.append(f"{message.type}: {message.text}")

    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(f"pageerror: {error}"))


def serious_faults(frame: Frame | Page) -> list[str]:
    """What axe-core calls serious or critical in this document alone."""
    frame.evaluate(AXE.read_text())
    found = frame.evaluate("axe.run(document, {iframes: false}).then(result => JSON.stringify(result.violations))")
    return [
        f"{fault['id']}: {[node['target'] for node in fault['nodes']]}"
        for fault in json.loads(found)
        if fault["impact"] in ("serious", "critical")
    ]

"""A Chromium for all browser tests; where there is none, they are skipped with a word."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.browser import mailclient


@pytest.fixture(scope="package")  # gone before other tests: while it is there, Django sees an event loop and refuses
def playwright() -> Iterator[Playwright]:
    """One for the whole folder: a second beside it would not start."""
    if not mailclient.CHROMIUM.is_file():
        pytest.skip("Chromium is not installed: make browser")
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = mailclient.launch(playwright)
    yield browser
    browser.close()


@pytest.fixture
def axe() -> None:
    """Skips where the npm packages of the browser tests are not installed."""
    if not mailclient.AXE.is_file():
        pytest.skip("axe-core is not installed: make browser")

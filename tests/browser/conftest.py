"""The whole product, started once for all browser tests, and a Chromium to look at it with."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser import mailclient
from tests.running import Stack, whole_stack


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not mailclient.CHROMIUM.is_file():
        pytest.skip("Chromium is not installed: make browser")
    with sync_playwright() as playwright:
        browser = mailclient.launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def stack(browser: Browser) -> Iterator[Stack]:
    with whole_stack() as running:
        yield running

"""What must not start: a provider that is spoken to in clear."""

from typing import Any

import pytest
from django.conf import LazySettings

from config import checks

NAMES = (*checks.PROVIDER_URLS, "GOOGLE_JWKS_URL", "SALESFORCE_ORIGINS")


def found() -> list[str]:
    return [str(message.msg) for message in checks.origins_are_https()]


def test_the_real_providers_may_be_asked() -> None:
    assert found() == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "url",
    [
        "http://accounts.example",
        "http://10.0.0.8:8201",
        "ftp://localhost",
        "https://",
        "accounts.example",
        "https://somebody@accounts.example",
    ],
)
def test_plain_http_off_this_machine_is_refused(settings: LazySettings, name: str, url: str) -> None:
    """C20: also an origin that is none."""
    setattr(settings, name, [url] if name == "SALESFORCE_ORIGINS" else url)
    assert len(found()) == 1
    assert found()[0].startswith(f"{name} holds ")


@pytest.mark.parametrize("name", checks.PROVIDER_URLS)
@pytest.mark.parametrize("url", ["https://accounts.example/path", "https://accounts.example?x=y", ""])
def test_an_origin_has_no_path(settings: LazySettings, name: str, url: str) -> None:
    setattr(settings, name, url)
    assert len(found()) == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("url", ["https://accounts.example", "http://localhost:8201", "https://127.0.0.1:8201"])
def test_https_and_this_machine_are_fine(settings: LazySettings, name: str, url: str) -> None:
    value: Any = [url] if name == "SALESFORCE_ORIGINS" else url
    setattr(settings, name, value)
    assert found() == []

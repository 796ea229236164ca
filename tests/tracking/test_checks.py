"""What of tracking's settings keeps a process from starting."""

import base64

import pytest
from pytest_django import Settings

from tracking import checks

KEY = base64.b64encode(bytes(32)).decode()


def found(settings: Settings, url: str, key: str) -> list[str]:
    settings.TRACKING_URL, settings.TRACKING_KEY = url, key
    return [str(message.id).partition(".")[2] for message in checks.tracking_is_whole()]


@pytest.mark.parametrize("url", ["https://t.example.com", "https://t.example.com:8443", "http://localhost:8001"])
@pytest.mark.parametrize("key", [KEY, f"{KEY},{base64.b64encode(b'k' * 32).decode()}", f" {KEY} , "])
def test_both_and_good(settings: Settings, url: str, key: str) -> None:
    assert found(settings, url, key) == []


def test_neither_is_no_tracking(settings: Settings) -> None:
    assert found(settings, "", "") == []


@pytest.mark.parametrize(("url", "key"), [("https://t.example.com", ""), ("", KEY)])
def test_one_without_the_other(settings: Settings, url: str, key: str) -> None:
    assert found(settings, url, key) == ["E001"]


@pytest.mark.parametrize("key", ["x", ",", " ", KEY[:-4], f"{KEY},x", base64.b64encode(bytes(16)).decode(), "\u00e9"])
def test_a_key_that_is_none(settings: Settings, key: str) -> None:
    assert found(settings, "https://t.example.com", key) == ["E002"]


@pytest.mark.parametrize(
    "url",
    ["http://t.example.com", "http://10.0.0.8", "t.example.com", "//t.example.com", "https://", "ftp://localhost",
     "https://t.example.com/t", "https://t.example.com?x=y", "https://t.example.com#x", "https://a@t.example.com"],
)  # fmt: skip
def test_an_address_that_is_in_clear_or_no_origin(settings: Settings, url: str) -> None:
    assert found(settings, url, KEY) == ["E003"]

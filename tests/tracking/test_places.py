"""Where an address is and whose network, out of files in MaxMind's format; without them, or with useless ones, it is
not known, and nothing else comes of that."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from tests.tracking import maxmind
from tracking import places

VIENNA = {"city": {"names": {"en": "Vienna", "de": "Wien"}}, "country": {"names": {"en": "Austria"}, "iso_code": "AT"}}


@pytest.fixture(autouse=True)
def opened_anew() -> Iterator[None]:
    places._reader.cache_clear()
    yield
    places._reader.cache_clear()


def geoip(settings: Settings, folder: Path, ip_version: int = 6) -> None:
    found: dict[str, dict[str, Any]] = {
        "198.51.100.0/24": VIENNA,
        "203.0.113.0/24": {"country": {"names": {"en": "Norway"}}},
    }
    if ip_version == 6:
        found |= {"2001:db8::/32": VIENNA, "2001:db9::/32": {"city": {"names": {"en": "No country's"}}}}
    settings.GEOIP_FILE = str(maxmind.write(folder / "places.mmdb", found, ip_version))


@pytest.mark.parametrize(("address", "place"), [
    ("198.51.100.7", "Vienna, Austria"), ("2001:db8::7", "Vienna, Austria"), ("203.0.113.9", "Norway"),
    ("2001:db9::1", "No country's"), ("192.0.2.1", ""), ("2001:dba::1", ""), ("", ""), ("not an address", ""),
])  # fmt: skip
def test_a_place_is_as_coarse_as_the_file(settings: Settings, tmp_path: Path, address: str, place: str) -> None:
    geoip(settings, tmp_path)
    assert places.place_of(address) == place


def test_a_file_for_the_old_addresses_knows_none_of_the_new(settings: Settings, tmp_path: Path) -> None:
    geoip(settings, tmp_path, ip_version=4)
    assert places.place_of("198.51.100.7") == "Vienna, Austria"
    assert places.place_of("2001:db8::7") == ""


def test_without_files_nothing_is_known(settings: Settings) -> None:
    settings.GEOIP_FILE = settings.ASN_FILE = ""
    assert (places.place_of("198.51.100.7"), places.hosting_of("198.51.100.7")) == ("", "")


@pytest.mark.parametrize("content", [None, b"", b"not MaxMind's", b"\xab\xcd\xefMaxMind.com"])
def test_a_useless_file_is_as_good_as_none(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes | None
) -> None:
    """Hits are judged without it; said once, and without its path."""
    path = tmp_path / "secret.mmdb"
    if content is not None:
        path.write_bytes(content)
    settings.GEOIP_FILE = str(path)
    with caplog.at_level(logging.ERROR, "sidebar.tracking"):
        assert [places.place_of("198.51.100.7") for _ in range(3)] == ["", "", ""]
    assert len(caplog.records) == 1
    assert "secret" not in caplog.text


#: As such files spell the names of networks.
@pytest.mark.parametrize(("network", "is_hosting"), [
    ("AMAZON-02", True), ("GOOGLE-CLOUD-PLATFORM", True), ("MICROSOFT-CORP-MSN-AS-BLOCK", True),
    ("DIGITALOCEAN-ASN", True), ("Hetzner Online GmbH", True), ("OVH SAS", True), ("AS-CHOOPA", True),
    ("PROOFPOINT-ASN-US-EAST", True),
    ("Orange", False), ("Bouygues Telecom SA", False), ("COMCAST-7922", False), ("Telefonica Brasil S.A", False),
    ("AKAMAI-ASN1", False),  # Apple's Private Relay, with people behind it
    ("Lawson Telephone", False),  # has "aws" in it
])  # fmt: skip
def test_which_networks_have_servers_in_them(
    settings: Settings, tmp_path: Path, network: str, is_hosting: bool
) -> None:
    found = {"198.51.100.0/24": {"autonomous_system_number": 64_500, "autonomous_system_organization": network}}
    settings.ASN_FILE = str(maxmind.write(tmp_path / "networks.mmdb", found))
    assert places.hosting_of("198.51.100.7") == (network if is_hosting else "")
    assert places.hosting_of("192.0.2.1") == ""


def test_a_long_name_does_not_burst_its_column(settings: Settings, tmp_path: Path) -> None:
    found = {"198.51.100.0/24": {"autonomous_system_organization": "Example Hosting " * 15}}
    settings.ASN_FILE = str(maxmind.write(tmp_path / "networks.mmdb", found))
    assert 20 <= len(places.hosting_of("198.51.100.7")) <= 40

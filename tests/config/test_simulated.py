"""Which simulated providers run beside the product, and whose certificates it then trusts."""

from pathlib import Path

import pytest

from config.embedded import simulated

OWN = [each.own for each in (simulated.SALESFORCE, simulated.GOOGLE, simulated.MICROSOFT)] + ["OUTBOUND_CA_BUNDLE"]


@pytest.fixture(autouse=True)
def _nothing_of_the_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OWN:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("given", "started"),
    [
        ([], ["salesforce", "google", "microsoft"]),
        (["GOOGLE_CLIENT_ID"], ["salesforce", "microsoft"]),
        (["MICROSOFT_CLIENT_ID"], ["salesforce", "google"]),
        (["SALESFORCE_CLIENT_ID"], []),
    ],
)
def test_a_real_provider_takes_the_place_of_the_simulated_one(
    monkeypatch: pytest.MonkeyPatch, given: list[str], started: list[str]
) -> None:
    for name in given:
        monkeypatch.setenv(name, "the-operators")
    assert [each.name for each in simulated.wanted()] == started


@pytest.mark.parametrize(("given", "is_trusted"), [(None, False), ("GOOGLE_CLIENT_ID", True)])
def test_public_authorities_are_trusted_where_a_real_provider_is_among_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str | None, is_trusted: bool
) -> None:
    if given:
        monkeypatch.setenv(given, "the-operators")
    (tmp_path / "simulated-ca").mkdir()
    (tmp_path / "simulated-ca" / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nours\n")
    bundle = Path(simulated.trust(tmp_path)["OUTBOUND_CA_BUNDLE"]).read_text()
    assert bundle.startswith("-----BEGIN CERTIFICATE-----\nours\n")
    assert (bundle.count("BEGIN CERTIFICATE") > 50) is is_trusted


def test_the_operators_own_bundle_takes_the_place_of_the_public_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "simulated-ca").mkdir()
    (tmp_path / "simulated-ca" / "ca.pem").write_text("ours\n")
    (tmp_path / "corporate.pem").write_text("theirs\n")
    monkeypatch.setenv("MICROSOFT_CLIENT_ID", "the-operators")
    monkeypatch.setenv("OUTBOUND_CA_BUNDLE", str(tmp_path / "corporate.pem"))
    assert Path(simulated.trust(tmp_path)["OUTBOUND_CA_BUNDLE"]).read_text() == "ours\ntheirs\n"


def test_ports_go_up_from_salesforces_and_zero_stays_zero(tmp_path: Path) -> None:
    def ports(first: int) -> list[str]:
        programs = [each.program(tmp_path, first, tmp_path) for each in simulated.wanted()]
        return [program.command[program.command.index("--ports-from") + 1] for program in programs]

    assert ports(8100) == ["8100", "8120", "8140"]
    assert ports(0) == ["0", "0", "0"]

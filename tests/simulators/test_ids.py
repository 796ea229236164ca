"""Record ids of the simulated Salesforce."""

import pytest

from simulators.salesforce.ids import full_id, make_id


@pytest.mark.parametrize(
    ("fifteen", "eighteen"),
    [
        ("001D000000IqhSL", "001D000000IqhSLIAZ"),
        ("001A0000006Vm9r", "001A0000006Vm9rIAC"),
        ("0" * 15, "0" * 15 + "AAA"),
    ],
)
def test_the_checksum_is_salesforces(fifteen: str, eighteen: str) -> None:
    assert full_id(fifteen) == eighteen
    assert full_id(eighteen) == eighteen


@pytest.mark.parametrize(
    "text", ["", "001", "001D000000IqhS", "001D000000IqhSLIAA", "001D000000Iqh L", "001D000000IqhSLIA"]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    assert full_id(text) is None


def test_ids_carry_the_prefix_and_differ() -> None:
    made = {make_id("003", "Ac", number) for number in range(1, 5000)}
    assert len(made) == 4999
    assert all(i.startswith("003Ac") and len(i) == 18 and full_id(i[:15]) == i for i in made)

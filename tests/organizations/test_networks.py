"""Networks as a value of a toggle: in one spelling, and none that is a slip."""

import pytest

from organizations.policy import Merge, Scope, Toggle, Type
from organizations.toggles import PolicyRefused

OURS = Toggle(
    key="t.networks", kind=Merge.UNION, type=Type.NETWORKS, default=[], scope=Scope.ORGANIZATION, users_can_modify=False
)


def test_each_once_in_its_usual_spelling() -> None:
    given = ["2001:DB8:0::/48", " 192.0.2.7 ", "192.0.2.0/24", "192.0.2.0/255.255.255.0", "10.0.0.0/8"]
    assert OURS.clean(given) == ["10.0.0.0/8", "192.0.2.0/24", "192.0.2.7/32", "2001:db8::/48"]


@pytest.mark.parametrize(
    "text",
    ["0.0.0.0/0", "::/0", "128.0.0.0/1", "2000::/3", "192.0.2.7/24", "fe80::1%eth0/64x", "our office", "192.0.2.0/33"],
)
def test_neither_the_whole_internet_nor_a_slip(text: str) -> None:
    """From 0.0.0.0/0 everybody's opens would be the sender's own, and nobody would ever be told of one."""
    with pytest.raises(PolicyRefused) as refused:
        OURS.clean([text])
    assert refused.value.code == "not-a-network"

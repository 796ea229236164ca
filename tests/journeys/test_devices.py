"""C3 through every process of the running product: one add-in is signed out, the others go on."""

import time

from tests.journeys.people import AddIn, sign_in_anew
from tests.running import Stack


def refused(add_in: AddIn) -> bool:
    """By every process, as far as eight connections can tell."""
    return {add_in.call("GET", "me/", fresh=True).status_code for _ in range(8)} == {401}


def test_one_device_is_signed_out_everywhere_within_five_seconds(stack: Stack) -> None:
    lost, kept = sign_in_anew(stack, "acme", "rita"), sign_in_anew(stack, "acme", "rita")
    assert {lost.call("GET", "me/", fresh=True).status_code for _ in range(8)} == {200}
    (one,) = [row["id"] for row in lost.call("GET", "me/devices/").json()["devices"] if row["is_current"]]
    assert kept.call("DELETE", f"me/devices/{one}/").status_code == 204
    deadline = time.monotonic() + 5
    while not refused(lost):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert {kept.call("GET", "me/", fresh=True).status_code for _ in range(8)} == {200}
    kept.tokens = kept.token(grant_type="refresh_token", refresh_token=kept.tokens["refresh_token"])
    assert one not in [row["id"] for row in kept.call("GET", "me/devices/").json()["devices"]]

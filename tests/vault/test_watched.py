"""What a watched client tells of its calls: one that was answered is a proof, a link that was put together is none."""

import pytest

from providers.errors import NeedsReconnect, Transient
from tests.sidebar.crm import RememberingCrm
from vault.watched import Watched


def test_only_answered_calls_prove_that_a_connection_works() -> None:
    proofs, refusals = list[str](), list[NeedsReconnect]()
    crm = RememberingCrm("alice")
    watched = Watched(crm, on_success=lambda: proofs.append("works"), on_refusal=refusals.append)
    assert watched.record_url("003000000000001AAA").endswith("/003000000000001AAA")
    assert proofs == []
    watched.search("jane")
    assert proofs == ["works"]
    for failure in (Transient("Slow."), NeedsReconnect("Gone.")):
        crm.failing = failure
        with pytest.raises(type(failure)):
            watched.search("jane")
    assert (proofs, refusals) == (["works"], [failure])

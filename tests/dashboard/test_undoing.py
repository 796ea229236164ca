"""The pages that take mail back: each asks first, says how far it is, and shows strangers nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from organizations.models import Member
from sync import corrections, tasks
from sync.models import Correction, CorrectionStep
from tests.dashboard.test_pages import page, signed_in
from tests.sync.conftest import Office, cold, office
from tests.sync.test_undoing_api import OTHER, saved

__all__ = ["cold", "office"]
pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture(autouse=True)
def nobody_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "wake", lambda *_: None)


def sent_by(member: Member, where: str, /, **body: Any) -> tuple[int, str]:
    answer = signed_in(member).post(f"/dashboard/email-sync/{where}/", body)
    return answer.status_code, answer.content.decode()


def days(**more: Any) -> dict[str, Any]:
    today = datetime.now(UTC).date()
    return {"rule": "matched", "since": str(today - timedelta(days=2)), "until": str(today + timedelta(days=1)), **more}


def test_what_is_saved_leads_to_a_page_that_asks_first(office: Office) -> None:
    row = saved(office.alice)
    member = office.alice.member
    assert f"/dashboard/email-sync/undo/{row.pk}/" in page(signed_in(member), "email-sync/")
    shown = page(signed_in(member), f"email-sync/undo/{row.pk}/")
    assert "Take this email out" in shown
    assert "whole conversation" not in shown
    saved(office.alice)
    assert "Take the whole conversation out (2)" in page(signed_in(member), f"email-sync/undo/{row.pk}/")
    assert not Correction.objects.exists()


def test_an_email_and_a_conversation(office: Office) -> None:
    first, _ = saved(office.alice), saved(office.alice)
    member, where = office.alice.member, f"undo/{first.pk}/run"
    address = f"https://acme.lightning.force.com/lightning/r/Lead/{OTHER}/view"
    assert sent_by(member, where, what="relink", people=f"see {address} ")[0] == 302
    assert Correction.objects.get().person_ids == [OTHER]
    assert sent_by(member, where, what="undo")[0] == 302
    assert sent_by(member, where, what="undo", whole="1")[0] == 302
    assert list(Correction.objects.order_by("created_at").values_list("scope", flat=True)) == ["mail", "mail", "thread"]
    status, shown = sent_by(member, where, what="relink", people="Jane")
    assert (status, "There is no contact or lead in this." in shown) == (422, True)
    told = page(signed_in(member), "email-sync/taken-back/")
    assert "A conversation, out of Salesforce" in told
    assert "0 of 1" in told


def test_how_it_went_is_told(office: Office) -> None:
    row = saved(office.alice)
    sent_by(office.alice.member, f"undo/{row.pk}/run", what="undo")
    CorrectionStep.objects.update(result="refused", error_code="FIELD_X")
    corrections.end_whole(Correction.objects.get().pk)
    told = page(signed_in(office.alice.member), "email-sync/taken-back/")
    assert "Left as they are, since Salesforce refused: 1." in told
    assert "FIELD_X" in told
    assert "Done" in told
    assert "Put back" not in told
    CorrectionStep.objects.update(result="deleted")
    assert "Put back" in page(signed_in(office.alice.member), "email-sync/taken-back/")
    begun = str(Correction.objects.get().pk)
    assert sent_by(office.bob.member, "taken-back/put-back", correction=begun)[0] == 404
    assert sent_by(office.alice.member, "taken-back/put-back", correction=begun)[0] == 302
    assert "put back since: 1." in page(signed_in(office.alice.member), "email-sync/taken-back/")


def test_a_wrong_rule_is_counted_before_it_is_taken_back(office: Office) -> None:
    for each in (office.alice, office.bob):
        saved(each)
    alice, bob = office.alice.member, office.bob.member
    status, shown = sent_by(alice, "taken-back/rule", **days())
    assert (status, "2 emails of 2 people" in shown) == (200, True)
    assert not Correction.objects.exists()
    status, shown = sent_by(alice, "taken-back/rule", **days(expected="1"))
    assert (status, "There are more of them, or fewer, by now." in shown) == (409, True)
    assert "1 email," in sent_by(bob, "taken-back/rule", **days())[1]
    assert sent_by(bob, "taken-back/rule", **days(member=str(alice.pk)))[0] == 404
    assert sent_by(alice, "taken-back/rule", **days(expected="1", member=str(bob.pk)))[0] == 302
    assert Correction.objects.get().is_for_all
    assert "Nothing of that kind is saved." in sent_by(alice, "taken-back/rule", **days(domain="x.example"))[1]
    wrong_days = ({"since": "9999-12-31"}, {"until": "9999-12-31"}, {"since": "yesterday"}, {"since": "0001-01-01"})
    for wrong in (*wrong_days, {"domain": "x\0.example"}, {"domain": "jane@x.example"}):
        assert sent_by(alice, "taken-back/rule", **days(**wrong))[0] == 422
    assert sent_by(alice, "taken-back/rule", **days(rule="draft"))[0] == 404
    assert sent_by(alice, "taken-back/rule", **days(expected="9" * 5_000))[0] == 200  # no number: counted


def test_strangers_and_colleagues_see_none_of_it(office: Office) -> None:
    row = saved(office.alice)
    for member in (office.bob.member, office.charlie.member):
        assert signed_in(member).get(f"/dashboard/email-sync/undo/{row.pk}/").status_code == 404
        assert sent_by(member, f"undo/{row.pk}/run", what="undo")[0] == 404
    sent_by(office.alice.member, f"undo/{row.pk}/run", what="undo")
    for member in (office.bob.member, office.charlie.member):
        assert "Nothing so far." in page(signed_in(member), "email-sync/taken-back/")
    assert sent_by(office.alice.member, f"undo/{uuid4()}/run", what="undo")[0] == 404
    assert "Whose" not in page(signed_in(office.bob.member), "email-sync/taken-back/")

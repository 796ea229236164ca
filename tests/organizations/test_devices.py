"""Where add-ins are signed in: what their person sees of them, and how each is ended alone (C3)."""

import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from oauth2_provider.models import AccessToken, RefreshToken

from organizations import devices, tasks
from organizations.models import AuditEntry, Device, Epoch, Member
from organizations.oauth import families
from tests.organizations import people
from tests.organizations.test_oauth_tokens import run_into, wait_until, waiting_for_locks

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
EDGE = f"{WINDOWS} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.2903.112"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"


def signed_in(member: Member, user_agent: str = EDGE) -> dict[str, Any]:
    """A whole sign-in of the add-in from that browser: the token endpoint's answer."""
    proof = people.pkce()
    code = people.code_for(people.sign_in(member), proof)
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": people.REDIRECT}
    body |= {"client_id": people.CLIENT_ID, "code_verifier": proof.verifier}
    answer: dict[str, Any] = people.post("token", body, headers={"User-Agent": user_agent}).json()
    return answer


def api_of(tokens: dict[str, Any]) -> people.Api:
    return people.Api(tokens["access_token"])


def listed(api: people.Api) -> list[dict[str, Any]]:
    answer = api.call("get", "me/devices/")
    assert answer.status_code == 200, answer.content
    return list(answer.json()["devices"])


def works(tokens: dict[str, Any]) -> bool:
    return bool(api_of(tokens).call("get", "me/").status_code == 200)


@pytest.mark.parametrize(
    ("user_agent", "system"),
    [
        (EDGE, "Windows, Edge"),
        (f"{WINDOWS} Chrome/131.0.0.0 Safari/537.36", "Windows, Chrome"),
        (f"{WINDOWS} Chrome/131.0.0.0 Safari/537.36 OPR/116.0.0.0", "Windows, Opera"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "Linux, Firefox"),
        (f"{MAC} Version/18.1 Safari/605.1.15", "macOS, Safari"),
        (MAC, "macOS"),
        (f"{IPHONE} CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1", "iPhone, Chrome"),
        ("Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/131.0 Mobile Safari/537.36", "Android, Chrome"),
        ("python-requests/2.32", ""),
        ("", ""),
        ("<script>alert(1)</script>" * 400, ""),
    ],
)
def test_a_user_agent_says_no_more_than_system_and_browser(user_agent: str, system: str) -> None:
    assert devices.system_of(user_agent) == system


@pytest.mark.django_db
def test_each_sign_in_is_one_entry_whose_own_add_in_knows_itself(alice: Member) -> None:
    """C3: the entry outlives the rotation of its tokens."""
    first, second = signed_in(alice), signed_in(alice, MAC)
    second = people.refresh(second["refresh_token"]).json()
    (newest, oldest) = listed(api_of(second))
    assert (newest["name"], newest["is_current"]) == ("Outlook task pane on macOS", True)
    assert (oldest["name"], oldest["is_current"]) == ("Outlook task pane on Windows, Edge", False)
    assert [entry["is_current"] for entry in listed(api_of(first))] == [False, True]


@pytest.mark.django_db
def test_the_tables_hold_neither_a_token_nor_a_user_agent(alice: Member) -> None:
    """C3: hashes only, and of the browser a word or two."""
    tokens = signed_in(alice)
    with connection.cursor() as cursor:
        text = ""
        for table in ("oauth2_provider_accesstoken", "oauth2_provider_refreshtoken", "organizations_device"):
            cursor.execute(f"SELECT row_to_json(t)::text FROM {table} t")  # noqa: S608  names of ours
            text += "".join(row[0] for row in cursor.fetchall())
    assert str(alice.pk) in text
    for secret in (tokens["access_token"], tokens["refresh_token"], EDGE, "131.0", "Mozilla"):
        assert secret not in text


@pytest.mark.django_db
def test_one_is_signed_out_and_the_others_go_on(alice: Member) -> None:
    """C3: every token of that sign-in is dead, in RAM too, and every other works as before."""
    lost, kept = signed_in(alice), signed_in(alice, MAC)
    (one,) = [entry["id"] for entry in listed(api_of(kept)) if not entry["is_current"]]
    assert works(lost)
    assert api_of(kept).call("delete", f"me/devices/{one}/").status_code == 204
    assert not works(lost)
    assert people.refresh(lost["refresh_token"]).status_code == 400
    assert works(people.refresh(kept["refresh_token"]).json())
    assert [entry["id"] for entry in listed(people.api(alice))] != [one]
    last = AuditEntry.objects.filter(organization_id=alice.organization_id).latest("sequence")
    assert (last.action, last.target, last.actor) == ("device.signed_out", one, f"member:{alice.pk}")
    assert Epoch.objects.filter(kind="token", key=str(alice.pk)).exists(), "so that other processes hear of it"


@pytest.mark.django_db
def test_an_add_in_signs_itself_out(alice: Member) -> None:
    tokens = signed_in(alice)
    (own,) = listed(api_of(tokens))
    assert api_of(tokens).call("delete", f"me/devices/{own['id']}/").status_code == 204
    assert not works(tokens)


@pytest.mark.django_db
def test_everywhere_ends_add_ins_and_browsers_of_that_member_alone(alice: Member, bob: Member) -> None:
    one, two, bobs = signed_in(alice), signed_in(alice, MAC), signed_in(bob)
    browser = people.sign_in(alice)
    assert people.ask(browser, people.pkce()).status_code == 302
    devices.sign_out_everywhere(alice)
    assert [works(tokens) for tokens in (one, two, bobs)] == [False, False, True]
    assert people.ask(browser, people.pkce())["Location"].startswith("/connect/"), "the browser has to sign in again"
    assert list(Device.objects.values_list("member_id", flat=True)) == [bob.pk]


@pytest.mark.django_db
@pytest.mark.parametrize("stranger", [1, 2], ids=["bob", "charlie"])
def test_nobody_sees_or_ends_another_members(stranger: int, everybody: Any) -> None:
    """Bob, her colleague, and Charlie, of another organization: her devices do not exist for them."""
    tokens = signed_in(everybody[0])
    (own,) = listed(api_of(tokens))
    other = people.api(everybody[stranger])
    assert listed(other) == []
    for device in (own["id"], uuid.uuid4()):
        answer = other.call("delete", f"me/devices/{device}/")
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    devices.sign_out_everywhere(everybody[stranger])
    assert works(tokens)


@pytest.mark.django_db
def test_whatever_else_ends_a_sign_in_takes_its_entry_along(alice: Member) -> None:
    """Signing out in the add-in, a stolen token that shows itself, and thirty days."""
    signed_out, stolen, old = (signed_in(alice) for _ in range(3))
    people.post("revoke_token", {"token": signed_out["refresh_token"], "client_id": people.CLIENT_ID})
    people.refresh(stolen["refresh_token"])
    people.refresh(stolen["refresh_token"])
    assert len(listed(api_of(old))) == 1
    Device.objects.update(signed_in_at=timezone.now() - families.LIFETIME)
    assert listed(people.api(alice)) == []
    tasks.clear_expired()
    assert not Device.objects.exists()


@pytest.mark.django_db
def test_last_use_is_written_once_an_hour(alice: Member, django_assert_num_queries: Any) -> None:
    tokens = signed_in(alice)
    family = Device.objects.get().family
    for age, moved in ((timedelta(minutes=59), False), (timedelta(minutes=61), True)):
        before = timezone.now() - age
        Device.objects.update(last_used_at=before)
        tokens = people.refresh(tokens["refresh_token"]).json()
        assert (Device.objects.get().last_used_at != before) is moved
    with django_assert_num_queries(1):
        devices.note_use(family)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("everywhere", [False, True], ids=["one", "everywhere"])
def test_a_renewal_under_way_does_not_outlive_the_end(everywhere: bool, alice: Member) -> None:
    """The new tokens are committed after the end was asked for, and before it took effect: they are dead, too."""
    tokens = signed_in(alice)
    family = Device.objects.get().family
    ended: list[Any] = []

    def end() -> Any:
        return devices.sign_out_everywhere(alice) if everywhere else devices.sign_out(alice, family)

    with transaction.atomic():
        renewed = people.refresh(tokens["refresh_token"]).json()
        thread = threading.Thread(target=run_into(ended, end))
        thread.start()
        wait_until(lambda: waiting_for_locks() == 1)
    thread.join(timeout=60)
    assert len(ended) == 1
    assert not works(renewed)
    assert people.refresh(renewed["refresh_token"]).status_code == 400
    assert not AccessToken.objects.exists()
    assert not RefreshToken.objects.filter(revoked=None).exists()

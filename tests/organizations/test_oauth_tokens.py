"""/o/token/, /o/revoke_token/, /o/introspect/ under theft, races and bad input."""

import base64
import hashlib
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.utils import timezone
from oauth2_provider.models import AccessToken, RefreshToken

from organizations import audit, membership
from organizations.models import AuditEntry, Epoch, Member
from organizations.oauth import families
from organizations.oauth.applications import ensure_first_party, new_resource_server
from tests.organizations import people

FORM = "application/x-www-form-urlencoded"


def error_of(response: Any, status: int = 400) -> str:
    assert response.status_code == status, response.content[:300]
    assert response["Content-Type"] == "application/json"
    return str(response.json()["error"])


def works(token: str) -> bool:
    return bool(people.Api(token).call("get", "me/").status_code == 200)


def actions(member: Member) -> list[str]:
    return list(AuditEntry.objects.filter(organization_id=member.organization_id).values_list("action", flat=True))


# --- Codes ------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_code_used_twice_revokes_what_it_gave(alice: Member) -> None:
    """BI-B10: the second use is refused and everything issued from the first is dead, also in RAM."""
    proof = people.pkce()
    code = people.code_for(people.sign_in(alice), proof)
    first = people.redeem(code, proof).json()
    renewed = people.refresh(first["refresh_token"]).json()
    assert works(renewed["access_token"])
    assert error_of(people.redeem(code, proof)) == "invalid_grant"
    assert not works(renewed["access_token"])
    assert error_of(people.refresh(renewed["refresh_token"])) == "invalid_grant"
    assert "token.code_reused" in actions(alice)
    assert error_of(people.redeem(code, proof)) == "invalid_grant"
    assert actions(alice).count("token.code_reused") == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        {"code_verifier": "x" * 43},
        {"code_verifier": "short"},
        {"code_verifier": "é" * 43},
        {"code_verifier": "x" * 1_000},
        {"redirect_uri": "https://evil.example/"},
        {"client_id": "nobody"},
        {"code": "guess"},
        {"code_verifier": None},
        {"redirect_uri": people.REDIRECT + "?"},
    ],
)
def test_a_code_with_anything_wrong_gives_nothing(change: dict[str, Any], alice: Member) -> None:
    """BI-B9."""
    proof = people.pkce()
    response = people.redeem(people.code_for(people.sign_in(alice), proof), proof, **change)
    assert response.status_code in (400, 401)
    assert error_of(response, response.status_code) in ("invalid_grant", "invalid_request", "invalid_client")
    assert not AccessToken.objects.exists()


@pytest.mark.django_db
def test_a_short_verifier_is_refused_even_with_its_own_challenge(alice: Member) -> None:
    """RFC 7636 4.1: at least 43 characters."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"abc").digest()).decode().rstrip("=")
    proof = people.Pkce("abc", challenge)
    assert error_of(people.redeem(people.code_for(people.sign_in(alice), proof), proof)) == "invalid_grant"


@pytest.mark.django_db
def test_an_expired_code(alice: Member) -> None:
    proof = people.pkce()
    code = people.code_for(people.sign_in(alice), proof)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE oauth2_provider_grant SET expires = now() - interval '1 second'")
    assert error_of(people.redeem(code, proof)) == "invalid_grant"


def run_into(results: list[Any], work: Callable[[], Any]) -> Callable[[], None]:
    def run() -> None:
        try:
            results.append(work())
        finally:
            connections.close_all()

    return run


def waiting_for_locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        return int(cursor.fetchone()[0])


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def at_once(work: Callable[[], Any], times: int) -> list[Any]:
    """Run `work` in `times` threads from one starting shot; each closes its database connections."""
    shot, results = threading.Barrier(times), list[Any]()

    def after_the_shot() -> Any:
        shot.wait()
        return work()

    threads = [threading.Thread(target=run_into(results, after_the_shot)) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(results) == times
    return results


@pytest.mark.django_db(transaction=True)
def test_two_at_once_with_one_code(alice: Member) -> None:
    """At most one gets tokens; the race shows that two hold the code, so nothing stays alive."""
    for _ in range(5):
        proof = people.pkce()
        code = people.code_for(people.sign_in(alice), proof)
        answers = at_once(lambda: people.redeem(code, proof), 4)  # noqa: B023  ended within the iteration
        assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    assert not RefreshToken.objects.filter(revoked=None).exists()
    assert audit.verify(alice.organization_id) is None


# --- Refresh tokens ---------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_refresh_token_used_twice_kills_the_family(alice: Member, caplog: pytest.LogCaptureFixture) -> None:
    """BI-B11: refused, the family is dead, the RAM caches are told, and it is recorded and logged."""
    first = people.tokens_for(alice)
    second = people.refresh(first["refresh_token"]).json()
    third = people.refresh(second["refresh_token"]).json()
    assert works(third["access_token"])
    before = Epoch.objects.filter(kind="token", key=str(alice.pk)).count()
    assert error_of(people.refresh(first["refresh_token"])) == "invalid_grant"
    assert not works(third["access_token"])
    assert error_of(people.refresh(third["refresh_token"])) == "invalid_grant"
    assert before == 0
    assert Epoch.objects.filter(kind="token", key=str(alice.pk)).count() == 1
    assert actions(alice).count("token.reused") == 1
    assert "used twice" in caplog.text
    assert not any(token in caplog.text for token in (first["refresh_token"], third["access_token"]))


@pytest.mark.django_db
def test_a_family_dies_alone(alice: Member) -> None:
    other = people.tokens_for(alice)
    first = people.tokens_for(alice)
    people.refresh(first["refresh_token"])
    people.refresh(first["refresh_token"])
    assert works(other["access_token"])


@pytest.mark.django_db(transaction=True)
def test_two_refreshes_at_once_have_one_winner(alice: Member) -> None:
    """The toolkit alone answers 200 with empty tokens to the losers. Here they are refused, and since all had
    begun before any ended, that is no theft: the winner's tokens keep working."""
    token = people.tokens_for(alice)["refresh_token"]
    answers: list[Any] = []
    with transaction.atomic():
        RefreshToken.objects.select_for_update().get(revoked=None)
        threads = [threading.Thread(target=run_into(answers, lambda: people.refresh(token))) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: waiting_for_locks() == 4)
    for thread in threads:
        thread.join(timeout=60)
    won = [answer.json() for answer in answers if answer.status_code == 200]
    lost = [answer.json()["error"] for answer in answers if answer.status_code != 200]
    assert (len(won), lost) == (1, ["invalid_grant"] * 3)
    assert works(won[0]["access_token"])
    assert people.refresh(won[0]["refresh_token"]).status_code == 200
    assert "token.reused" not in actions(alice)


@pytest.mark.django_db(transaction=True)
def test_a_crowd_with_one_refresh_token_never_wins_twice(alice: Member) -> None:
    for _ in range(5):
        token = people.tokens_for(alice)["refresh_token"]
        answers = at_once(lambda: people.refresh(token), 6)  # noqa: B023  ended within the iteration
        assert sorted(answer.status_code for answer in answers) == [200] + [400] * 5


@pytest.mark.django_db
def test_a_family_ends_after_thirty_days_however_often_it_was_refreshed(alice: Member) -> None:
    token = people.tokens_for(alice)["refresh_token"]
    token = people.refresh(token).json()["refresh_token"]
    oldest = RefreshToken.objects.order_by("created").first()
    assert oldest is not None
    RefreshToken.objects.filter(pk=oldest.pk).update(created=timezone.now() - families.LIFETIME + timedelta(minutes=1))
    token = people.refresh(token).json()["refresh_token"]
    RefreshToken.objects.filter(pk=oldest.pk).update(created=timezone.now() - families.LIFETIME)
    assert error_of(people.refresh(token)) == "invalid_grant"


@pytest.mark.django_db
def test_a_deactivated_member_gets_nothing(alice: Member, bob: Member) -> None:
    browser, proof = people.sign_in(bob), people.pkce()
    held, code = people.tokens_for(bob), people.code_for(browser, proof)
    membership.change_active(alice, bob, False)
    assert not works(held["access_token"])
    assert error_of(people.refresh(held["refresh_token"])) == "invalid_grant"
    assert error_of(people.redeem(code, proof)) == "invalid_grant"
    assert people.ask(browser, proof)["Location"].startswith("/connect/")
    membership.change_active(alice, bob, True)
    assert error_of(people.refresh(held["refresh_token"])) == "invalid_grant"


@pytest.mark.django_db
@pytest.mark.parametrize("scope", ["admin", "__all__", "sidebar sidebar", "sidebar x", "s" * 10_000])
def test_a_refresh_cannot_widen_its_scope(scope: str, alice: Member) -> None:
    token = people.tokens_for(alice)["refresh_token"]
    assert error_of(people.refresh(token, scope=scope)) == "invalid_scope"
    assert people.refresh(token, scope="sidebar").status_code == 200


@pytest.mark.django_db
def test_what_is_left_of_old_families_is_cleared_at_the_next_sign_in(alice: Member) -> None:
    token = people.tokens_for(alice)["refresh_token"]
    for _ in range(3):
        token = people.refresh(token).json()["refresh_token"]
    long_ago = timezone.now() - timedelta(days=60)
    RefreshToken.objects.update(created=long_ago)
    RefreshToken.objects.exclude(revoked=None).update(revoked=long_ago)
    AccessToken.objects.update(expires=long_ago)
    people.tokens_for(alice)
    assert (RefreshToken.objects.count(), AccessToken.objects.count()) == (1, 1)


# --- At rest ----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_no_token_or_code_is_in_the_database(alice: Member) -> None:
    """C3: hashes only. Every text of every row of every table is searched."""
    proof = people.pkce()
    open_code = people.code_for(people.sign_in(alice), proof)
    held = people.tokens_for(alice)
    _, client_secret = new_resource_server("checker")
    secrets = [open_code, client_secret, *(held[name].split(".")[1] for name in ("access_token", "refresh_token"))]
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')  # noqa: S608  names from the database itself
            stored = "\n".join(row[0] for row in cursor.fetchall())
            assert not [secret for secret in secrets if secret in stored], table


# --- Errors -----------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    "grant_type",
    [
        "password",
        "client_credentials",
        "implicit",
        "openid",
        "urn:ietf:params:oauth:grant-type:device_code",
        "x" * 9_999,
    ],
)
def test_other_grants_do_not_exist(grant_type: str, alice: Member) -> None:
    """C2: no password ever reaches us."""
    body = {"grant_type": grant_type, "client_id": people.CLIENT_ID, "username": "a", "password": "b"}
    assert error_of(people.post("token", body)) == "unsupported_grant_type"


BROKEN: list[tuple[bytes, str]] = [
    (b"", FORM),
    (b"\0", FORM),
    (b"%00=%00", FORM),
    (b"grant_type=refresh_token", FORM),
    (b"grant_type=authorization_code", FORM),
    (b"grant_type=authorization_code&client_id=outlook-task-pane", FORM),
    (b"grant_type=authorization_code&code=%00&client_id=outlook-task-pane", FORM),
    (b"grant_type=authorization_code&code=a&code=b&client_id=outlook-task-pane", FORM),
    (b"grant_type=refresh_token&refresh_token=%ed%a0%80&client_id=outlook-task-pane", FORM),
    (b"grant_type=refresh_token&refresh_token=x&client_id=%00", FORM),
    (b"grant_type=refresh_token&refresh_token=x&client_id=outlook-task-pane&client_secret=y", FORM),
    (b"grant_type=refresh_token&client_id=outlook-task-pane&refresh_token=" + b"x" * 100_000, FORM),
    (b"&".join(b"a%d=1" % n for n in range(5_000)), FORM),
    (b"grant_type=refresh_token&%zz=%zz&client_id=%ff", FORM),
    (b"{}", "application/json"),
    (b"<x/>", "text/xml"),
    (b"--b\r\n", "multipart/form-data; boundary=b"),
    (b"--b", "multipart/form-data"),
    (b"grant_type=refresh_token", "application/x-www-form-urlencoded; charset=nonsense"),
    (b"x", ""),
]


@pytest.mark.django_db
@pytest.mark.parametrize("endpoint", ["token", "revoke_token", "introspect"])
@pytest.mark.parametrize(("body", "kind"), BROKEN)
def test_broken_bodies_get_json_and_never_5xx(endpoint: str, body: bytes, kind: str, everybody: Any) -> None:
    """RFC 6749 5.2 for whatever comes, at all three endpoints."""
    client = people.browser()
    response = client.generic("POST", f"/o/{endpoint}/", body, kind)
    assert response.status_code in (400, 401)
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "no-store"
    assert response.json()["error"] in ("invalid_request", "invalid_client", "invalid_grant")


@pytest.mark.django_db
@pytest.mark.parametrize("endpoint", ["token", "revoke_token", "introspect"])
@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "options", "trace"])
def test_wrong_methods(endpoint: str, method: str) -> None:
    response = getattr(people.browser(), method)(f"/o/{endpoint}/")
    assert response.status_code == 405
    assert response["Allow"] == "POST"
    assert response.json()["error"] == "invalid_request"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value",
    [
        "Basic",
        "Basic !!!",
        "Basic AAAA",
        "Basic " + base64.b64encode(b"a\0b:c").decode(),
        "Basic " + "A" * 9_000,
        "Basic " + base64.b64encode(b"outlook-task-pane:x").decode(),
    ],
)
@pytest.mark.parametrize("endpoint", ["token", "revoke_token", "introspect"])
def test_broken_basic_credentials(endpoint: str, value: str, everybody: Any) -> None:
    body = {"grant_type": "refresh_token", "refresh_token": "x", "token": "x"}
    response = people.post(endpoint, body, headers={"Authorization": value})
    assert error_of(response, 401) == "invalid_client"


@pytest.mark.django_db
@pytest.mark.parametrize("endpoint", ["token", "revoke_token", "introspect"])
def test_a_database_that_is_away_is_a_503_in_json(endpoint: str, everybody: Any) -> None:
    """A client backs off and tries again; an HTML page or a stack trace would end its session."""

    def away(*_: Any) -> None:
        raise OperationalError

    body = {"grant_type": "refresh_token", "refresh_token": "x", "token": "x", "client_id": "x", "client_secret": "y"}
    with connection.execute_wrapper(away):
        response = people.post(endpoint, body)
    assert error_of(response, 503) == "temporarily_unavailable"
    assert response["Retry-After"] == "5"


@pytest.mark.django_db
def test_parameters_in_the_url_are_refused(alice: Member) -> None:
    """BI-B13: a token in a URL ends up in logs."""
    token = people.tokens_for(alice)["refresh_token"]
    response = people.browser().post(f"/o/token/?refresh_token={token}", "grant_type=refresh_token", content_type=FORM)
    assert error_of(response) == "invalid_request"


# --- Revocation and introspection -------------------------------------------------------------------


def revoke(token: str, **changes: Any) -> Any:
    return people.post("revoke_token", {"token": token, "client_id": people.CLIENT_ID} | changes)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["access_token", "refresh_token"])
@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "nonsense"])
def test_revoking_either_token_signs_out(name: str, hint: str | None, alice: Member) -> None:
    held = people.tokens_for(alice)
    assert works(held["access_token"])
    assert revoke(held[name], token_type_hint=hint).status_code == 200
    assert not works(held["access_token"])
    assert error_of(people.refresh(held["refresh_token"])) == "invalid_grant"
    assert "token.revoked" in actions(alice)
    assert "token.reused" not in actions(alice)  # a late refresh of another tab is no theft


@pytest.mark.django_db
@pytest.mark.parametrize("token", ["nonsense", "x" * 100_000, "a.b", "\ud800".encode("utf-8", "replace").decode()])
def test_revoking_an_unknown_token_is_no_error(token: str, everybody: Any) -> None:
    """BI-B18, RFC 7009 2.2."""
    assert revoke(token).status_code == 200


@pytest.mark.django_db
def test_another_add_in_cannot_revoke(alice: Member) -> None:
    held = people.tokens_for(alice)
    ensure_first_party("gmail", "Gmail", ["https://localhost/gmail/"])
    assert revoke(held["refresh_token"], client_id="gmail").status_code == 200
    assert works(held["access_token"])
    assert error_of(revoke(held["refresh_token"], client_id="nobody"), 401) == "invalid_client"


@pytest.mark.django_db
def test_introspection_is_for_resource_servers_with_a_secret(alice: Member, bob: Member) -> None:
    """BI-B18, RFC 7662."""
    held = people.tokens_for(bob)
    client_id, secret = new_resource_server("checker")
    basic = {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}
    told = people.post("introspect", {"token": held["access_token"]}, headers=basic).json()
    assert (told["active"], told["sub"], told["scope"]) == (True, str(bob.pk), "sidebar")
    in_body = {"token": held["access_token"], "client_id": client_id, "client_secret": secret}
    assert people.post("introspect", in_body).json() == told
    assert people.post("introspect", {"token": "x"}, headers=basic).json() == {"active": False}
    assert people.post("introspect", {"token": held["refresh_token"]}, headers=basic).json() == {"active": False}
    wrong = people.post("introspect", in_body | {"client_secret": "x"})
    assert error_of(wrong, 401) == "invalid_client"
    assert wrong["WWW-Authenticate"].startswith("Basic")
    assert error_of(people.post("introspect", {"token": held["access_token"]}), 401) == "invalid_client"
    membership.change_active(alice, bob, False)
    assert people.post("introspect", in_body).json() == {"active": False}


@pytest.mark.django_db
def test_a_resource_server_gets_no_tokens(alice: Member) -> None:
    client_id, secret = new_resource_server("checker")
    token = people.tokens_for(alice)["refresh_token"]
    body = {
        "client_id": client_id,
        "client_secret": secret,
        "refresh_token": token,
        "code": "x",
        "code_verifier": "x" * 43,
    }
    for grant_type in ("refresh_token", "authorization_code"):
        assert error_of(people.post("token", body | {"grant_type": grant_type})) == "unauthorized_client"
    assert people.ask(people.sign_in(alice), people.pkce(), client_id=client_id).status_code == 400

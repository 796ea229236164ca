"""What anybody on the internet may send to our webhooks (BI-C, BI-B): one poll at most, and no word of what we have."""

import base64
import hmac
import json
import time
from collections import Counter
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from joserfc import jwt
from joserfc.jwk import RSAKey
from pytest_django import Settings

from providers.errors import NotFound, Transient
from providers.google import push
from sync import mailboxes, subscriptions, sweep, tasks, webhooks
from sync.models import Stream, Subscription, SyncedMailbox
from tests.sync.conftest import Office
from vault import pushes
from vault.models import Connection

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)

GMAIL, GRAPH = "/hooks/google/gmail/", "/hooks/microsoft/graph/"
AUDIENCE, ACCOUNT = "https://us.example/hooks/google/gmail/", "push@ours.iam.gserviceaccount.com"
OURS, STRANGE = RSAKey.generate_key(2048), RSAKey.generate_key(2048)


def token(key: Any = OURS, header: dict[str, Any] | None = None, **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": "https://accounts.google.com", "aud": AUDIENCE, "email": ACCOUNT, "email_verified": True}
    claims |= {"iat": now, "exp": now + 3600, "sub": "1"} | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": "one", **(header or {})}, claims, key)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left to the thread beside (test_hints.py) is done within the request here."""

    def leave(hints: Collection[webhooks.Hint]) -> int:
        webhooks.look_up(hints)
        return 0

    monkeypatch.setattr(webhooks._hints, "leave", leave)


def later(mailbox_id: UUID) -> tuple[str, UUID]:
    """Gmail drops what it would tell within a second."""
    return "sync.tasks.poll, later", mailbox_id


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, UUID]]:
    found: list[tuple[str, UUID]] = []
    monkeypatch.setattr(tasks, "wake", lambda task, ids: found.extend((task.name.split(".")[-1], each) for each in ids))
    monkeypatch.setattr(tasks, "wake_once_more", lambda task, id_, _: found.append((f"{task.name}, later", id_)))
    return found


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Counter[str]:
    """Google's keys; how often they were fetched."""
    settings.GOOGLE_PUBSUB_AUDIENCE, settings.GOOGLE_PUBSUB_ACCOUNT = AUDIENCE, ACCOUNT
    settings.GOOGLE_PUBSUB_TOPIC = "projects/ours/topics/gmail"
    settings.PUBLIC_URL = "https://us.example"
    pushes.forget()
    calls: Counter[str] = Counter()

    def fetch() -> push.KeySetById:
        calls["fetch"] += 1
        return push.keys_of({"keys": [{**OURS.as_dict(private=False), "kid": "one"}, {"kty": "EC", "kid": "two"}]})

    monkeypatch.setattr(pushes, "_fetched", fetch)
    return calls


@pytest.fixture
def mailbox(office: Office, fetched: Counter[str]) -> UUID:
    """Alice's, whose account is alice@acme.example at Google."""
    row = office.alice.mailbox
    Connection.objects.filter(pk=row.connection_id).update(account="Alice@acme.example")
    return row.pk


def news(address: object = "alice@acme.example", history: object = 4711) -> bytes:
    data = base64.urlsafe_b64encode(json.dumps({"emailAddress": address, "historyId": history}).encode()).decode()
    return json.dumps({"message": {"data": data, "messageId": "1"}, "subscription": "projects/x"}).encode()


def tell(body: bytes, bearer: str = "", **headers: str) -> int:
    if bearer:
        headers["Authorization"] = f"Bearer {bearer}"
    answer = Client(enforce_csrf_checks=True).post(GMAIL, body, content_type="application/json", headers=headers)
    return answer.status_code


def test_a_push_of_googles_brings_about_one_poll_however_often_it_comes(
    mailbox: UUID, woken: list[tuple[str, UUID]], fetched: Counter[str]
) -> None:
    assert {tell(news(), token()) for _ in range(50)} == {204}
    assert woken == [("poll", mailbox), later(mailbox)]
    assert fetched["fetch"] == 1


NOT_GOOGLES: dict[str, Callable[[], str]] = {
    "another audience": lambda: token(aud="https://other.example/"),
    "audiences": lambda: token(aud=[AUDIENCE]),
    "no audience": lambda: token(aud=None),
    "another service account": lambda: token(email="push@theirs.iam.gserviceaccount.com"),
    "unverified": lambda: token(email_verified=False),
    "verified in words": lambda: token(email_verified="true"),
    "expired": lambda: token(exp=int(time.time()) - 120),
    "no end": lambda: token(exp=None),
    "an end in words": lambda: token(exp=str(int(time.time()) + 60)),
    "an end that is no number": lambda: token(exp=2.0**63),
    "of the future": lambda: token(iat=int(time.time()) + 600),
    "not yet": lambda: token(nbf=int(time.time()) + 600),
    "another issuer": lambda: token(iss="https://evil.example"),
    "another key by the same name": lambda: token(STRANGE),
    "an unknown key": lambda: token(STRANGE, {"kid": "three"}),
    "a key's name that is a path": lambda: token(STRANGE, {"kid": "../../etc/passwd"}),
    "a key of its own": lambda: token(STRANGE, {"jwk": STRANGE.as_dict(private=False)}),
    "a key elsewhere": lambda: token(STRANGE, {"jku": "https://evil.example/keys"}),
    "signed with the public key": lambda: _signed_with(OURS.as_pem(private=False)),
    "unsigned": lambda: _signed_with(b""),
    "five parts": lambda: f"{token()}.a.b",
    "a megabyte": lambda: token() + "x" * 1_000_000,
    "nothing": lambda: "",
    "nonsense": lambda: "a.b.c",
}


def _signed_with(secret: bytes) -> str:
    """As a symmetric key; not at all without one."""
    header, claims = {"alg": "HS256" if secret else "none", "kid": "one"}, {"aud": AUDIENCE, "email": ACCOUNT}
    signed = b".".join(_base64(json.dumps(each).encode()) for each in (header, claims))
    mac = _base64(hmac.digest(secret, signed, "sha256")) if secret else b""
    return b".".join([signed, mac]).decode()


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def test_what_is_not_googles_is_refused(mailbox: UUID, woken: list[tuple[str, UUID]]) -> None:
    answers = {name: tell(news(), make()) for name, make in NOT_GOOGLES.items()}
    assert answers == dict.fromkeys(NOT_GOOGLES, 401)
    assert woken == []


def test_unknown_keys_have_googles_fetched_again_but_seldom(
    mailbox: UUID, fetched: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(20):
        tell(news(), token(STRANGE, {"kid": "three"}))
    assert fetched["fetch"] == 1
    monkeypatch.setattr(pushes, "_PAUSE", -1.0)
    tell(news(), token(STRANGE, {"kid": "three"}))
    assert fetched["fetch"] == 2


@pytest.fixture
def away(fetched: Counter[str], monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Google's keys cannot be had; how often somebody tried."""

    def fail() -> push.KeySetById:
        fetched["failed"] += 1
        raise Transient("away", provider="google")

    monkeypatch.setattr(pushes, "_fetched", fail)
    return fetched


def test_while_googles_keys_are_away_a_push_shall_come_again(mailbox: UUID, away: Counter[str]) -> None:
    assert {tell(news(), token()) for _ in range(5)} == {503}
    assert away["failed"] == 1  # nor does anybody else wait for them each time


def test_keys_that_were_had_serve_on_while_google_is_away(
    mailbox: UUID, fetched: Counter[str], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tell(news(), token()) == 204
    away = request.getfixturevalue("away")
    monkeypatch.setattr(pushes, "_KEPT", -1.0)
    assert {tell(news(), token()) for _ in range(5)} == {204}
    assert tell(news(), token(STRANGE, {"kid": "three"})) == 401
    assert away["failed"] == 1
    monkeypatch.setattr(pushes, "_LONGEST", -1.0)
    assert tell(news(), token()) == 503


SAYING_NOTHING = [
    b"",
    b"not json",
    b"[]",
    b"[" * 50_000,
    b'{"message": 1}',
    b'{"message": {"data": "%%%"}}',
    b'{"message": {"data": "bm90IGpzb24="}}',
    b'{"message": {"data": "W10="}}',
    news("nobody@acme.example"),
    news("alice\x00@acme.example"),
    news("\ud800@acme.example"),
    news(["alice@acme.example"]),
    news(history="abc"),
    news(history=-1),
    news(history=""),
    news("a" * 400 + "@acme.example"),
    news(history=2**70),
    news(history="٣"),
]


def test_what_says_nothing_is_acknowledged_and_changes_nothing(mailbox: UUID, woken: list[tuple[str, UUID]]) -> None:
    before = list(Stream.objects.values_list("cursor", "seq"))
    assert [tell(body, token()) for body in SAYING_NOTHING] == [204] * len(SAYING_NOTHING)
    assert (woken, list(Stream.objects.values_list("cursor", "seq"))) == ([], before)


def test_a_history_older_than_ours_moves_no_cursor(mailbox: UUID, woken: list[tuple[str, UUID]]) -> None:
    """BI-C2: whatever number a notice names, it is a hint; the cursor comes from Gmail's own pages."""
    before = list(Stream.objects.values_list("cursor", "seq"))
    assert [tell(news(history=number), token()) for number in (0, 1, 10**19)] == [204] * 3
    assert (woken, list(Stream.objects.values_list("cursor", "seq"))) == ([("poll", mailbox), later(mailbox)], before)


def test_others_than_post_and_big_bodies_are_refused(mailbox: UUID) -> None:
    client = Client()
    for path in (GMAIL, GRAPH):
        for method in ("get", "head", "put", "delete", "patch"):
            assert getattr(client, method)(path).status_code == 405
        body = b"x" * 10_000_000
        assert client.post(path, body, content_type="application/json").status_code == 413


# -- Graph ---------------------------------------------------------------------------------------------------------


def test_graphs_question_comes_back_as_plain_text() -> None:
    for question in ("abc", "<script>alert(1)</script>", "a+b c&d=\u00e9", "x" * 2_048):
        answer = Client(enforce_csrf_checks=True).post(f"{GRAPH}?{_query(question)}")
        assert (answer.status_code, answer.content.decode()) == (200, question)
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def _query(question: str) -> str:
    from urllib.parse import urlencode

    return urlencode({"validationToken": question})


def test_a_question_of_10_kb_is_refused_and_line_breaks_stay_in_the_body() -> None:
    assert Client().post(f"{GRAPH}?{_query('x' * 10_240)}").status_code == 400
    answer = Client().post(f"{GRAPH}?{_query(chr(13) + chr(10) + 'Set-Cookie: a=b')}")
    assert "Set-Cookie" not in answer.headers


def notify(*notices: object) -> int:
    body = json.dumps({"value": list(notices)}).encode()
    return Client(enforce_csrf_checks=True).post(GRAPH, body, content_type="application/json").status_code


@pytest.fixture
def subscribed(mailbox: UUID) -> dict[str, str]:
    Connection.objects.filter(pk=SyncedMailbox.objects.get(pk=mailbox).connection_id).update(provider="microsoft")
    now = timezone.now()
    Subscription.objects.create(
        mailbox_id=mailbox,
        provider_id="sub-1",
        secret_digest=subscriptions.digest_of("secret-of-it"),
        expires_at=now + timedelta(days=2),
        renew_at=now + timedelta(days=1),
    )
    return {"subscriptionId": "sub-1", "clientState": "secret-of-it", "changeType": "created"}


def test_a_notice_brings_about_one_poll(
    subscribed: dict[str, str], mailbox: UUID, woken: list[tuple[str, UUID]]
) -> None:
    assert notify(*[subscribed] * 100) == 202
    assert notify(subscribed) == 202
    assert woken == [("poll", mailbox)]


def test_notices_of_others_are_acknowledged_dropped_and_counted(
    subscribed: dict[str, str], woken: list[tuple[str, UUID]]
) -> None:
    webhooks.dropped.clear()
    wrong: list[object] = [
        {**subscribed, "clientState": "secret-of-iu"},
        {**subscribed, "clientState": ""},
        {**subscribed, "clientState": None},
        {**subscribed, "clientState": "\ud800"},
        {"subscriptionId": "sub-1"},
        {**subscribed, "subscriptionId": "sub-2"},
        {**subscribed, "subscriptionId": "x" * 100_000},
        {**subscribed, "subscriptionId": "sub-1\x00"},
        {**subscribed, "subscriptionId": "\ud800"},
        "no notice",
        {**subscribed, "clientState": "no", "lifecycleEvent": "subscriptionRemoved"},
    ]
    assert {notify(each) for each in wrong} == {202}
    assert woken == []
    assert sum(webhooks.dropped.values()) >= 8
    for body in (b"", b"[]", b'{"value": 1}', b"{" * 10_000):
        assert Client().post(GRAPH, body, content_type="application/json").status_code == 202


def test_a_thousand_forged_notices_cost_one_look(
    office: Office, subscribed: dict[str, str], mailbox: UUID, woken: list[tuple[str, UUID]]
) -> None:
    """Nor do they meet what Google tells of, whose subscriptions all bear the topic's name."""
    theirs = Subscription.objects.get(mailbox=mailbox)
    theirs.pk, theirs.mailbox_id, theirs.provider_id = None, office.bob.mailbox.pk, "projects/ours/topics/gmail"
    theirs.save(force_insert=True)
    forged = [{**subscribed, "subscriptionId": f"sub-{n}", "clientState": "no"} for n in range(998)]
    topic = {**subscribed, "subscriptionId": "projects/ours/topics/gmail"}
    with CaptureQueriesContext(connection) as asked:
        assert notify(*forged, topic, subscribed) == 202
    assert woken == [("poll", mailbox)]
    assert len(asked) <= 4


def test_content_that_nobody_asked_for_is_dropped_unread(
    subscribed: dict[str, str], woken: list[tuple[str, UUID]]
) -> None:
    """BI-C8: no subscription of ours asks for resource data, so no signature over it can be a right one."""
    webhooks.dropped.clear()
    signed = hmac.digest(b"a key of somebody's", b"an encrypted message", "sha256")
    good = {
        "data": base64.b64encode(b"an encrypted message").decode(),
        "dataKey": base64.b64encode(b"k" * 256).decode(),
        "dataSignature": base64.b64encode(signed).decode(),
        "encryptionCertificateId": "one",
        "encryptionCertificateThumbprint": "00" * 20,
    }
    forged = {**good, "dataSignature": base64.b64encode(bytes(32)).decode()}
    wrong: list[object] = [good, forged, {}, {"data": "%%%"}, "text", 0, [good], {**good, "data": "x" * 100_000}]
    body = {"value": [{**subscribed, "encryptedContent": each} for each in wrong], "validationTokens": ["a.b.c", 1]}
    answer = Client().post(GRAPH, json.dumps(body).encode(), content_type="application/json")
    assert (answer.status_code, woken) == (202, [])
    assert webhooks.dropped == {"graph: content that nobody asked for": len(wrong)}


def test_a_notice_without_content_counts_whatever_stands_beside_it(
    subscribed: dict[str, str], mailbox: UUID, woken: list[tuple[str, UUID]]
) -> None:
    plain = {**subscribed, "encryptedContent": None, "resourceData": {"id": "1", "subject": "Canary"}}
    assert notify({**subscribed, "encryptedContent": "no"}, plain) == 202
    assert woken == [("poll", mailbox)]


def test_lifecycle_notices_have_somebody_look_once(
    subscribed: dict[str, str], mailbox: UUID, woken: list[tuple[str, UUID]]
) -> None:
    for event in ("reauthorizationRequired", "subscriptionRemoved", "missed") * 5:
        assert notify({**subscribed, "lifecycleEvent": event}) == 202
    assert sorted(woken) == [("look_after_subscription", mailbox), ("poll", mailbox)]


def test_who_is_switched_off_is_not_polled(
    subscribed: dict[str, str], mailbox: UUID, woken: list[tuple[str, UUID]]
) -> None:
    SyncedMailbox.objects.update(is_on=False)
    assert notify(subscribed) == 202
    assert tell(news(), token()) == 204
    assert woken == []


# -- subscriptions -------------------------------------------------------------------------------------------------


def test_a_mailbox_is_subscribed_renewed_at_half_and_made_anew_where_it_is_gone(
    office: Office, mailbox: UUID, woken: list[tuple[str, UUID]]
) -> None:
    box = office.alice.box
    subscriptions.look_after(mailbox)
    row = Subscription.objects.get(mailbox=mailbox)
    half = row.expires_at - timedelta(hours=36)
    assert abs((row.renew_at - half).total_seconds()) < 60
    assert SyncedMailbox.objects.get(pk=mailbox).subscribe_at == row.renew_at
    subscriptions.look_after(mailbox)
    assert (box.calls["subscribe"], box.calls["renew"]) == (1, 0)
    Subscription.objects.update(renew_at=timezone.now())
    subscriptions.look_after(mailbox)
    assert (box.calls["subscribe"], box.calls["renew"]) == (1, 1)
    Subscription.objects.update(renew_at=timezone.now())
    SyncedMailbox.objects.update(poll_wanted_at=None)
    box.errors.append(NotFound("gone", provider="google"))
    tasks.look_after_subscription(str(mailbox))
    assert box.calls["subscribe"] == 2
    assert woken == [("poll", mailbox)]  # else the next notice would find that somebody wants a poll already
    assert SyncedMailbox.objects.get(pk=mailbox).poll_wanted_at is not None


def test_switched_off_it_is_ended_and_switched_on_it_is_made_again(office: Office, mailbox: UUID) -> None:
    subscriptions.look_after(mailbox)
    assert mailbox not in sweep.to_subscribe()
    connection_id = office.alice.mailbox.connection_id
    mailboxes.switch_off(connection_id)
    assert mailbox in sweep.to_subscribe()
    subscriptions.look_after(mailbox)
    assert (office.alice.box.calls["unsubscribe"], Subscription.objects.count()) == (1, 0)
    mailboxes.switch_on(connection_id)
    assert mailbox in sweep.to_subscribe()


def test_what_cannot_be_ended_is_tried_seldom_and_not_for_ever(office: Office, mailbox: UUID) -> None:
    subscriptions.look_after(mailbox)
    mailboxes.switch_off(office.alice.mailbox.connection_id)
    office.alice.box.errors.append(Transient("away", provider="google"))
    subscriptions.look_after(mailbox)
    assert Subscription.objects.count() == 1
    assert mailbox not in sweep.to_subscribe()
    Subscription.objects.update(expires_at=timezone.now())
    subscriptions.look_after(mailbox)
    assert (office.alice.box.calls["unsubscribe"], Subscription.objects.count()) == (1, 0)


def test_a_refusal_is_tried_again_later(office: Office, mailbox: UUID) -> None:
    office.alice.box.errors.append(Transient("away", provider="google"))
    subscriptions.look_after(mailbox)
    assert SyncedMailbox.objects.get(pk=mailbox).subscribe_at > timezone.now() + timedelta(minutes=50)


def test_without_a_way_to_us_nothing_is_asked_for(office: Office, mailbox: UUID, settings: Settings) -> None:
    settings.GOOGLE_PUBSUB_TOPIC, settings.PUBLIC_URL = "", "http://localhost:8000"
    subscriptions.look_after(mailbox)
    assert office.alice.box.calls["subscribe"] == 0


def test_an_organizations_subscriptions_are_ended_with_it(office: Office, mailbox: UUID) -> None:
    for each in (office.alice, office.bob, office.charlie):
        subscriptions.look_after(each.mailbox.pk)
    office.bob.box.errors.append(Transient("away", provider="google"))
    (found,) = subscriptions.withdraw(office.alice.member.organization_id, 1.0)
    assert (found.provider, found.what, found.confirmed, found.unconfirmed) == ("google", "subscriptions", 1, 1)
    assert Subscription.objects.filter(mailbox=office.charlie.mailbox).exists()

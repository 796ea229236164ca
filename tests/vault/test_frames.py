"""A failure in the middle of the vault leaves no token and no key behind: not in its frames, whoever shows them, nor on
Django's page or in a log line, with DEBUG on (I4; redaction by type)."""

import html
import io
import json
import logging
import sys
import traceback
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as configured
from django.contrib.sessions.backends.db import SessionStore
from django.template import Context, Engine, TemplateDoesNotExist
from django.test import Client, RequestFactory
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter, technical_500_response
from pytest_django import Settings

from config.logging import Line
from organizations.privacy.shapes import shapes_of
from providers.base import Secret
from providers.errors import Transient
from tests.vault import kept
from tests.vault.conftest import Connected
from tests.vault.keyrings import new_kek
from tests.vault.rotating import Rotating
from vault import answers, frames, grants, kek, keys, kms, pending, registrations, revocation, rotation, settling
from vault.models import Credential, DataKey, State
from vault.pending import Expected

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)

Failing = Callable[[], object]
#: Made anew for each test, and in no local of any frame that is shown.
HELD: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def by_the_oracle() -> None:
    """Not here: key services are away and rows are damaged at will."""


@pytest.fixture(autouse=True)
def held() -> None:
    HELD.clear()
    HELD.update({name: f"{name}-{uuid4().hex}" for name in ("verifier", "client secret", "code", "state")})


def away(*_: Any) -> Any:
    raise Transient("The key service could not be reached.")


def a_kept_answer_of_a_host_that_is_not_allowed(alice: Connected, provider: Rotating, _: Any) -> Failing:
    answer = {"access_token": "a" * 30, "refresh_token": "r" * 30, "instance_url": "https://evil.example"}
    HELD.update(late=answer["access_token"], later=answer["refresh_token"])
    attempt = kept.kept(alice, provider, json.dumps(answer)).id
    return lambda: settling.settle(attempt)


def a_grant_that_is_not_the_one_it_should_be(alice: Connected, provider: Rotating, _: Any) -> Failing:
    Credential.objects.update(grant_id=uuid4())
    return lambda: grants.load(alice.connection)


def a_grant_that_is_to_be_read(alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch) -> Failing:
    monkeypatch.setattr(grants, "_TEXTS", (*grants._TEXTS, "of another release"))
    return lambda: grants.load(alice.connection)


def a_grant_to_be_stored(alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch) -> Failing:
    monkeypatch.setattr(keys, "primary_key", away)
    return lambda: grants.store(alice.connection, alice.grant)


def a_grant_to_be_revoked(alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch) -> Failing:
    monkeypatch.setattr(keys, "primary_key", away)
    return lambda: revocation.discard(alice.connection, alice.grant)


def a_cipher_that_fails(alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch) -> Failing:
    monkeypatch.setattr("vault.cipher._associated_data", away)
    return lambda: grants.store(alice.connection, alice.grant)


def an_answer_to_be_sealed(alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch) -> Failing:
    HELD["answer"] = f"an answer {uuid4().hex}"
    seal = answers.sealer(alice.connection, kept.an_attempt(alice))
    monkeypatch.setattr("vault.cipher._associated_data", away)
    return lambda: seal(HELD["answer"].encode())


def a_sign_in_begun(alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch) -> Failing:
    monkeypatch.setattr(keys, "primary_key", away)
    begun = (SessionStore(), Secret("state"), Secret(str(HELD["verifier"])), Expected("l", "i", "c", "r", "/"))
    return lambda: pending.remember(*begun)


def a_sign_in_resumed(alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch) -> Failing:
    session = SessionStore()
    pending.remember(session, Secret("state"), Secret(str(HELD["verifier"])), Expected("l", "i", "c", "r", "/"))
    monkeypatch.setattr(Expected, "__init__", away)
    return lambda: pending.look(session, "state")


def a_client_secret(alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch) -> Failing:
    monkeypatch.setattr(keys, "primary_key", away)
    secret = Secret(str(HELD["client secret"]))
    return lambda: registrations.register("https://acme.my.salesforce.com", "client", secret, None)


def a_data_key_to_be_wrapped_anew(alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch) -> Failing:
    row = DataKey.objects.using("keys").get(organization_id=alice.member.organization_id)
    aad = keys.wrapping_aad(row.id, row.organization_id)
    HELD["data key"] = kek.current().unwrap(bytes(row.wrapped), aad, row.kek_id)
    monkeypatch.setattr(kek.LocalKey, "wrap", away)
    return lambda: rotation._rewrap_batch([row.pk], "another")


def a_new_data_key(alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch) -> Failing:
    HELD["new"] = bytes(range(100, 132))
    monkeypatch.setattr("os.urandom", lambda count: bytes(range(100, 100 + count)))
    monkeypatch.setattr(kek.LocalKey, "wrap", away)
    return lambda: keys.new_row(alice.member.organization_id, kek.current().current_id())


def a_data_key_of_a_wrong_length(alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch) -> Failing:
    row = DataKey.objects.using("keys").get(organization_id=alice.member.organization_id)
    HELD["short"] = b"a data key that is too short"
    monkeypatch.setattr(kek.LocalKey, "unwrap", lambda *_: HELD["short"])
    return lambda: keys.opened(row)


def several_keks_of_which_one_is_bad(alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch) -> Failing:
    HELD["kek"], HELD["other"] = new_kek(), new_kek()[:-4]
    monkeypatch.setattr(configured, "VAULT_KEK", f"new:{HELD['kek']},bad:{HELD['other']}")
    return kek.current


def a_key_service_token_of_no_form(alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch) -> Failing:
    HELD["service"] = f"hvs.{uuid4().hex}ü"
    monkeypatch.setattr(configured, "VAULT_KEK_TOKEN", HELD["service"])
    return kms._token


PLACES = (
    a_kept_answer_of_a_host_that_is_not_allowed,
    a_grant_that_is_not_the_one_it_should_be,
    a_grant_that_is_to_be_read,
    a_grant_to_be_stored,
    a_grant_to_be_revoked,
    a_cipher_that_fails,
    an_answer_to_be_sealed,
    a_sign_in_begun,
    a_sign_in_resumed,
    a_client_secret,
    a_data_key_to_be_wrapped_anew,
    a_new_data_key,
    a_data_key_of_a_wrong_length,
    several_keks_of_which_one_is_bad,
    a_key_service_token_of_no_form,
)


def failure_of(failing: Failing) -> Exception:
    """As it comes out of our code: the frames of the test are left off."""
    try:
        failing()
    except Exception as error:  # noqa: BLE001  whatever it is, it is to hold nothing
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_globals["__name__"].startswith("tests."):
            trace = trace.tb_next
        assert trace is not None, "it did not fail in our code"
        return error.with_traceback(trace)
    raise AssertionError("it did not fail")


def shown_by_django_alone(error: Exception) -> str:
    """With the filter that comes with Django: what any other tool that shows locals would show."""
    report = ExceptionReporter(None, type(error), error, error.__traceback__)
    report.filter = SafeExceptionReporterFilter()
    frames_shown = report.get_traceback_frames()
    return html.unescape(repr([frame["vars"] for frame in frames_shown]))


def logged(error: Exception) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Line())
    record = logging.LogRecord("sidebar.vault", 40, "f", 1, "failed", None, (type(error), error, error.__traceback__))
    handler.emit(record)
    return stream.getvalue()


def found_in(text: str, alice: Connected, provider: Rotating) -> list[str]:
    grant = {"access": provider.access_token, "refresh": provider.refresh_token}
    looked_for = {**HELD, **grant}
    return [
        name
        for name, secret in looked_for.items()
        for shape in shapes_of(secret)
        if len(secret) >= 16 and shape.decode("latin-1") in text.encode().decode("latin-1")
    ]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_a_failure_leaves_nothing_in_its_frames(
    place: Callable[..., Failing],
    alice: Connected,
    provider: Rotating,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.DEBUG = True
    error = failure_of(place(alice, provider, monkeypatch))
    kind, trace = type(error), error.__traceback__
    page = technical_500_response(RequestFactory().get("/"), kind, error, trace).content.decode()
    monkeypatch.undo()
    assert kind.__name__ in page
    assert "vault/" in page, "where it happened is to be seen"
    assert found_in(shown_by_django_alone(error), alice, provider) == []
    assert found_in(html.unescape(page), alice, provider) == []
    assert "failed" in logged(error)
    assert found_in(logged(error), alice, provider) == []


def test_what_is_looked_for_would_be_found() -> None:
    """Without the mending: a frame that still holds its plaintext is shown by Django."""

    def careless(body: bytes) -> None:
        raise RuntimeError

    def shown(function: Callable[[bytes], None]) -> str:
        try:
            function(b"a-token-in-clear")
        except RuntimeError as error:
            return shown_by_django_alone(error)
        return ""

    assert "a-token-in-clear" in shown(careless)
    assert "a-token-in-clear" not in shown(frames.emptied(careless))


def test_what_it_arose_from_is_emptied_too() -> None:
    def first(body: bytes) -> None:
        raise ValueError

    @frames.emptied
    def second(body: bytes) -> None:
        try:
            first(body)
        except ValueError:
            raise RuntimeError from None

    with pytest.raises(RuntimeError) as caught:
        second(b"a-token-in-clear")
    context = caught.value.__context__
    assert context is not None
    walked = [*traceback.walk_tb(caught.tb), *traceback.walk_tb(context.__traceback__)]
    ours = [frame for frame, _ in walked if frame.f_code.co_name in ("first", "second", "guarded")]
    assert len(ours) == 4
    assert not any("a-token-in-clear" in repr(frame.f_locals) for frame in ours)


def test_the_page_of_a_failed_sign_in_shows_no_code_cookie_or_setting(
    settings: Settings, provider: Rotating, alice: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With DEBUG on, through Django's own handler: query, form, cookies, settings, the exception's own text."""
    settings.DEBUG = True

    def bug(*_: Any) -> Any:
        raise RuntimeError(f"no such thing as {HELD['verifier']}") from KeyError(HELD["client secret"])

    monkeypatch.setattr(pending, "look", bug)
    client = Client(raise_request_exception=False, headers={"host": "localhost:8000"})
    client.cookies["other"] = str(HELD["state"])
    query = {"code": HELD["code"], "state": HELD["state"]}
    answer = client.get("/connect/salesforce/callback/", query)
    page = html.unescape(answer.content.decode())
    assert answer.status_code == 500
    assert "RuntimeError" in page, "this is Django's page"
    assert found_in(page, alice, provider) == []
    for secret in (settings.VAULT_KEK, settings.SECRET_KEY, settings.AUDIT_KEY):
        assert secret.rpartition(":")[2] not in page


def test_a_failing_template_says_nothing_of_what_it_was_given(settings: Settings) -> None:
    """Django keeps the exception's text beside the template's lines, too."""
    settings.DEBUG = True

    class Given:
        def __str__(self) -> str:
            raise LookupError(str(HELD["code"]))

    engine = Engine(debug=True)
    with pytest.raises(LookupError) as failed:
        engine.from_string("{{ given }}").render(Context({"given": Given()}))
    assert failed.value.template_debug["message"] == HELD["code"]  # type: ignore[attr-defined]
    with pytest.raises(TemplateDoesNotExist) as missing:
        engine.get_template(f"{HELD['code']}.html")
    for caught in (failed, missing):
        page = technical_500_response(RequestFactory().get("/"), caught.type, caught.value, caught.tb).content.decode()
        assert caught.typename in page
        assert not any(str(secret) in page for secret in HELD.values())


def test_a_form_is_not_shown_either(settings: Settings) -> None:
    settings.DEBUG = True
    request = RequestFactory().post("/", {"field": HELD["code"]}, headers={"Authorization": f"Bearer {HELD['state']}"})
    request.session = SessionStore()
    try:
        raise RuntimeError
    except RuntimeError:
        page = technical_500_response(request, *sys.exc_info()).content.decode()
    assert State.HEALTHY not in page
    assert not any(str(secret) in page for secret in HELD.values())

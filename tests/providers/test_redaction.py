"""Redaction by type: nothing that holds a secret can show it, wherever a programmer or a framework puts it by mistake.

C9, docs/vault.md I4. The types: Secret, every class of ours with one inside, and those that
hold a key."""

import copy
import dataclasses
import json
import logging
import pickle
import pprint
import sys
import traceback
from base64 import b64encode
from collections.abc import Callable
from io import StringIO
from typing import Any
from uuid import uuid4

import orjson
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.serializers.json import DjangoJSONEncoder
from django.template import Context, Engine
from django.test import RequestFactory, override_settings
from django.views.debug import ExceptionReporter
from hypothesis import given
from hypothesis import strategies as st
from kombu.serialization import dumps as kombu_dumps
from kombu.utils.json import dumps as kombu_json
from rest_framework.utils.encoders import JSONEncoder as RestEncoder

from providers import http, oauth
from providers.base import Access, Account, AuthorizeRequest, Identity, Secret, TokenSet
from providers.errors import HostNotAllowed, ProviderError, Transient
from providers.registry import ADAPTERS
from tests.providers.faulty import Faulty, Handler
from vault.cipher import SealingKey
from vault.grants import Grant
from vault.kek import Keyring, LocalKey

CANARY = "canary-5e7ba2c94d"
SECRET = Secret(CANARY)
KEY = f"{CANARY}0123456789abcdef".encode()[:32]
ACCOUNT = Account(subject="1", name=CANARY, email=f"{CANARY}@x.example", tenant="t")
WHO = Identity("00D", "005", CANARY, CANARY, f"{CANARY}@x.example", CANARY, False, False)
TOKENS = TokenSet(SECRET, SECRET, ("api",), "https://a.example", f"https://x/id/{CANARY}", account=ACCOUNT)
HOLDERS: dict[str, Any] = {
    "Secret": SECRET,
    "Access": Access(SECRET, "https://a.example"),
    "TokenSet": TOKENS,
    "RawAnswer": oauth.RawAnswer(200, SECRET),
    "AuthorizeRequest": AuthorizeRequest(f"https://a.example/?state={CANARY}", SECRET, SECRET, "https://u.example/"),
    "Client": oauth.Client("id", SECRET),
    "Grant": Grant(
        SECRET, SECRET, "client", "https://l", "https://i", "https://t", "https://r", "https://a", "", CANARY
    ),
    "LocalKey": LocalKey("new", KEY),
    "Keyring": Keyring(f"new:{b64encode(KEY).decode()}"),
    "SealingKey": SealingKey(uuid4(), uuid4(), AESGCM(KEY)),
    "Bearer": http.Bearer(SECRET),
    "SecretForm": http.SecretForm({"token": SECRET}),
}
PEOPLE: dict[str, Any] = {"Account": ACCOUNT, "Identity": WHO}
every_holder = pytest.mark.parametrize("name", HOLDERS)


@pytest.mark.parametrize("name", HOLDERS | PEOPLE)
def test_it_cannot_be_printed(name: str) -> None:
    """Nor can who somebody is, which is no secret, but nothing for a log either."""
    held = (HOLDERS | PEOPLE)[name]
    shown = [str(held), repr(held), f"{held}", f"{held!r:>40}", "%s %r" % (held, held), "{} {!r}".format(held, held)]  # noqa: UP031, UP032
    shown += [pprint.pformat([held]), repr({"a": (held,)}), ascii(held), str(Exception(held)), repr(Exception(held))]
    assert all(shown)
    assert CANARY not in "".join(shown)


@every_holder
def test_it_cannot_be_logged(name: str, caplog: pytest.LogCaptureFixture) -> None:
    held, stream = HOLDERS[name], StringIO()
    log = logging.getLogger("tests.redaction")
    handler = logging.StreamHandler(stream)
    log.addHandler(handler)
    try:
        log.error("%s and %r of %s", held, held, {"a": held}, extra={"held": held})
        fail_with(held, lambda: log.error("it failed with %s", held, exc_info=sys.exc_info()))
    finally:
        log.removeHandler(handler)
    assert "it failed" in stream.getvalue()
    assert CANARY not in stream.getvalue() + caplog.text
    assert not any(CANARY in repr(record.__dict__) for record in caplog.records)


@every_holder
def test_it_cannot_become_json(name: str) -> None:
    """Nor by the encoders of Django, REST framework, orjson and the queue."""
    held = HOLDERS[name]
    encoders: list[Callable[[Any], Any]] = [
        json.dumps,
        lambda value: json.dumps(value, cls=DjangoJSONEncoder),
        lambda value: json.dumps(value, cls=RestEncoder),
        orjson.dumps,
        kombu_json,
    ]
    for encode in encoders:
        for value in (held, [held], {"a": held}):
            with pytest.raises((TypeError, orjson.JSONEncodeError)) as caught:
                encode(value)
            assert CANARY not in str(caught.value)
    assert (
        CANARY
        not in json.dumps(held, default=str)
        + orjson.dumps(held, default=str, option=orjson.OPT_PASSTHROUGH_DATACLASS).decode()
    )


@every_holder
def test_it_cannot_be_pickled_or_copied(name: str) -> None:
    held = HOLDERS[name]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match=r"pickled|pickle"):
            pickle.dumps(held, protocol)
    for copied in (copy.deepcopy, lambda value: copy.deepcopy([value])):
        with pytest.raises(TypeError, match=r"copied|pickle"):
            copied(held)


@every_holder
def test_it_cannot_be_a_task_argument(name: str) -> None:
    """Celery's message: the body raises, whatever the serializer, and `argsrepr` says nothing."""
    from celery.utils.saferepr import saferepr

    held = HOLDERS[name]
    for serializer in ("json", "pickle", "yaml"):
        with pytest.raises(Exception, match=r"(?i)serializ|pickle|copied|represent") as caught:
            kombu_dumps({"args": [held]}, serializer=serializer)
        assert CANARY not in str(caught.value)
    assert CANARY not in saferepr((held,)) + saferepr({"a": held})


@every_holder
def test_it_cannot_be_taken_apart_by_accident(name: str) -> None:
    """`asdict` and `astuple` copy deeply; there is no `__dict__` with the text in it."""
    held = HOLDERS[name]
    if dataclasses.is_dataclass(held) and not isinstance(held, type):
        for apart in (dataclasses.asdict, dataclasses.astuple):
            with pytest.raises(TypeError, match=r"copied|pickle"):
                apart(held)
        assert CANARY not in repr([getattr(held, field.name) for field in dataclasses.fields(held) if field.repr])
    assert CANARY not in repr(getattr(held, "__dict__", {}))
    for unpack in (list, bytes, dict, len, sorted):
        with pytest.raises((TypeError, ValueError)):
            unpack(held)


def test_the_bare_secret_has_one_way_out() -> None:
    assert not hasattr(SECRET, "__dict__")
    with pytest.raises(TypeError):
        vars(SECRET)
    ways: list[Callable[[Any], Any]] = [copy.copy, lambda value: value.__getstate__(), lambda value: value.__reduce__()]
    for way in ways:
        with pytest.raises(TypeError):
            way(SECRET)
    others: list[Any] = [Secret(CANARY), CANARY]
    assert SECRET not in others
    assert SECRET.reveal() == CANARY
    assert not Secret("")


@every_holder
def test_a_traceback_page_does_not_show_it(name: str) -> None:
    """Django's page of an error shows every frame's local variables; ours must be safe even where DEBUG is on."""
    held = HOLDERS[name]
    shown: list[str] = []

    def report() -> None:
        request = RequestFactory().get("/", {"q": "1"})
        request.held = held  # type: ignore[attr-defined]
        reporter = ExceptionReporter(request, *sys.exc_info())
        shown.extend((reporter.get_traceback_html(), reporter.get_traceback_text()))

    fail_with(held, report)
    text = "".join(shown)
    assert "the_local_of_this_frame" in text
    assert CANARY not in text


@every_holder
def test_a_template_does_not_show_it(name: str) -> None:
    """An admin screen is a template: variables, filters, {% debug %}, and a call of reveal() by a dotted name."""
    held = HOLDERS[name]
    inside = (
        ["x", *(f"x.{field.name}" for field in dataclasses.fields(held))] if dataclasses.is_dataclass(held) else ["x"]
    )
    plain = {"x.url", "x.identity", "x.account"}  # no secrets: what a page may show to whoever it belongs to
    names = [name for name in inside if name not in plain]
    source = "".join(
        f"{{{{ {name} }}}}{{{{ {name}.reveal }}}}{{{{ {name}|pprint }}}}{{{{ {name}|stringformat:'r' }}}}"
        f"{{{{ {name}|safe }}}}{{{{ {name}|default:'-' }}}}{{{{ {name}|urlencode }}}}{{{{ {name}|force_escape }}}}"
        for name in names
    )
    with override_settings(DEBUG=True):
        page = Engine(debug=True).from_string(source + "{% debug %}").render(Context({"x": held}))
    assert type(held).__name__ in page
    assert CANARY not in page


def fail_with(held: Any, inside: Callable[[], None]) -> None:
    """Raise with `held` in the local variables of two frames, and call `inside` while it is handled."""

    def deeper(argument: Any) -> None:
        the_local_of_this_frame = [argument, {"key": argument}]
        raise RuntimeError(f"no such thing as {the_local_of_this_frame}")

    try:
        deeper(held)
    except RuntimeError:
        inside()


# --- What our own calls leave behind when they fail --------------------------------------------------


def locals_of(error: BaseException | None) -> str:
    """Every local variable of every frame but the tests' own, of the error and of what it arose from."""
    if error is None:
        return ""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    shown = "".join(repr(frame.f_locals) for frame in frames if frame.f_globals["__name__"] != __name__)
    return f"{error!r}{shown}{locals_of(error.__context__)}{locals_of(error.__cause__)}"


def reset(handler: Handler) -> None:
    handler.connection.close()


@pytest.mark.parametrize("name", ["salesforce", "google", "microsoft"])
@pytest.mark.parametrize("endpoint", ["https://evil.example/token", "https://127.0.0.1:9/token", "{url}/token", "ü:::"])
def test_a_failed_refresh_leaves_no_token_in_its_frames(
    name: str, endpoint: str, server: Faulty, session: http.Session
) -> None:
    """urllib3's frames hold the body in clear: a host that is refused, a reset, a URL that is none."""
    server.behave = reset
    at = oauth.Server("https://l", "https://l", "", endpoint.format(url=server.url), "")
    with pytest.raises((ProviderError, Exception)) as caught:
        ADAPTERS[name].oauth.refresh(at, oauth.Client("id", SECRET), SECRET, session)
    assert "capture" not in str(caught.value)
    assert CANARY not in locals_of(caught.value)


def test_a_private_address_leaves_no_token_in_its_frames() -> None:
    """Refused deep inside urllib3, after the body has been made."""

    def private(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    session = http.Session(http.Settings(host_suffixes=(".googleapis.com",)), private)
    at = oauth.Server("https://l", "https://l", "", "https://oauth2.googleapis.com/token", "")
    with pytest.raises(HostNotAllowed) as caught:
        ADAPTERS["google"].oauth.refresh(at, oauth.Client("id", SECRET), SECRET, session)
    assert CANARY not in locals_of(caught.value)
    with pytest.raises(HostNotAllowed) as caught:
        ADAPTERS["google"].oauth.works(SECRET, "https://oauth2.googleapis.com", session)
    assert CANARY not in locals_of(caught.value)


@pytest.mark.parametrize("name", ["salesforce", "google", "microsoft"])
@given(
    status=st.sampled_from([200, 400, 401, 429, 500]),
    error=st.sampled_from(["invalid_grant", "invalid_client", "x", CANARY]),
    extra=st.sampled_from([{}, {"instance_url": f"https://{CANARY}.example"}, {"access_token": f"{CANARY}\n"}]),
)
def test_a_refused_answer_leaves_nothing_in_its_frames(
    name: str, status: int, error: str, extra: dict[str, str]
) -> None:
    """A traceback page of `parse` shows its locals: the answer must not be among them."""
    body = {"error": error, "error_description": CANARY, "claims": CANARY, "refresh_token": CANARY, **extra}
    with pytest.raises(ProviderError) as caught:
        ADAPTERS[name].oauth.parse(oauth.RawAnswer(status, Secret(json.dumps(body))), ())
    assert [frame.name for frame in traceback.extract_tb(caught.tb)][-1] == "parse"
    assert CANARY not in locals_of(caught.value)
    assert caught.value.__context__ is None


def test_a_provider_error_of_a_call_names_no_host(session: http.Session, server: Faulty) -> None:
    server.behave = reset
    with pytest.raises(Transient) as caught:
        http.ask(session, "GET", f"{server.url}/{CANARY}", auth=http.Bearer(SECRET))
    assert str(server.port) not in str(caught.value)
    assert CANARY not in str(caught.value) + str(caught.value.__context__) + str(caught.value.__cause__)

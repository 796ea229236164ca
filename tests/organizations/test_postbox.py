"""Mail of our own: plain, to one person, over a real SMTP server; what a server refuses is quoted nowhere."""

from collections.abc import Iterator

import pytest
from django.conf import LazySettings

from config import env
from organizations import doctor, postbox
from organizations.registries import Level
from tests.organizations import smtp
from tests.organizations.smtp import Outbox

JANE = "jane@customer.example"


@pytest.fixture
def outbox(settings: LazySettings) -> Iterator[Outbox]:
    with smtp.running() as found:
        at_server(settings, found.port)
        yield found


def at_server(settings: LazySettings, port: int) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"  # Django's test runner takes it away
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_FROM = "sidebar@product.example"


def test_a_mail_arrives_as_a_programs(outbox: Outbox) -> None:
    postbox.send(JANE, "Näheres", "Eine Zeile.\n.\nNoch eine.\n", "one@product.example")
    (mail,) = outbox.to(JANE)
    assert (mail["subject"], mail["from"], mail["to"]) == ("Näheres", "sidebar@product.example", JANE)
    assert mail["message-id"] == "<one@product.example>"
    assert (mail["auto-submitted"], mail["x-auto-response-suppress"]) == ("auto-generated", "All")
    assert mail.get_content().splitlines() == ["Eine Zeile.", ".", "Noch eine."]
    assert mail.get_content_type() == "text/plain"


@pytest.mark.parametrize(("answer", "is_final"), [("550 5.1.1 no such user", True), ("451 4.7.1 later", False)])
def test_a_refusal_says_for_how_long_and_quotes_nobody(outbox: Outbox, answer: str, is_final: bool) -> None:
    outbox.refused[JANE] = f"{answer} {JANE}"
    with pytest.raises(postbox.NotSent) as refused:
        postbox.send(JANE, "Subject", "Text", "one@product.example")
    assert (refused.value.is_final, refused.value.is_server) == (is_final, False)
    assert JANE not in str(refused.value)
    assert refused.value.__suppress_context__


def test_a_server_that_is_away_is_asked_again(settings: LazySettings) -> None:
    with smtp.running() as outbox:
        at_server(settings, outbox.port)
        postbox.greet()
    for ask in (postbox.greet, lambda: postbox.send(JANE, "Subject", "Text", "one@product.example")):
        with pytest.raises(postbox.NotSent) as refused:
            ask()
        assert (refused.value.is_final, refused.value.is_server) == (False, True)


def test_a_subject_is_one_line(outbox: Outbox) -> None:
    with pytest.raises(postbox.NotSent) as refused:
        postbox.send(JANE, "Subject\r\nBcc: other@customer.example", "Text", "one@product.example")
    assert refused.value.is_final
    assert outbox.mails == []


def test_the_server_is_named_by_one_address() -> None:
    found = env.mail_server("smtp://us%40er:p%2Fw@mail.example:2525", "EMAIL_URL")
    assert (found.host, found.port, found.user, found.password, found.is_tls) == (
        "mail.example",
        2525,
        "us@er",
        "p/w",
        False,
    )
    assert "p/w" not in repr(found)
    assert (env.mail_server("smtps://mail.example", "EMAIL_URL").port, env.mail_server("", "EMAIL_URL").host) == (
        465,
        "",
    )


@pytest.mark.parametrize("url", ["mail.example", "http://mail.example", "smtp://", "smtp://u:secret@mail.example:x"])
def test_an_address_that_is_none_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(env.ConfigurationError) as refused:
        env.mail_server(url, "EMAIL_URL")
    assert "secret" not in str(refused.value)
    assert "EMAIL_URL" in str(refused.value)


def test_doctor_says_whether_people_can_be_told(settings: LazySettings) -> None:
    settings.EMAIL_HOST = ""
    (none,) = doctor.mail()
    assert (none.level, "not set" in none.message) == (Level.OK, True)
    with smtp.running() as outbox:
        at_server(settings, outbox.port)
        (well,) = doctor.mail()
        assert (well.level, outbox.mails) == (Level.OK, [])
    (away,) = doctor.mail()
    assert away.level is Level.ERROR
    assert away.advice

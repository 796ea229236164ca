"""What looks too private, in several languages and spellings, and the everyday mail that must not look so."""

import time

import pytest

from sync import private
from sync.envelope import envelope_of
from sync.reasons import Rule
from tests.sync.mails import heading

SUBJECTS: list[tuple[str, Rule]] = [
    ("Your verification code", Rule.SIGN_IN_CODE),
    ("Your Verification-Code is 493 021", Rule.SIGN_IN_CODE),
    ("123456 is your Acme security code", Rule.SIGN_IN_CODE),
    ("G-493021 is your login code", Rule.SIGN_IN_CODE),
    ("Your one\u2013time passcode", Rule.SIGN_IN_CODE),
    ("\uff39\uff2f\uff35\uff32 OTP", Rule.SIGN_IN_CODE),  # letters of full width
    ("Reset your password", Rule.SIGN_IN_CODE),
    ("Ihr Bestätigungscode lautet 4711", Rule.SIGN_IN_CODE),
    ("Votre code de vérification", Rule.SIGN_IN_CODE),
    ("Tu código de verificación: 88112", Rule.SIGN_IN_CODE),
    ("Payslip November", Rule.PERSONNEL),
    ("Re: Fwd: your SALARY review 2026", Rule.PERSONNEL),
    ("Gehaltsabrechnung 11/2026", Rule.PERSONNEL),
    ("Arrêt maladie", Rule.PERSONNEL),
    ("Performance improvement plan", Rule.PERSONNEL),
    ("PRIVILEGED & CONFIDENTIAL", Rule.LEGAL),
    ("Attorney\u2013Client Privilege: settlement", Rule.LEGAL),
    ("Without prejudice", Rule.LEGAL),
]
EVERYDAY = [
    "Our offer for 2026",
    "Question about verification codes in your product documentation",
    "Bug: password field too short",
    "Kündigung unseres Vertrags",
    "Confidential: draft price list",
    "Test results of the pilot",
    "Invoice 493021",
    "The payroll module: demo on Friday?",
    "Re: review of performance figures",
    "Invitation: product demo, access code to follow",
    "Sick of slow reports? Let us talk",
    "",
]


def rule_of(subject: str, *phrases: str, may_be_sensitive: bool = False) -> Rule | None:
    envelope = envelope_of(heading(subject=subject).headers)
    stays = private.by_its_headers(envelope, phrases, may_be_sensitive=may_be_sensitive)
    return stays.rule if stays else None


@pytest.mark.parametrize(("subject", "rule"), SUBJECTS)
def test_subjects_that_look_private(subject: str, rule: Rule) -> None:
    assert rule_of(subject) is rule
    assert rule_of(subject, may_be_sensitive=True) is None


@pytest.mark.parametrize("subject", EVERYDAY)
def test_everyday_subjects(subject: str) -> None:
    assert rule_of(subject) is None


def test_an_encoded_subject_is_read() -> None:
    assert rule_of("=?utf-8?q?Ihr_Best=C3=A4tigungscode?=") is Rule.SIGN_IN_CODE
    assert rule_of("=?utf-8?B?UGF5c2xpcA==?=\r\n =?utf-8?q?_November?=") is Rule.PERSONNEL
    assert rule_of("=?no-such-charset?q?Offer?=") is None
    assert rule_of("=?utf-8?b?####?=") is None


@pytest.mark.parametrize(
    ("phrase", "subject", "stays"),
    [
        ("Project Falcon", "Re: project   FALCON, next steps", True),
        ("Project Falcon", "Projects Falconry", False),
        ("falcon", "Falcon-9", True),
        ("müller", "MÜLLER GmbH", True),
        ("straße", "STRASSE 5", True),
        ("秘密", "これは秘密です", True),
        ("!!!", "What!!!", False),  # no word at all: names nothing
        ("jane@customer.example", "Offer", True),
        ("@customer.example", "Offer", True),
        ("@example", "Offer", False),
        ("ane@customer.example", "Offer", False),
    ],
)
def test_phrases(phrase: str, subject: str, stays: bool) -> None:
    assert rule_of(subject, "nothing", phrase) is (Rule.PRIVATE_PHRASE if stays else None)
    assert rule_of(subject, phrase, may_be_sensitive=True) is (Rule.PRIVATE_PHRASE if stays else None)


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("Hello,\n\nyour verification code is:\n\n493021\n\nIt is valid for ten minutes.", True),
        ("493021 ist Ihr Bestätigungscode.", True),
        ("Mot de passe à usage unique : 4930", True),
        ("We changed how verification codes work; see page 14.", False),
        ("Your verification code is on the letter that we sent by post.", False),
        ("Order 493021 ships today. " + "Regards. " * 30 + "Never tell anybody your access code.", False),
        ("x " * 3_000 + "Your verification code is 493021", False),  # far below: a quoted mail, at most
        ("Join the meeting\nMeeting ID: 812 3456 7890\nPasscode: 493021", False),
        ("Dial in: +49 69 1234567, access code: 4930215", False),
        ("This email is privileged and confidential. If you are not the addressee ...", False),
    ],
)
def test_texts(text: str, stays: bool) -> None:
    found = private.by_its_text(text)
    assert (found.rule if found else None) is (Rule.SIGN_IN_CODE if stays else None)


def test_no_text_takes_long() -> None:
    began = time.process_time()
    for text in ("otp " * 500_000, "1" * 2_000_000, " " * 2_000_000, "\u0301" * 1_000_000, "ﷺ" * 1_000_000):
        private.by_its_text(text)
        rule_of(text[:100_000], "falcon")
    assert time.process_time() - began < 2.0

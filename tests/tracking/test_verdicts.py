"""Verdicts on what others recorded (recorded_cases.py), and that their reasons are honest."""

from datetime import timedelta

import pytest

from tests.tracking import recorded_agents as ua
from tests.tracking.recorded_cases import CASES, CLICK, HOUR, LOOKING, OPEN, Case
from tracking.classify import AT_DELIVERY, AT_ONCE, VETTED, Around, Asked, Judged, Verdict, is_from_its_person, judge
from tracking.hot.tokens import Kind
from tracking.signatures import AGENTS, Agent, agent_of, device_of

#: What only a person does may be said of a person alone.
SAYS_A_PERSON = ("showed the message", "followed the link.", "for its reader's screen")


def judged(case: Case) -> Judged:
    since_sent = None if case.after is None else timedelta(seconds=case.after)
    return judge(Asked(case.kind, case.flags, case.agent, case.address, since_sent), case.around)


def browser(kind: Kind, after: timedelta, around: Around | None = None) -> Verdict:
    return judge(Asked(kind, 0, ua.CHROME_WINDOWS, "198.51.100.7", after), around or Around()).verdict


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_was_recorded_is_judged_so(case: Case) -> None:
    found = judged(case)
    assert found.verdict == case.verdict, found.reason


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_its_reason_fits_it(case: Case) -> None:
    """A sentence that fits its column; it speaks of a person exactly where the verdict does, and names nobody."""
    found = judged(case)
    assert found.reason.endswith(".")
    assert 20 <= len(found.reason) <= 160
    assert any(words in found.reason for words in SAYS_A_PERSON) == (found.verdict is Verdict.HUMAN_LIKELY)
    assert not case.address or case.address not in found.reason


def test_the_table_is_one() -> None:
    assert len(CASES) >= 80
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(case.source for case in CASES)
    assert {case.verdict for case in CASES} == set(Verdict)


@pytest.mark.parametrize("kind", [OPEN, CLICK])
def test_how_soon_after_sending(kind: Kind) -> None:
    """Nobody reads within three seconds; until thirty nobody can tell; then an ordinary browser is a person's."""
    moment = timedelta(milliseconds=1)
    assert browser(kind, -moment) == Verdict.SELF
    assert browser(kind, timedelta(0)) == browser(kind, AT_ONCE) == Verdict.SCANNER
    assert browser(kind, AT_ONCE + moment) == browser(kind, AT_DELIVERY) == Verdict.UNKNOWN
    assert browser(kind, AT_DELIVERY + moment) == Verdict.HUMAN_LIKELY


def test_a_data_centre_condemns_a_click_only_while_links_are_vetted() -> None:
    hosted = Around(hosting="Example Hosting")
    assert browser(CLICK, VETTED, hosted) == Verdict.SCANNER
    assert browser(CLICK, VETTED + timedelta(seconds=1), hosted) == Verdict.UNKNOWN
    assert browser(OPEN, VETTED, hosted) == Verdict.UNKNOWN


@pytest.mark.parametrize(("address", "is_microsofts"), [
    ("40.91.255.255", False), ("40.92.0.0", True), ("40.93.255.255", True), ("40.94.0.0", True),
    ("40.95.0.0", False), ("40.106.255.255", False), ("40.107.0.1", True), ("40.108.0.0", False),
    ("52.99.255.255", False), ("52.100.0.0", True), ("52.103.255.255", True), ("52.104.0.0", False),
    ("104.46.255.255", False), ("104.47.0.0", True), ("104.47.127.255", True), ("104.47.128.0", False),
    ("2a01:111:f400::1", True), ("2a01:111:f401::1", False), ("2a01:111:f403:ffff::", True),
])  # fmt: skip
def test_microsofts_mail_protection_ends_where_it_says(address: str, is_microsofts: bool) -> None:
    """MicrosoftDocs/OfficeDocs-Enterprise#755 quotes its list; 40.94.0.0/16 is what threads report."""
    found = judge(Asked(CLICK, 0, ua.CHROME_WINDOWS, address, timedelta(hours=1)), Around())
    assert (found.verdict is Verdict.SCANNER) == is_microsofts
    assert (found.verdict is Verdict.HUMAN_LIKELY) != is_microsofts


def test_a_machine_stays_one_while_the_sender_looks() -> None:
    found = judge(Asked(CLICK, 0, ua.BARRACUDA, "198.51.100.7", timedelta(seconds=HOUR)), LOOKING)
    assert found.verdict == Verdict.SCANNER


@pytest.mark.parametrize("part", [part for part, _, _ in AGENTS])
def test_no_name_hides_behind_an_earlier_one(part: str) -> None:
    """The first that is found counts; so each must find itself first."""
    index = [each for each, _, _ in AGENTS].index(part)
    assert agent_of(f"({part.upper()})") == AGENTS[index][1:]


@pytest.mark.parametrize(("agent", "name"), [
    (ua.TELEGRAM, "Telegram"), (ua.LINKEDIN, "LinkedIn"), (ua.APPLE_MESSAGES, "Messages by Apple"),
    (ua.FACEBOOK, "Facebook"), (ua.X, "X"), (ua.TEAMS, "Skype or Teams"), (ua.GMAIL_AHEAD, "Gmail"),
    (ua.OUTLOOK_2007, "Outlook"), (ua.OUTLOOK_IPHONE, "Outlook"), (ua.EM_CLIENT, "eM Client"),
])  # fmt: skip
def test_a_program_is_called_by_its_own_name(agent: str, name: str) -> None:
    assert agent_of(agent)[1] == name


BROWSERS = [
    value for name, value in vars(ua).items() if name.startswith(("CHROME", "SAFARI", "FIREFOX", "OPERA", "IE_"))
]


@pytest.mark.parametrize("agent", BROWSERS)
def test_no_browser_is_taken_for_something_else(agent: str) -> None:
    assert agent_of(agent) == (Agent.BROWSER, "")


@pytest.mark.parametrize(("agent", "device"), [
    (ua.CHROME_WINDOWS, "computer"), (ua.CHROME_MAC, "computer"), (ua.SAFARI_MAC, "computer"), (ua.IE_11, "computer"),
    (ua.FIREFOX_WINDOWS, "computer"), (ua.OUTLOOK_365, "computer"), (ua.OUTLOOK_2010, "computer"),
    (ua.OUTLOOK_NEW, "computer"), (ua.OUTLOOK_MAC, "computer"), (ua.THUNDERBIRD, "computer"), (ua.NOTES, "computer"),
    (ua.CHROME_ANDROID, "phone"), (ua.FIREFOX_ANDROID, "phone"), (ua.OPERA_ANDROID, "phone"),
    (ua.SAFARI_IPHONE, "phone"), (ua.OUTLOOK_IPHONE, "phone"), (ua.IOS_APP, "phone"),
    (ua.CHROME_ANDROID_TABLET, "tablet"), (ua.FIREFOX_ANDROID_TABLET, "tablet"), (ua.SAFARI_IPAD, "tablet"),
    (ua.SAFARI_IPAD_DESKTOP, "computer"),  # as it says itself
    (ua.APPLE_MAIL, ""), (ua.SPARK, ""),  # do not say
    (ua.GMAIL_PROXY, ""), (ua.GMAIL_AHEAD, ""), (ua.HEADLESS, ""), (ua.TEAMS, ""), ("", ""), ("Zarquon/42", ""),
])  # fmt: skip
def test_what_kind_of_device(agent: str, device: str) -> None:
    assert device_of(agent) == device


@pytest.mark.parametrize(("agent", "address", "hosting", "is_his"), [
    (ua.CHROME_MAC, "198.51.100.7", "", True), (ua.OUTLOOK_365, "198.51.100.7", "", True),
    (ua.APPLE_MAIL, "198.51.100.7", "", True),
    (ua.GMAIL_PROXY, "198.51.100.7", "", False), (ua.YAHOO_PROXY, "198.51.100.7", "", False),
    (ua.APPLE_PRIVACY, "198.51.100.7", "", False), (ua.BARRACUDA, "198.51.100.7", "", False),
    ("", "198.51.100.7", "", False),
    (ua.CHROME_MAC, "198.51.100.7", "Hetzner", False), (ua.CHROME_MAC, "40.94.16.9", "", False),
])  # fmt: skip
def test_a_proxys_place_is_not_its_readers(agent: str, address: str, hosting: str, is_his: bool) -> None:
    asked = Asked(OPEN, 0, agent, address, timedelta(hours=1))
    assert is_from_its_person(asked, Around(hosting=hosting)) is is_his

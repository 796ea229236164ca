"""The use case `prepare_message`: what goes out instead of a message, for each copy of it. Content passes through; what
is kept are the recipients and where links lead, sealed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from organizations.domains import own_domains
from organizations.models import Member
from providers.addresses import parse_addresses
from tracking import policies
from tracking.compose import Ours, Plan, compose
from tracking.hot.tokens import Keyring, Kind, Opened, TokenTooLong, read_keys
from tracking.models import Content, Copy, TrackedMessage
from tracking.targets import target_of

#: Links of one message that lead through us; the others stay as they are.
MOST_LINKS = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """`html` or `links`: the message's HTML, or only where its links lead. `singly`: each recipient gets a copy of his
    own. `opens`, `clicks`: what the sender wants for this message, within what his settings allow."""

    recipients: Sequence[str]
    html: str | None = None
    links: Sequence[str] | None = None
    singly: bool = False
    opens: bool = True
    clicks: bool = True


@dataclass(frozen=True, slots=True)
class PreparedCopy:
    """`recipient`: "" where the copy is for all. `links`: in the order given; None leaves that one as it is."""

    recipient: str
    html: str | None
    pixel: str
    links: list[str | None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """`why_not`: a code, where nothing is tracked; then the message goes out as it is."""

    message: TrackedMessage | None
    copies: list[PreparedCopy]
    why_not: str = ""


def prepare_message(member: Member, wanted: Wanted) -> Prepared:
    """Raises what the vault raises where its key cannot be had: then the message goes out untracked."""
    opens, clicks = wanted.opens and policies.opens(member), wanted.clicks and policies.clicks(member)
    people = _outsiders(member, wanted.recipients)
    why_not = _why_not(opens=opens, clicks=clicks, outsiders=bool(people), anybody=bool(wanted.recipients))
    if why_not:
        return Prepared(None, [], why_not)
    message = TrackedMessage(organization=member.organization, member=member, opens=opens, clicks=clicks)
    copies = _copies(message, len(people), singly=wanted.singly)
    prepared, targets = _prepare(copies, people, wanted)
    Content(people, targets).put(message)
    with transaction.atomic():
        message.save(force_insert=True)
        Copy.objects.bulk_create(copies)
    return Prepared(message, prepared)


def _outsiders(member: Member, recipients: Sequence[str]) -> list[str]:
    """Each address once, colleagues left out: mail that stays inside is nobody's business (C49)."""
    own = own_domains(member.organization_id)
    mailboxes, _ = parse_addresses(recipients)
    found = {mailbox.key: mailbox.address for mailbox in mailboxes}
    return [address for key, address in found.items() if key.rpartition("@")[2] not in own]


def _why_not(*, opens: bool, clicks: bool, outsiders: bool, anybody: bool) -> str:
    if not (settings.TRACKING_URL and settings.TRACKING_KEY):
        return "not-set-up"
    if not (opens or clicks):
        return "switched-off"
    if not outsiders:
        return "internal" if anybody else "no-recipients"
    return ""


def _copies(message: TrackedMessage, people: int, *, singly: bool) -> list[Copy]:
    if singly or people == 1:
        return [Copy(message=message, number=number) for number in range(people)]
    return [Copy(message=message, number=None)]


def _prepare(copies: list[Copy], people: list[str], wanted: Wanted) -> tuple[list[PreparedCopy], list[str]]:
    """Every copy has the same links in the same order."""
    prepared, targets = list[PreparedCopy](), list[str]()
    for copy in copies:
        recipient = "" if copy.number is None else people[copy.number]
        press = _Press(copy)
        if wanted.html is None:
            links, targets = press.links(wanted.links or [])
            prepared.append(PreparedCopy(recipient, None, press.pixel(), links))
        else:
            composed = compose(wanted.html, Plan(press.ours, press.pixel(), press.link))
            targets = composed.targets
            prepared.append(PreparedCopy(recipient, composed.html, press.pixel(), []))
    return prepared, targets


class _Press:
    """Makes the pixel and the links of one copy."""

    def __init__(self, copy: Copy) -> None:
        self._keyring = Keyring(read_keys(settings.TRACKING_KEY))
        self._message, self._ids = copy.message, (copy.message.organization_id.bytes, copy.pk.bytes)
        self._pixel: str | None = None
        self.ours = ours(self._keyring)

    def pixel(self) -> str:
        """The same address each time; "" where opens are not tracked."""
        if self._pixel is None:
            token = self._keyring.seal(Kind.OPEN, Opened(*self._ids)) if self._message.opens else ""
            self._pixel = f"{self.ours.pixels}{token}.gif" if token else ""
        return self._pixel

    def link(self, number: int, target: str) -> str:
        if not self._message.clicks or number > MOST_LINKS:
            return ""
        try:
            return self.ours.links + self._keyring.seal(Kind.CLICK, Opened(*self._ids, number, target))
        except TokenTooLong:
            return ""

    def links(self, hrefs: Sequence[str]) -> tuple[list[str | None], list[str]]:
        """As `compose` does with those of a message: ours from earlier mail lead straight on, others through us."""
        targets: list[str] = []
        return list(self._each(hrefs, targets)), targets

    def _each(self, hrefs: Sequence[str], targets: list[str]) -> Iterator[str | None]:
        for href in hrefs:
            if href.startswith(self.ours.links):
                yield self.ours.open_link(href.removeprefix(self.ours.links)) or None
                continue
            target = target_of(href)
            address = self.link(len(targets) + 1, target) if target else ""
            if address:
                targets.append(target)
            yield address or None


def ours(keyring: Keyring) -> Ours:
    def open_link(token: str) -> str:
        opened = keyring.open(Kind.CLICK, token)
        return opened.target if opened else ""

    return Ours(f"{settings.TRACKING_URL}/t/o/", f"{settings.TRACKING_URL}/t/c/", open_link)

"""The use case `prepare_message`: what goes out instead of a message, for each copy of it. Content passes through; what
is kept are the recipients and where links lead, sealed."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction

from organizations.domains import own_domains
from organizations.models import Member
from providers.addresses import parse_addresses
from tracking import policies
from tracking.compose import Ours, Plan, composed, older_target
from tracking.hot.tokens import Keyring, Kind, Opened, TokenTooLong, read_keys
from tracking.markup import read
from tracking.models import Content, Copy, TrackedMessage
from tracking.targets import target_of

#: Links of one message that lead through us; the others stay as they are.
MOST_LINKS = 500
#: Links of all its copies together, 2 kB each at most: a thread of the web process makes them while its sender waits.
MOST_TOKENS = 25_000


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
    """`why_not`: a code, where nothing is tracked; then the message goes out as it is. `invalid`: places in
    `Wanted.recipients` of what is no address, and has no copy of its own."""

    message: TrackedMessage | None
    copies: list[PreparedCopy]
    why_not: str = ""
    invalid: list[int] = field(default_factory=list)


def prepare_message(member: Member, wanted: Wanted) -> Prepared:
    """Raises what the vault raises where its key cannot be had: then the message goes out untracked."""
    opens, clicks = wanted.opens and policies.opens(member), wanted.clicks and policies.clicks(member)
    found = _people(member, wanted.recipients)
    why_not = _why_not(opens=opens, clicks=clicks, found=found)
    if why_not:
        return Prepared(None, [], why_not, found.invalid)
    people = found.outsiders if wanted.singly else found.everybody
    message = TrackedMessage(organization=member.organization, member=member, opens=opens, clicks=clicks)
    copies = _copies(message, len(people), singly=wanted.singly, is_alone=not found.invalid)
    prepared, targets = _prepare(copies, people, wanted)
    Content(people, targets).put(message)
    with transaction.atomic():
        message.save(force_insert=True)
        Copy.objects.bulk_create(copies)
    return Prepared(message, prepared, invalid=found.invalid)


@dataclass(frozen=True, slots=True)
class _People:
    """Addresses, each once. `invalid`: places in the list given of what is no address."""

    everybody: list[str]
    outsiders: list[str]
    invalid: list[int]


def _people(member: Member, recipients: Sequence[str]) -> _People:
    own = own_domains(member.organization_id)
    mailboxes, invalid = parse_addresses(recipients)
    everybody = {mailbox.key: mailbox.address for mailbox in mailboxes}
    members = _members(member, own)
    outsiders = [
        address for key, address in everybody.items() if key not in members and key.rpartition("@")[2] not in own
    ]
    return _People(list(everybody.values()), outsiders, invalid)


def _members(member: Member, own: Collection[str]) -> set[str]:
    """Addresses of the organization's people whom no domain of its own tells from others (a public mail service). All
    of them: a question with the recipients in it would stand in what PostgreSQL shows and logs of its statements."""
    rows = Member.objects.filter(organization_id=member.organization_id, is_active=True)
    for domain in own:
        rows = rows.exclude(email__iendswith=f"@{domain}")
    return {email.lower() for email in rows.values_list("email", flat=True)}


def _why_not(*, opens: bool, clicks: bool, found: _People) -> str:
    """Mail that stays inside is nobody's business (C49)."""
    if not (settings.TRACKING_URL and settings.TRACKING_KEY):
        return "not-set-up"
    if not (opens or clicks):
        return "switched-off"
    if not found.outsiders:
        return "internal" if found.everybody and not found.invalid else "no-recipients"
    return ""


def _copies(message: TrackedMessage, people: int, *, singly: bool, is_alone: bool) -> list[Copy]:
    """One for each who gets his own; for all of them together, colleagues too, one that nobody's name is on."""
    if singly or (people == 1 and is_alone):
        return [Copy(message=message, number=number) for number in range(people)]
    return [Copy(message=message, number=None)]


def _prepare(copies: list[Copy], people: list[str], wanted: Wanted) -> tuple[list[PreparedCopy], list[str]]:
    """Every copy has the same links in the same order. What is the same for each is found out once."""
    prepared, targets = list[PreparedCopy](), list[str]()
    page = None if wanted.html is None else read(wanted.html)
    hrefs = [(href, target_of(href)) for href in wanted.links or []]
    for copy in copies:
        recipient = "" if copy.number is None else people[copy.number]
        press = _Press(copy, min(MOST_LINKS, MOST_TOKENS // len(copies)))
        if page is None:
            links, targets = press.links(hrefs)
            prepared.append(PreparedCopy(recipient, None, press.pixel(), links))
        else:
            made = composed(page, Plan(press.ours, press.pixel(), press.link))
            targets = made.targets
            prepared.append(PreparedCopy(recipient, made.html, press.pixel(), []))
    return prepared, targets


class _Press:
    """Makes the pixel and the links of one copy."""

    def __init__(self, copy: Copy, most: int) -> None:
        self._keyring = Keyring(read_keys(settings.TRACKING_KEY))
        self._message, self._ids = copy.message, (copy.message.organization_id.bytes, copy.pk.bytes)
        self._pixel: str | None = None
        self._most = most
        self.ours = ours(self._keyring)

    def pixel(self) -> str:
        """The same address each time; "" where opens are not tracked."""
        if self._pixel is None:
            token = self._keyring.seal(Kind.OPEN, Opened(*self._ids)) if self._message.opens else ""
            self._pixel = f"{self.ours.pixels}{token}.gif" if token else ""
        return self._pixel

    def link(self, number: int, target: str) -> str:
        if not self._message.clicks or number > self._most:
            return ""
        try:
            return self.ours.links + self._keyring.seal(Kind.CLICK, Opened(*self._ids, number, target))
        except TokenTooLong:
            return ""

    def links(self, hrefs: Sequence[tuple[str, str]]) -> tuple[list[str | None], list[str]]:
        """As `compose` does with those of a message: ours from earlier mail lead straight on, others through us.
        `hrefs`: each with its target."""
        targets: list[str] = []
        return list(self._each(hrefs, targets)), targets

    def _each(self, hrefs: Sequence[tuple[str, str]], targets: list[str]) -> Iterator[str | None]:
        for href, target in hrefs:
            older = older_target(href, self.ours)
            if older is not None:
                yield older or None
                continue
            address = self.link(len(targets) + 1, target) if target else ""
            if address:
                targets.append(target)
            yield address or None


def ours(keyring: Keyring) -> Ours:
    def open_link(token: str) -> str:
        opened = keyring.open(Kind.CLICK, token)
        return opened.target if opened else ""

    return Ours(f"{settings.TRACKING_URL}/t/o/", f"{settings.TRACKING_URL}/t/c/", open_link)

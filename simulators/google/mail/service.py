"""All mailboxes of the simulated Gmail, with who is watched, throttled and how much of the quota is used up."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from simulators.clock import Clock
from simulators.google.accounts import Account
from simulators.google.mail.box import Box
from simulators.google.mail.errors import GmailError, quota, user_rate
from simulators.google.mail.push import WATCH_SECONDS, Pusher, Watch
from simulators.mail.seeds import seeds_of
from simulators.oauth.signing import Signer

#: Quota units a minute and user (developers.google.com/workspace/gmail/api/reference/quota).
UNITS = 15_000


@dataclass
class Standing:
    """What a test and the API's limits hold against one user. `repeats`: pages of history that are replayed."""

    throttled: int = 0
    seconds: float = 0.0
    repeats: int = 0
    units: int = UNITS
    used: int = 0
    minute: int = 0
    watches: dict[str, Watch] = field(default_factory=dict)  # by client


class Mail:
    def __init__(self, signer: Signer, clock: Clock) -> None:
        self.clock = clock
        self.pusher = Pusher(signer, clock.now)
        self.boxes: dict[str, Box] = {}
        self.standings: dict[str, Standing] = {}

    def restore(self) -> None:
        """Mailboxes are made when they are first asked for."""
        self.boxes.clear()
        self.standings.clear()
        self.pusher.restore()

    def of(self, account: Account) -> Box:
        box = self.boxes.get(account.key)
        if box is None:
            box = self.boxes[account.key] = Box(account.email, self.clock.now)
            for seed in seeds_of(account.name, account.email):
                box.add(seed.content, ["SENT"] if seed.folder == "sent" else ["INBOX"], seed.received_at)
            box.changed = lambda labels: self._tell(account, labels)
        return box

    def standing(self, account: Account) -> Standing:
        return self.standings.setdefault(account.key, Standing())

    def charge(self, account: Account, units: int) -> None:
        """Raises GmailError where this person has asked too much."""
        held, now = self.standing(account), self.clock.now()
        if held.throttled > 0:
            held.throttled -= 1
            raise user_rate(self.clock.told() + held.seconds)
        if held.minute != int(now // 60):
            held.minute, held.used = int(now // 60), 0
        if held.units and held.used + units > held.units:
            raise quota()
        held.used += units

    def watch(self, account: Account, client: str, topic: str, labels: Iterable[str], excludes: bool) -> Watch:
        """Once for each person and client; the same topic again renews it."""
        self.pusher.check(topic)
        held, now = self.standing(account), self.clock.now()
        other = held.watches.get(client)
        if other and other.ends > now and other.topic != topic:
            text = "Only one user push notification client allowed per developer (call /stop then try again)"
            raise GmailError(400, "failedPrecondition", text, status="FAILED_PRECONDITION")
        made = Watch(topic, frozenset(labels), excludes, now + WATCH_SECONDS, client)
        held.watches[client] = made
        self.pusher.tell(account.email, self.of(account).history)
        return made

    def _tell(self, account: Account, labels: Iterable[str]) -> None:
        watches = self.standing(account).watches.values()
        if any(watch.wants(set(labels), self.clock.now()) for watch in watches):
            self.pusher.tell(account.email, self.boxes[account.key].history)

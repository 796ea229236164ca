"""What `prove_privacy` does in sync: mails come, are told of, saved, parked, refused, tried again, asked for by hand,
with what is attached to them (C60, C61, C63).

Sends canaries only, to a product that is thrown away."""

import time
from collections.abc import Iterator
from typing import Any

from organizations.privacy.visits import JourneyFailed, Visit
from organizations.registries import privacy_journeys
from sync import tasks
from sync.mailboxes import PROVIDERS
from sync.models import Job, Subscription, SyncedMailbox
from sync.privacy_mails import Mail, nested
from sync.reasons import Rule

_WHO = "alice"
_ON = ("email.sync.enabled", "attach.enabled")
#: Bytes a second: slow enough for a mail to be caught while it is read.
_CRAWL = 4_000
#: Seconds. A mail that broke off is tried again after half a minute, and this machine may be busy.
_PATIENCE = 90


@privacy_journeys.register("mails that are synced")
def sync_mails(visit: Visit) -> Iterator[str]:
    office = _Office(visit)
    for provider in PROVIDERS:
        _save_or_say_why(visit, office, provider)
    yield "after mails were saved, and others were not"
    mail = office.mail_of_somebody_known()
    _slow_down(visit, "google", skip=1)
    office.deliver("google", mail)
    office.await_saved(mail, "a mail is saved while its attachment is on its way")
    with visit.paused("worker"):
        yield "while an attachment is on its way"
    visit.desk("google", "reset", {"only": ["faults"]})
    office.await_attached(mail)


@privacy_journeys.register("mails that fail")
def fail_mails(visit: Visit) -> Iterator[str]:
    """The providers' refusals quote what was sent; their answers break off."""
    office = _Office(visit)
    mail = office.mail_of_somebody_known()
    _slow_down(visit, "microsoft")
    id_ = office.deliver("microsoft", mail)
    visit.expect("a mail is being read", lambda: _is_running(id_), _PATIENCE)
    with visit.paused("worker"):
        yield "while a mail is being read"
    visit.desk("microsoft", "reset", {"only": ["faults"]})
    office.await_saved(mail, "it was saved")
    office.await_attached(mail)  # which reads it once more, and would meet what is meant for the next
    broken_off = _fail_at_the_mailbox(visit, office, "microsoft", {"cut_after": 300})
    text = visit.canary("an error that a mailbox told")
    told = {"status": 503, "body": f"<p>{text}</p>", "headers": {"X-Told": text}}
    refused = _fail_at_the_mailbox(visit, office, "google", told)
    _be_refused_by_salesforce(visit, office)
    for each in (refused, broken_off):  # the latter waits for half a minute at least
        office.await_saved(each, "it was saved after a failure")
    yield "after failures at mailboxes and at Salesforce, and another try"


@privacy_journeys.register("mails that somebody saves by hand")
def save_by_hand(visit: Visit) -> Iterator[str]:
    office = _Office(visit)
    for provider in PROVIDERS:
        _save_by_hand(visit, office, provider)
        forecast = visit.add_in(_WHO).call("POST", "sync/dry-run/", {"provider": provider})
        if forecast.status != 200:
            raise JourneyFailed(f"no dry run was made ({forecast.status})")
    _hand_over(visit, office)
    yield "after mails were saved by hand, handed over, taken back, and tried out"


class _Office:
    """Alice's two mailboxes, both followed; whoever writes to her is made up."""

    def __init__(self, visit: Visit) -> None:
        self._visit, self._add_in = visit, visit.add_in(_WHO)
        on = self._add_in.call("PATCH", "policy/?level=organization", {"values": dict.fromkeys(_ON, True)})
        visit.expect("email sync was switched on", lambda: on.status == 200)
        if _followed() < len(PROVIDERS):
            self._begin()

    def _begin(self) -> None:
        time.sleep(2)  # every process has heard of the switch, so that connecting asks for the mail
        for provider in PROVIDERS:
            self._visit.connect(provider, _WHO)
        tasks.follow_settings.delay()
        self._visit.expect("mailboxes are followed, and their providers tell of changes", self._is_told)

    @staticmethod
    def _is_told() -> bool:
        for row in SyncedMailbox.objects.filter(is_on=True, subscriptions=None):
            tasks.wake(tasks.look_after_subscription, [row.pk])
            time.sleep(0.5)
        return _followed() == Subscription.objects.values("mailbox").distinct().count() == len(PROVIDERS)

    def knows(self, mail: Mail, times: int = 1) -> None:
        """Salesforce has so many people with its sender's address from now on."""
        for _ in range(times):
            values = {"LastName": self._visit.canary("the name of a contact"), "Email": mail.sender}
            key = self._visit.canary("a key of the API")
            made = self._add_in.call("POST", "sidebar/records/Contact/", {"values": values}, {"Idempotency-Key": key})
            if made.status != 201:
                raise JourneyFailed(f"no contact was made ({made.status})")

    def mail_of_somebody_known(self, subject: str = "") -> Mail:
        mail = Mail(self._visit.canary, f"{_WHO}@acme.example", subject)
        self.knows(mail)
        return mail

    def deliver(self, provider: str, mail: Mail | str) -> str:
        """Its id at the provider, which tells of it by itself."""
        raw = mail.encoded() if isinstance(mail, Mail) else mail
        body = {"messages": [{"raw": raw, "folder": "inbox"}]}
        return str(self._visit.desk(provider, f"mail/{_WHO}/deliver", body)["ids"][0])

    def decision_on(self, message_id: str) -> dict[str, Any] | None:
        found = self._add_in.call("GET", f"sync/decisions/?message_id={message_id}").json["decisions"]
        return dict(found[0]) if found else None

    def rule_of(self, message_id: str) -> str:
        """What decided; "" so far. Whatever waits for another try is not left to the sweep."""
        decision = self.decision_on(message_id)
        if decision is None:
            self._look_again()
        return str(decision["rule"]) if decision else ""

    @staticmethod
    def _look_again() -> None:
        tasks.wake(tasks.work, SyncedMailbox.objects.filter(is_on=True).values_list("pk", flat=True))
        time.sleep(0.5)

    def try_again(self, message_id: str) -> None:
        decision = self.decision_on(message_id) or {"id": ""}
        again = self._add_in.call("POST", "sync/decisions/retry/", {"ids": [decision["id"]]})
        self._visit.expect("another try was asked for", lambda: again.status == 200)

    def take_back(self, message_id: str) -> None:
        decision = self.decision_on(message_id) or {"id": ""}
        begun = self._add_in.call("POST", f"sync/decisions/{decision['id']}/undo/", {})
        self._visit.expect("it was asked to be taken back", lambda: begun.status == 202)

    def hand_over(self, mail: Mail) -> Any:
        """The message itself, as an add-in has it."""
        key = {"Idempotency-Key": self._visit.canary("a key of the API"), "Content-Type": "message/rfc822"}
        return self._add_in.call("POST", "sync/emails/", mail.raw(), key)

    def ask_for(self, provider: str, message_id: str) -> Any:
        key = {"Idempotency-Key": self._visit.canary("a key of the API")}
        return self._add_in.call("POST", "sync/emails/", {"provider": provider, "message_id": message_id}, key)

    def await_rule(self, message_id: str, rule: Rule, what: str) -> None:
        self._visit.expect(what, lambda: self.rule_of(message_id) == rule, _PATIENCE)

    def await_saved(self, mail: Mail, what: str) -> None:
        self._visit.expect(what, lambda: self._holds("EmailMessage", mail.subject), _PATIENCE)

    def await_gone(self, mail: Mail) -> None:
        gone = "the simulated Salesforce holds it no more"
        self._visit.expect(gone, lambda: not self._is_there(mail.subject), _PATIENCE)

    def await_attached(self, mail: Mail) -> None:
        holds = "the simulated Salesforce holds its attachment"
        self._visit.expect(holds, lambda: self._holds("ContentVersion", mail.file_name), _PATIENCE)

    def _holds(self, object_name: str, text: str) -> bool:
        is_there = self._is_there(text, object_name)
        if not is_there:
            self._look_again()
        return is_there

    def _is_there(self, text: str, object_name: str = "EmailMessage") -> bool:
        records = self._visit.desk("salesforce", f"state?object={object_name}")["records"][object_name]
        living = [record for record in records if not record.get("IsDeleted")]
        return any(text in str(value) for record in living for value in record.values())


def _followed() -> int:
    return SyncedMailbox.objects.filter(is_on=True).exclude(polled_at=None).count()


def _is_running(message_id: str) -> bool:
    return Job.objects.filter(message_id=message_id, state=Job.State.RUNNING).exists()


def _has_failed(message_id: str) -> bool:
    return Job.objects.filter(Job.TRIED, message_id=message_id).exists()


def _save_or_say_why(visit: Visit, office: _Office, provider: str) -> None:
    saved, unknown = office.mail_of_somebody_known(), Mail(visit.canary, f"{_WHO}@acme.example")
    several, private = (
        Mail(visit.canary, f"{_WHO}@acme.example"),
        office.mail_of_somebody_known("A security code: 4711"),
    )
    office.knows(several, times=2)
    deep = office.mail_of_somebody_known()
    expected = [
        (office.deliver(provider, saved), Rule.MATCHED),
        (office.deliver(provider, unknown), Rule.NOBODY_FOUND),
        (office.deliver(provider, several), Rule.SEVERAL_PEOPLE),
        (office.deliver(provider, private), Rule.SIGN_IN_CODE),
        (office.deliver(provider, nested(deep, 60)), Rule.UNDECIPHERABLE),
    ]
    for id_, rule in expected:
        office.await_rule(id_, rule, f"a mail at {provider}: {rule}")
    office.await_saved(saved, "the simulated Salesforce holds the mail")
    office.await_attached(saved)
    office.knows(unknown)
    office.try_again(expected[1][0])
    office.await_saved(unknown, "whose mail waited is known now")


def _save_by_hand(visit: Visit, office: _Office, provider: str) -> None:
    """What a rule left out; the first time in vain."""
    mail = office.mail_of_somebody_known(subject="Your verification code is 123456")
    id_ = office.deliver(provider, mail)
    office.await_rule(id_, Rule.SIGN_IN_CODE, "it was left out")
    refusal = _refusal(visit.canary("an error that Salesforce told"))
    visit.desk("salesforce", "faults", {"path": "/services/data", "times": 9, **refusal})
    visit.expect("saving it fails", lambda: bool(office.ask_for(provider, id_).status >= 400))
    visit.desk("salesforce", "reset", {"only": ["faults"]})
    saved = office.ask_for(provider, id_)
    visit.expect("somebody saves it by hand", lambda: bool(saved.status == 200 and saved.json["saved"]))
    office.await_attached(mail)


def _hand_over(visit: Visit, office: _Office) -> None:
    """A message itself; refused first. And one that was saved by itself is taken back."""
    handed, saved = office.mail_of_somebody_known(), office.mail_of_somebody_known()
    visit.desk("salesforce", "faults", {"path": "/services/data", "times": 9, **_refusal(visit.canary("a refusal"))})
    visit.expect("handing a mail over fails", lambda: bool(office.hand_over(handed).status >= 400))
    visit.desk("salesforce", "reset", {"only": ["faults"]})
    answer = office.hand_over(handed)
    visit.expect("a mail is handed over", lambda: bool(answer.status == 200 and answer.json["saved"]))
    office.await_attached(handed)
    id_ = office.deliver("google", saved)
    office.await_rule(id_, Rule.MATCHED, "it was saved")
    office.take_back(id_)
    office.await_gone(saved)


def _fail_at_the_mailbox(visit: Visit, office: _Office, provider: str, fault: dict[str, Any]) -> Mail:
    """Once, while the whole of a mail is read."""
    mail = office.mail_of_somebody_known()
    visit.desk(provider, "faults", {"path": _MESSAGES[provider], "times": 1, **fault})
    id_ = office.deliver(provider, mail)
    visit.expect(f"reading a mail at {provider} fails", lambda: _has_failed(id_), _PATIENCE)
    return mail


def _be_refused_by_salesforce(visit: Visit, office: _Office) -> None:
    text, mail = visit.canary("an error that Salesforce told"), office.mail_of_somebody_known()
    visit.desk("salesforce", "faults", {"path": "/services/data", "times": 20, **_refusal(text)})
    id_ = office.deliver("google", mail)
    office.await_rule(id_, Rule.REFUSED, "Salesforce refuses a mail")
    visit.desk("salesforce", "reset", {"only": ["faults"]})
    office.try_again(id_)
    office.await_saved(mail, "it was saved when it was tried again")
    office.await_attached(mail)
    for fault in ({"status": 500, "body": f"<p>{text}</p>"}, {"cut_after": 30}):
        mail = office.mail_of_somebody_known()
        visit.desk("salesforce", "faults", {"path": "/services/data", "times": 1, **fault})
        office.deliver("google", mail)
        office.await_saved(mail, "it was saved after a failure")
        office.await_attached(mail)


#: Where a whole message is read.
_MESSAGES = {"google": "/gmail/v1/users/me/messages/", "microsoft": "/v1.0/me/messages/"}


def _slow_down(visit: Visit, provider: str, skip: int = 0) -> None:
    """The next reading of a whole message, after `skip` others."""
    visit.desk(provider, "faults", {"path": _MESSAGES[provider], "times": 1, "skip": skip, "bytes_per_second": _CRAWL})


def _refusal(text: str) -> dict[str, Any]:
    body = {"message": f"bad value: {text}", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": [text]}
    return {"status": 400, "body": [body]}

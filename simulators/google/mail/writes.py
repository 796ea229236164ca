"""The methods of the Gmail API that change a mailbox: what another client of the same person does meanwhile."""

import base64
import email.utils
from typing import Any

from simulators.google.mail.box import Message
from simulators.google.mail.call import Call
from simulators.google.mail.errors import invalid
from simulators.google.mail.forms import message_of
from simulators.mail.messages import Content


def insert(call: Call) -> Any:
    """users.messages.insert and .import: as it is, into the labels named."""
    content, body = _content(call), call.body()
    source = call.one_of("internalDateSource", ("receivedtime", "dateheader"), _default_source(call))
    labels = _labels(call, body.get("labelIds", []))
    return _brief(call.box.add(content, labels, _time(call, content, source), body.get("threadId", "")))


def send(call: Call) -> Any:
    content = _content(call)
    return _brief(call.box.add(content, ["SENT"], call.mail.clock.now(), call.body().get("threadId", "")))


def modify(call: Call) -> Any:
    body = call.body()
    add, remove = _labels(call, body.get("addLabelIds", [])), _labels(call, body.get("removeLabelIds", []))
    return _brief(call.box.relabel(call.path[1], add, remove))


def trash(call: Call) -> Any:
    return _brief(call.box.relabel(call.path[1], ["TRASH"], ["INBOX", "SPAM"]))


def untrash(call: Call) -> Any:
    return _brief(call.box.relabel(call.path[1], [], ["TRASH"]))


def delete(call: Call) -> Any:
    call.box.delete(call.path[1])


def create_label(call: Call) -> Any:
    labels = call.box.labels
    return labels.resource(labels.create(str(call.body().get("name", ""))))


def rename_label(call: Call) -> Any:
    labels, key = call.box.labels, call.path[1]
    if "name" in call.body():
        labels.rename(key, str(call.body()["name"]))
    return labels.resource(key)


def delete_label(call: Call) -> Any:
    box, key = call.box, call.path[1]
    box.labels.resource(key)
    if key not in box.labels.own:
        raise invalid("Invalid delete request")
    for message in [each for each in box.messages.values() if key in each.labels]:
        box.relabel(message.id, remove=[key])
    del box.labels.own[key]


def _content(call: Call) -> Content:
    raw = call.body().get("raw")
    if not raw:
        raise invalid("'raw' RFC822 payload message string or uploading message via /upload/* URL required")
    try:
        return Content(base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)))
    except ValueError:
        raise invalid("Invalid value for ByteString") from None


def _default_source(call: Call) -> str:
    return "dateheader" if call.path[-1] == "import" else "receivedtime"


def _time(call: Call, content: Content, source: str) -> float:
    if source == "dateheader":
        try:
            return email.utils.parsedate_to_datetime(content.header("date")).timestamp()
        except (TypeError, ValueError):
            pass
    return call.mail.clock.now()


def _labels(call: Call, labels: list[str]) -> list[str]:
    for label in labels:
        if not call.box.labels.known(label):
            raise invalid(f"Invalid label: {label}")
    return list(labels)


def _brief(message: Message) -> dict[str, Any]:
    shown = message_of(message, "minimal", [])
    return {key: shown[key] for key in ("id", "threadId", "labelIds") if key in shown}
